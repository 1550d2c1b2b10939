/* SPDX-License-Identifier: MIT */
/* net: bridges by name, and ports that come and go. */
#include "service/net/net.h"

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
#include "service/net/link.h"

static struct net net;

static int begin(void **state)
{
    (void)state;
    return net_init(&net, 1);
}

static int end(void **state)
{
    (void)state;
    net_fini(&net);
    return 0;
}

static void bridges_have_names_of_their_own(void **state)
{
    (void)state;
    struct net_bridge *first, *second;
    assert_int_equal(net_add_bridge(&net, "xenbr0", &first), 0);
    assert_int_equal(net_add_bridge(&net, "xenbr1", &second), 0);
    assert_int_equal(net_add_bridge(&net, "xenbr0", &first), -EEXIST);
    assert_int_equal(net_add_bridge(&net, "x/y", &first), -EINVAL);
    assert_ptr_equal(net_find_bridge(&net, "xenbr1"), second);
    assert_null(net_find_bridge(&net, "nosuch"));
    assert_ptr_equal(net_next_bridge(&net, NULL), first);
    assert_ptr_equal(net_next_bridge(&net, first), second);
    assert_null(net_next_bridge(&net, second));
}

static void bridges_are_bounded(void **state)
{
    (void)state;
    struct net_bridge *bridge;
    for (int i = 0; i < NET_BRIDGES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "br%d", i);
        assert_int_equal(net_add_bridge(&net, name, &bridge), 0);
    }
    assert_int_equal(net_add_bridge(&net, "onemore", &bridge), -ENOSPC);
}

static void a_connected_port_has_an_id_and_turns(void **state)
{
    (void)state;
    struct net_bridge *bridge;
    static struct fixture_port a, b;
    const struct net_port_config config = {.mac = 0};
    fixture_init(&a, "a", 1);
    fixture_init(&b, "b", 1);
    assert_int_equal(net_add_bridge(&net, "xenbr0", &bridge), 0);
    assert_int_equal(net_connect(&net, &a.port, "nosuch", &config), -ENODEV);
    assert_int_equal(net_connect(&net, &a.port, "xenbr0", &config), 0);
    assert_int_equal(net_connect(&net, &b.port, "xenbr0", &config), 0);
    assert_true(a.port.id != 0 && a.port.id != b.port.id);
    uint32_t id = a.port.id;
    net_turns_ready(&a.port);
    assert_true(net_turns_waits(&net.turns));
    net_disconnect(&a.port);
    net_disconnect(&a.port); /* nothing more happens */
    assert_false(net_turns_waits(&net.turns));
    assert_int_equal(net_connect(&net, &a.port, "xenbr0", &config), 0);
    assert_int_equal(a.port.id, id);
    net_disconnect(&a.port);
    net_disconnect(&b.port);
}

static void a_port_is_found_by_its_name_on_any_bridge(void **state)
{
    (void)state;
    struct net_bridge *bridge;
    static struct fixture_port ports[3];
    static const char *const names[] = {"a", "b", "c"};
    const struct net_port_config config = {.mac = 0};
    assert_int_equal(net_add_bridge(&net, "empty", &bridge), 0);
    assert_int_equal(net_add_bridge(&net, "xenbr0", &bridge), 0);
    assert_int_equal(net_add_bridge(&net, "xenbr1", &bridge), 0);
    assert_null(net_find_port(&net, "a"));
    for (int i = 0; i < 3; i++) {
        fixture_init(&ports[i], names[i], 1);
        assert_int_equal(net_connect(&net, &ports[i].port, i < 2 ? "xenbr0" : "xenbr1", &config),
                         0);
    }
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(net_find_port(&net, names[i]), &ports[i].port);
    assert_null(net_find_port(&net, "d"));
    net_disconnect(&ports[1].port);
    assert_null(net_find_port(&net, "b"));
    net_disconnect(&ports[0].port);
    net_disconnect(&ports[2].port);
}

