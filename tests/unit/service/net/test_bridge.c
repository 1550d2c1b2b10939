/* SPDX-License-Identifier: MIT */
/* bridge: who gets which frame, and what nobody gets. */
#include "service/net/bridge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "net_fixture.h"
#include "service/net/rules.h"

enum { PORTS = 4 };
#define BROADCAST   UINT64_C(0xffffffffffff)
#define OWN(i)      (UINT64_C(0x00163e000000) + (uint64_t)(i))
#define STRANGER(i) (UINT64_C(0x020000000000) + (uint64_t)(i))

static struct fixture_port ports[PORTS];
static struct net_bridge *bridge;

/* Port 0 and 1 are vifs on their guard, 2 a vif that may say anything, 3 a trunk. */
static int begin(void **state)
{
    (void)state;
    if (net_bridge_create("xenbr0", 1000000, 7, &bridge) < 0)
        return -1;
    for (int i = 0; i < PORTS; i++) {
        fixture_init(&ports[i], "vif", 256);
        struct net_port_config config = {.mac = i == 3 ? 0 : OWN(i)};
        config.guard = (struct net_guard){.mac_only = i < 2, .mac = OWN(i)};
        if (net_bridge_connect(bridge, &ports[i].port, &config) < 0)
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

static void assert_got(uint32_t first, uint32_t second, uint32_t third, uint32_t fourth)
{
    const uint32_t wanted[PORTS] = {first, second, third, fourth};
    for (int i = 0; i < PORTS; i++) {
        assert_int_equal(ports[i].count, wanted[i]);
        assert_int_equal(ports[i].port.out.frames, wanted[i]);
    }
}

static void a_vif_is_known_before_it_has_said_anything(void **state)
{
    (void)state;
    fixture_send(&ports[0], OWN(1), OWN(0), 5);
    assert_got(0, 1, 0, 0);
    assert_int_equal(ports[1].at_ns[0], 5);
    assert_int_equal(bridge->stats.forwarded.bytes, 64);
}

static void frames_to_all_and_to_unknown_ones_go_to_all_others(void **state)
{
    (void)state;
    fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    assert_got(0, 1, 1, 1);
    assert_ptr_equal(ports[1].kept[0], ports[2].kept[0]); /* shared, not copied */
    fixture_send(&ports[1], STRANGER(9), OWN(1), 0);
    assert_got(1, 1, 2, 2);
    assert_int_equal(bridge->stats.flooded.frames, 6);
}

static void an_address_is_learned_until_it_is_too_old(void **state)
{
    (void)state;
    fixture_send(&ports[3], OWN(0), STRANGER(1), 0);
    fixture_send(&ports[0], STRANGER(1), OWN(0), 1000000);
    assert_got(1, 0, 0, 1);
    fixture_send(&ports[0], STRANGER(1), OWN(0), 1000001);
    assert_got(1, 1, 1, 2);
}

static void nothing_goes_back_where_it_came_from(void **state)
{
    (void)state;
    fixture_send(&ports[3], BROADCAST, STRANGER(1), 0);
    fixture_send(&ports[3], STRANGER(1), STRANGER(2), 0);
    assert_got(1, 1, 1, 0);
    assert_int_equal(ports[3].port.drops[NET_DROP_LOCAL], 1);
}

static void a_false_sender_is_dropped_and_counted(void **state)
{
    (void)state;
    fixture_send(&ports[0], OWN(1), OWN(1), 0);
    fixture_send(&ports[0], OWN(1), STRANGER(1), 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_SPOOFED], 2);
    /* One without a guard may use other addresses, but not those of vifs. */
    fixture_send(&ports[2], OWN(1), STRANGER(2), 0);
    fixture_send(&ports[2], OWN(1), OWN(0), 0);
    assert_int_equal(ports[2].port.drops[NET_DROP_SPOOFED], 1);
    assert_got(0, 1, 0, 0);
    fixture_send(&ports[1], OWN(0), OWN(1), 0);
    assert_got(1, 1, 0, 0); /* its way has not been stolen */
}

static void impossible_senders_are_malformed(void **state)
{
    (void)state;
    fixture_send(&ports[2], OWN(1), 0, 0);
    fixture_send(&ports[2], OWN(1), BROADCAST, 0);
    assert_int_equal(ports[2].port.drops[NET_DROP_MALFORMED], 2);
    assert_got(0, 0, 0, 0);
}

static void frames_for_the_next_bridge_alone_go_nowhere(void **state)
{
    (void)state;
    fixture_send(&ports[0], UINT64_C(0x0180c2000000), OWN(0), 0);
    fixture_send(&ports[0], UINT64_C(0x0180c200000f), OWN(0), 0);
    assert_got(0, 0, 0, 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_LOCAL], 2);
    fixture_send(&ports[0], UINT64_C(0x0180c2000010), OWN(0), 0);
    assert_got(0, 1, 1, 1);
}

