/* SPDX-License-Identifier: MIT */
/* bridge: an address that two ports use, or one after the other. */
#include "service/net/bridge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net_fixture.h"

enum { OWNER, OTHER, LIAR, TWIN, PORTS };
#define MAC(i) (UINT64_C(0x00163e000000) + (uint64_t)(i))

static struct fixture_port ports[PORTS];
static struct net_bridge *bridge;

static int come(int i, uint64_t mac)
{
    const struct net_port_config config = {.guard = {.mac_only = i != LIAR, .mac = mac},
                                           .mac = mac};
    return net_bridge_connect(bridge, &ports[i].port, &config);
}

/* The twin is to come yet. */
static int begin(void **state)
{
    (void)state;
    if (net_bridge_create("xenbr0", 1000000, 7, &bridge) < 0)
        return -1;
    for (int i = 0; i < PORTS; i++) {
        fixture_init(&ports[i], "vif", 256);
        if (i != TWIN && come(i, MAC(i)) < 0)
            return -1;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < PORTS; i++) {
        fixture_clear(&ports[i]);
        net_bridge_disconnect(&ports[i].port);
    }
    net_bridge_destroy(bridge);
    return 0;
}

/* Whoever uses that address says something, then it is spoken to: who hears that? */
static void assert_hears(int who, int speaker)
{
    uint32_t before[PORTS];
    for (int i = 0; i < PORTS; i++)
        before[i] = ports[i].count;
    fixture_send(&ports[speaker], MAC(OTHER), MAC(OWNER), 0);
    before[OTHER] = ports[OTHER].count;
    fixture_send(&ports[OTHER], MAC(OWNER), MAC(OTHER), 0);
    for (int i = 0; i < PORTS; i++)
        assert_int_equal(ports[i].count, before[i] + (i == who));
}

static void one_address_twice_is_the_first_ones(void **state)
{
    (void)state;
    assert_int_equal(come(TWIN, MAC(OWNER)), 0);
    assert_int_equal(come(TWIN, MAC(OWNER)), -EBUSY);
    assert_hears(OWNER, TWIN);
    assert_int_equal(ports[OTHER].count, 1); /* the twin may speak */
}

static void the_second_one_inherits_it(void **state)
{
    (void)state;
    assert_int_equal(come(TWIN, MAC(OWNER)), 0);
    net_bridge_disconnect(&ports[OWNER].port);
    assert_hears(TWIN, LIAR);
    assert_int_equal(ports[LIAR].port.drops[NET_DROP_SPOOFED], 1);
    assert_int_equal(come(OWNER, MAC(OWNER)), 0);
    assert_hears(TWIN, OWNER);
}

static void who_comes_back_has_it_again(void **state)
{
    (void)state;
    net_bridge_disconnect(&ports[OWNER].port);
    assert_hears(LIAR, LIAR);
    assert_int_equal(come(OWNER, MAC(OWNER)), 0);
    assert_hears(OWNER, LIAR);
    assert_int_equal(ports[LIAR].port.drops[NET_DROP_SPOOFED], 1);
}

int main(void)
{
#define ON_BRIDGE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ON_BRIDGE(one_address_twice_is_the_first_ones),
        ON_BRIDGE(the_second_one_inherits_it),
        ON_BRIDGE(who_comes_back_has_it_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