/* Rules name ports: the network finds them, whichever network it is. */
static void rules_find_the_ports_of_their_network(void **state)
{
    (void)state;
    struct net_bridge *bridge;
    struct fixture_port port;
    const struct net_port_config config = {.mac = 2};
    fixture_init(&port, "vif1.0", 256);
    assert_int_equal(net_add_bridge(&net, "xenbr0", &bridge), 0);
    assert_int_equal(net_connect(&net, &port.port, "xenbr0", &config), 0);
    assert_ptr_equal(net.rules.find_port(net.rules.ctx, "vif1.0"), &port.port);
    assert_null(net.rules.find_port(net.rules.ctx, "vif2.0"));
    net_disconnect(&port.port);
}

/* A mirror whose frames went to the next bridge, where they meet the same rule, would never end. */
static void a_mirror_is_an_interface_and_no_way_to_a_bridge(void **state)
{
    (void)state;
    static struct fixture_port ports[2];
    static struct net_link link_of_bridges;
    static struct tdf_source source;
    static struct tdf_clock clock;
    static struct timers timers;
    static struct timer_clock time;
    const struct net_port_config config = {.mac = 0};
    const struct net_pipe_config pipes[NET_WAYS] = {{.delay_ns = 1000}, {.delay_ns = 1000}};
    struct net_bridge *bridges[2];
    struct why why;
    uint32_t id;
    assert_int_equal(tdf_source_manual(&source, 1000000000, 1000000, 0), 0);
    assert_int_equal(tdf_clock_init(&clock, &source, NULL, 0, (struct tdf){1, 1}), 0);
    timers_init(&timers);
    timers_add_clock(&timers, &time, &clock);
    for (int i = 0; i < 2; i++) {
        fixture_init(&ports[i], i == 0 ? "vif1.0" : "vif2.0", 256);
        assert_int_equal(net_add_bridge(&net, i == 0 ? "xenbr0" : "xenbr1", &bridges[i]), 0);
        assert_int_equal(net_connect(&net, &ports[i].port, bridges[i]->name, &config), 0);
    }
    net_link_init(&link_of_bridges, pipes);
    assert_int_equal(net_link_join(&link_of_bridges, bridges[0], bridges[1], &time), 0);
    assert_int_equal(net_rules_add(&net.rules, "mirror=to-xenbr1", 0, &id, &why), 0);
    fixture_send(&ports[0], UINT64_C(0xffffffffffff), 2, tdf_clock_now_ns(&clock));
    for (int i = 0; i < 10; i++) {
        tdf_source_advance_ns(&source, 1000);
        (void)timers_run(&timers);
    }
    assert_int_equal(ports[1].count, 1);
    assert_int_equal(link_of_bridges.way[NET_WAY_UP].pipe.stats.in.frames, 1);
    net_link_take_out(&link_of_bridges);
    for (int i = 0; i < 2; i++) {
        fixture_clear(&ports[i]);
        net_disconnect(&ports[i].port);
    }
    timers_drop_clock(&timers, &time);
}

static int make(void *unused)
{
    struct net other;
    struct net_bridge *bridge;
    (void)unused;
    int rc = net_init(&other, 1);
    if (rc == 0)
        rc = net_add_bridge(&other, "xenbr0", &bridge);
    if (rc < 0)
        assert_int_equal(other.bridge_count, 0);
    net_fini(&other);
    return rc;
}

static void without_memory_there_is_no_network(void **state)
{
    (void)state;
    assert_true(fault_walk(make, NULL) >= 3);
}

#define IN_NET(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NET(bridges_have_names_of_their_own),
        IN_NET(bridges_are_bounded),
        IN_NET(a_connected_port_has_an_id_and_turns),
        IN_NET(a_port_is_found_by_its_name_on_any_bridge),
        IN_NET(rules_find_the_ports_of_their_network),
        IN_NET(a_mirror_is_an_interface_and_no_way_to_a_bridge),
        IN_NET(without_memory_there_is_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