static void flooding_is_bounded_and_the_bound_recovers(void **state)
{
    (void)state;
    const uint32_t most = NET_FLOOD_BURST_COPIES / 3;
    for (uint32_t i = 0; i < most + 10; i++)
        fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_FLOOD], 10);
    assert_int_equal(ports[1].count, most);
    fixture_send(&ports[0], OWN(1), OWN(0), 0); /* what is no flood passes */
    assert_int_equal(ports[1].count, most + 1);
    fixture_send(&ports[1], BROADCAST, OWN(1), 0); /* nor is another's */
    assert_int_equal(ports[0].count, 1);
    for (int i = 0; i < 400; i++) /* a millisecond later there are a thousand copies more */
        fixture_send(&ports[0], BROADCAST, OWN(0), 1000000);
    assert_int_equal(ports[0].port.drops[NET_DROP_FLOOD], 10 + 400 - 1002 / 3);
}

static void who_connects_anew_may_not_flood_more(void **state)
{
    (void)state;
    const uint32_t most = NET_FLOOD_BURST_COPIES / 3;
    const struct net_port_config config = {.mac = OWN(0)};
    for (uint32_t i = 0; i < most + 1; i++)
        fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_FLOOD], 1);
    net_bridge_disconnect(&ports[0].port);
    assert_int_equal(net_bridge_connect(bridge, &ports[0].port, &config), 0);
    fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_FLOOD], 2);
}

static void turns_pay_for_copies(void **state)
{
    (void)state;
    fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    assert_int_equal(ports[0].port.copied_bytes, 128); /* three copies, one is what was sent */
    fixture_send(&ports[0], OWN(1), OWN(0), 0);
    assert_int_equal(ports[0].port.copied_bytes, 128);
}

static void a_port_that_is_gone_is_forgotten(void **state)
{
    (void)state;
    fixture_send(&ports[3], OWN(0), STRANGER(1), 0);
    net_bridge_disconnect(&ports[3].port);
    assert_null(net_port_bridge(&ports[3].port));
    fixture_send(&ports[0], STRANGER(1), OWN(0), 0);
    assert_got(1, 1, 1, 0);
    fixture_send(&ports[3], OWN(0), STRANGER(1), 0);
    assert_int_equal(ports[3].port.drops[NET_DROP_DISCONNECTED], 1);
}

static void ports_are_listed_in_the_order_of_their_connection(void **state)
{
    (void)state;
    const struct net_port *port = NULL;
    for (int i = 0; i < PORTS; i++) {
        port = net_bridge_next_port(bridge, port);
        assert_ptr_equal(port, &ports[i].port);
    }
    assert_null(net_bridge_next_port(bridge, port));
}

static void names_are_those_of_devices(void **state)
{
    (void)state;
    static const char *const good[] = {"xenbr0", "a", "fifteen-bytes-1"};
    static const char *const bad[] = {"",    ".",   "..",  "sixteen-bytes-12",
                                      "a/b", "a:b", "a b", "a,b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(net_bridge_name_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(net_bridge_name_is_valid(bad[i]));
}

/* A burst may be used up whole, one copy more may not; a second later all of it is there again. */
static void a_burst_of_copies_is_there_again_after_a_while(void **state)
{
    (void)state;
    const uint32_t most = NET_FLOOD_BURST_COPIES / 3;
    const uint64_t whole_ns =
        UINT64_C(1000000000) * NET_FLOOD_BURST_COPIES / NET_FLOOD_COPIES_PER_S;
    for (uint64_t round = 0; round < 3; round++) { /* more than a burst is never saved */
        uint64_t at_ns = round * 10 * whole_ns;
        uint32_t before = ports[1].count;
        for (uint32_t i = 0; i < most + 3; i++)
            fixture_send(&ports[0], BROADCAST, OWN(0), at_ns);
        assert_int_equal(ports[1].count - before, most);
    }
    assert_int_equal(ports[0].port.drops[NET_DROP_FLOOD], 3 * 3);
    fixture_send(&ports[0], BROADCAST, OWN(0), 0); /* a clock that goes back gives nothing */
    assert_int_equal(ports[0].port.drops[NET_DROP_FLOOD], 3 * 3 + 1);
}

/* Alone on a bridge there is nobody to flood to. */
static void what_is_for_nobody_is_dropped_as_local(void **state)
{
    (void)state;
    for (int i = 1; i < PORTS; i++)
        net_bridge_disconnect(&ports[i].port);
    fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    fixture_send(&ports[0], STRANGER(1), OWN(0), 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_LOCAL], 2);
    assert_int_equal(ports[0].port.copied_bytes, 0);
    assert_int_equal(bridge->stats.flooded.frames, 0);
    net_bridge_disconnect(&ports[0].port);
    net_bridge_disconnect(&ports[0].port); /* nothing more happens */
    assert_int_equal(bridge->port_count, 0);
    assert_null(net_bridge_next_port(bridge, NULL));
}

static void copies_to_one_other_port_cost_nothing_more(void **state)
{
    (void)state;
    net_bridge_disconnect(&ports[2].port);
    net_bridge_disconnect(&ports[3].port);
    fixture_send(&ports[0], BROADCAST, OWN(0), 0);
    assert_int_equal(ports[1].count, 1);
    assert_int_equal(ports[0].port.copied_bytes, 0);
    assert_int_equal(bridge->stats.flooded.frames, 1);
    assert_int_equal(bridge->stats.flooded.bytes, 64);
}

#define ON_BRIDGE(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void a_bridge_has_no_more_ports_than_it_may(void **state)
{
    static struct fixture_port more[NET_BRIDGE_PORTS_MAX];
    const struct net_port_config config = {.mac = 0};
    (void)state;
    assert_int_equal(net_bridge_connect(bridge, &ports[0].port, &config), -EBUSY);
    for (uint32_t i = PORTS; i <= NET_BRIDGE_PORTS_MAX; i++) {
        fixture_init(&more[i - PORTS], "more", 256);
        assert_int_equal(net_bridge_connect(bridge, &more[i - PORTS].port, &config),
                         i < NET_BRIDGE_PORTS_MAX ? 0 : -ENOSPC);
    }
    assert_int_equal(bridge->port_count, NET_BRIDGE_PORTS_MAX);
    for (uint32_t i = PORTS; i < NET_BRIDGE_PORTS_MAX; i++)
        net_bridge_disconnect(&more[i - PORTS].port);
    assert_int_equal(bridge->port_count, PORTS);
    assert_int_equal(net_bridge_connect(bridge, &more[0].port, &config), 0); /* room again */
    net_bridge_disconnect(&more[0].port);
}

static void a_bridge_has_a_name(void **state)
{
    struct net_bridge *none = NULL;
    (void)state;
    assert_int_equal(net_bridge_create("", 1000000, 7, &none), -EINVAL);
    assert_int_equal(net_bridge_create("a/b", 1000000, 7, &none), -EINVAL);
    assert_null(none);
    net_bridge_destroy(NULL);
}

static int make_bridge(void *unused)
{
    (void)unused;
    struct net_bridge *other = NULL;
    struct fixture_port port;
    const struct net_port_config config = {.mac = OWN(9)};
    int rc = net_bridge_create("xenbr1", 1000, 7, &other);
    fixture_init(&port, "vif9.0", 256);
    if (rc == 0)
        rc = net_bridge_connect(other, &port.port, &config);
    if (rc < 0 && other != NULL)
        assert_null(net_port_bridge(&port.port));
    net_bridge_disconnect(&port.port);
    net_bridge_destroy(other);
    return rc;
}

static void without_memory_there_is_no_bridge_and_no_port(void **state)
{
    (void)state;
    assert_true(fault_walk(make_bridge, NULL) >= 4);
}

/* Rules are asked before a frame goes on; their flows end with the port. */
static void what_the_rules_forbid_is_dropped(void **state)
{
    (void)state;
    struct net_rules rules;
    struct why why;
    uint32_t id;
    assert_int_equal(net_rules_init(&rules, 3), 0);
    bridge->rules = &rules;
    fixture_send(&ports[0], OWN(1), OWN(0), 0);
    assert_got(0, 1, 0, 0);
    assert_int_equal(net_rules_add(&rules, "drop", 0, &id, &why), 0);
    fixture_send(&ports[0], OWN(1), OWN(0), 0);
    assert_got(0, 1, 0, 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_RULE], 1);
    assert_int_equal(net_rules_delete(&rules, id), 0);
    fixture_send(&ports[0], OWN(1), OWN(0), 0);
    assert_got(0, 2, 0, 0);
    bridge->rules = NULL;
    net_rules_fini(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BRIDGE(a_vif_is_known_before_it_has_said_anything),
        ON_BRIDGE(frames_to_all_and_to_unknown_ones_go_to_all_others),
        ON_BRIDGE(an_address_is_learned_until_it_is_too_old),
        ON_BRIDGE(nothing_goes_back_where_it_came_from),
        ON_BRIDGE(a_false_sender_is_dropped_and_counted),
        ON_BRIDGE(impossible_senders_are_malformed),
        ON_BRIDGE(frames_for_the_next_bridge_alone_go_nowhere),
        ON_BRIDGE(flooding_is_bounded_and_the_bound_recovers),
        ON_BRIDGE(who_connects_anew_may_not_flood_more),
        ON_BRIDGE(turns_pay_for_copies),
        ON_BRIDGE(a_port_that_is_gone_is_forgotten),
        ON_BRIDGE(ports_are_listed_in_the_order_of_their_connection),
        cmocka_unit_test(names_are_those_of_devices),
        ON_BRIDGE(a_burst_of_copies_is_there_again_after_a_while),
        ON_BRIDGE(what_is_for_nobody_is_dropped_as_local),
        ON_BRIDGE(copies_to_one_other_port_cost_nothing_more),
        ON_BRIDGE(a_bridge_has_no_more_ports_than_it_may),
        ON_BRIDGE(a_bridge_has_a_name),
        cmocka_unit_test(without_memory_there_is_no_bridge_and_no_port),
        ON_BRIDGE(what_the_rules_forbid_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
