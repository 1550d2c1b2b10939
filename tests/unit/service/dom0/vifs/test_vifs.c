/* SPDX-License-Identifier: MIT */
/* vifs: what a vif gets that its words leave open, and whose is whose. */
#include "service/dom0/vifs/vifs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "service/dom0/vifs/vif_links.h"
#include "service/net/mac.h"

static struct tdf_source source;
static struct tdf_clock clock_of_domain;
static struct timers timers;
static struct tdf_clock real_clock;
static struct timer_clock real_time;
static struct vifs vifs;
static struct why why;

static uint64_t secret = 7;

static int begin(void **state)
{
    (void)state;
    const struct tdf one = {1, 1};
    struct net_bridge *bridge;
    timers_init(&timers);
    if (tdf_source_manual(&source, 1000000000, 1000000, 0) < 0 ||
        tdf_clock_init(&clock_of_domain, &source, NULL, 0, one) < 0 ||
        tdf_clock_init(&real_clock, &source, NULL, 0, one) < 0)
        return -1;
    timers_add_clock(&timers, &real_time, &real_clock);
    if (vifs_init(&vifs, &(struct vifs_config){.timers = &timers,
                                               .real_time = &real_time,
                                               .close_watch_ns = 50000,
                                               .seed = secret,
                                               .address_seed = 5}) < 0)
        return -1;
    if (net_add_bridge(&vifs.net, "xenbr0", &bridge) < 0 ||
        net_add_bridge(&vifs.net, "xenbr1", &bridge) < 0)
        return -1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    while (vifs_next(&vifs, NULL) != NULL)
        vifs_release((struct vifs_use *)vifs_next(&vifs, NULL));
    vifs_fini(&vifs);
    return 0;
}

static pid_t pid; /* of the next domain's process */

static int prepare(domid_t domid, uint32_t devid, const char *words, bool soft,
                   struct vifs_use **out)
{
    struct vif_spec spec;
    assert_int_equal(vif_spec_parse(words, &spec, &why), 0);
    const struct vifs_owner owner = {domid, pid, &clock_of_domain};
    return vifs_prepare(&vifs, &owner, devid, &spec, soft, out, &why);
}

static struct vifs_use *made(domid_t domid, uint32_t devid, const char *words)
{
    struct vifs_use *use;
    assert_int_equal(prepare(domid, devid, words, false, &use), 0);
    return use;
}

static void addresses_are_xens_and_each_its_own(void **state)
{
    (void)state;
    static uint8_t seen[1000][NET_MAC_BYTES];
    for (uint32_t i = 0; i < 1000; i++) {
        struct vifs_use *use = made(1, i, "");
        assert_true(net_mac_get(use->options.mac) >> 23 == UINT64_C(0x00163e) << 1);
        memcpy(seen[i], use->options.mac, NET_MAC_BYTES);
        for (uint32_t k = 0; k < i; k++)
            assert_memory_not_equal(seen[k], seen[i], NET_MAC_BYTES);
    }
}

/* At the next Dom0, too, which has other domain numbers and secrets. */
static void a_process_keeps_its_addresses(void **state)
{
    uint8_t first[3][NET_MAC_BYTES], other[NET_MAC_BYTES];
    pid = 4711;
    for (uint32_t i = 0; i < 3; i++)
        memcpy(first[i], made(1, i, "")->options.mac, NET_MAC_BYTES);
    memcpy(other, made(2, 0, "")->options.mac, NET_MAC_BYTES); /* the same process again */
    assert_memory_not_equal(first[0], first[1], NET_MAC_BYTES);
    assert_memory_not_equal(first[0], other, NET_MAC_BYTES);
    end(state);
    secret = 99;
    begin(state);
    for (uint32_t i = 3; i-- > 0;)
        assert_memory_equal(made(7, i, "")->options.mac, first[i], NET_MAC_BYTES);
    assert_memory_equal(made(6, 0, "")->options.mac, other, NET_MAC_BYTES);
    pid = 4712;
    assert_memory_not_equal(made(8, 0, "")->options.mac, first[0], NET_MAC_BYTES);
    pid = 0;
}

static void an_address_is_given_once(void **state)
{
    (void)state;
    struct vifs_use *use;
    (void)made(1, 0, "mac=00:16:3e:00:00:01");
    assert_int_equal(prepare(2, 0, "mac=00:16:3e:00:00:01", false, &use), -EEXIST);
    assert_null(use);
    /* What every domain gets is softer: the second one has another address. */
    assert_int_equal(prepare(2, 0, "mac=00:16:3e:00:00:01,vifname=foo", true, &use), 0);
    assert_true(net_mac_get(use->options.mac) != UINT64_C(0x00163e000001));
    assert_int_equal(prepare(3, 0, "vifname=foo", true, &use), 0);
    assert_string_equal(use->name, "vif3.0");
    assert_null(use->options.vif_name);
}

static void a_name_is_given_once(void **state)
{
    (void)state;
    struct vifs_use *use;
    (void)made(1, 0, "vifname=foo");
    assert_int_equal(prepare(2, 0, "vifname=foo", false, &use), -EEXIST);
    (void)made(1, 1, "vifname=vif2.0");
    assert_int_equal(prepare(2, 0, "", false, &use), -EEXIST);
}

static void the_first_bridge_is_the_default(void **state)
{
    (void)state;
    struct vifs_use *use;
    assert_string_equal(made(1, 0, "")->options.bridge, "xenbr0");
    assert_string_equal(made(1, 1, "bridge=xenbr1")->options.bridge, "xenbr1");
    assert_int_equal(prepare(1, 2, "bridge=nosuch", false, &use), -ENODEV);
    assert_string_equal(why.text, "Could not find bridge device nosuch");
}

static void numbers_count_on_from_the_greatest(void **state)
{
    (void)state;
    assert_int_equal(vifs_next_devid(&vifs, 1), 0);
    struct vifs_use *first = made(1, 0, "");
    (void)made(1, 5, "");
    (void)made(2, 9, "");
    assert_int_equal(vifs_next_devid(&vifs, 1), 6);
    vifs_release(first);
    assert_int_equal(vifs_next_devid(&vifs, 1), 6);
}

static void behind_the_last_number_comes_the_least_free_one(void **state)
{
    (void)state;
    (void)made(1, 0, "");
    (void)made(1, 2, "");
    (void)made(1, VIF_DEVID_MAX, "");
    assert_int_equal(vifs_next_devid(&vifs, 1), 1);
    (void)made(1, 1, "");
    assert_int_equal(vifs_next_devid(&vifs, 1), 3);
}

static void a_vif_is_found_by_number_address_and_name(void **state)
{
    (void)state;
    struct vifs_use *use = made(1, 3, "mac=00:16:3e:00:00:0a,vifname=foo");
    assert_ptr_equal(vifs_find(&vifs, 1, "3"), use);
    assert_ptr_equal(vifs_find(&vifs, 1, "0:16:3E:0:0:a"), use);
    assert_null(vifs_find(&vifs, 1, "9"));
    assert_null(vifs_find(&vifs, 2, "3"));
    assert_null(vifs_find(&vifs, 1, "foo"));
    assert_ptr_equal(vifs_find_name(&vifs, "foo"), use);
    assert_null(vifs_find_name(&vifs, "vif1.3"));
}

static void deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    (void)port;
    (void)frame;
    (void)at_ns;
}

static uint32_t take(struct net_port *port, uint32_t budget_bytes)
{
    (void)port;
    return budget_bytes;
}

static void joining_connects_guards_and_limits(void **state)
{
    (void)state;
    static const struct net_port_ops ops = {.deliver = deliver, .take = take};
    struct vifs_use *use = made(1, 0, "mac=00:16:3e:00:00:01,rate=8Mb/s@1ms,ip=10.0.0.1");
    struct net_port port;
    const char *what = "";
    net_port_init(&port, &ops, use->name, 1);
    const struct vif_network *network = use->options.network;
    assert_int_equal(network->join(use, &port, NULL, &use->options, &what), 0);
    assert_ptr_equal(use->port, &port);
    assert_string_equal(net_port_bridge(&port)->name, "xenbr0");
    assert_true(port.member->config.guard.mac_only);
    assert_true(port.member->config.guard.mac == UINT64_C(0x00163e000001));
    assert_int_equal(port.member->config.guard.address_count, 1);
    assert_true(port.member->config.mac == UINT64_C(0x00163e000001));
    assert_int_equal(port.credit.bytes, 1000);
    net_turns_ready(&port);
    (void)net_turns_run(&vifs.net.turns);
    assert_true(port.refill.state != TIMER_STOPPED); /* its credit is used up */
    network->leave(use, &port);
    assert_null(use->port);
    assert_null(net_port_bridge(&port));
}

/* The loop looks at a domain's clock for as long as there is a rate. */
static void a_rate_comes_changes_and_goes(void **state)
{
    (void)state;
    static const struct net_port_ops ops = {.deliver = deliver, .take = take};
    struct vifs_use *use = made(1, 0, "");
    struct net_port port;
    const char *what = "";
    net_port_init(&port, &ops, use->name, 1);
    const struct vif_network *network = use->options.network;
    struct vif_options options = use->options;
    assert_int_equal(network->join(use, &port, NULL, &options, &what), 0);
    assert_false(list_is_linked(&use->credit_time.link));
    for (int i = 0; i < 2; i++) {
        options.rate_bytes = 1000 + (uint64_t)i;
        options.rate_interval_us = 1000;
        network->limit(use, &port, &options);
        assert_true(list_is_linked(&use->credit_time.link));
        assert_int_equal(port.credit.bytes, options.rate_bytes);
        net_turns_ready(&port);
        (void)net_turns_run(&vifs.net.turns);
        assert_true(port.refill.state != TIMER_STOPPED);
    }
    options.rate_bytes = 0;
    network->limit(use, &port, &options);
    assert_false(list_is_linked(&use->credit_time.link));
    assert_true(net_turns_waits(&vifs.net.turns)); /* what waited for credit goes on */
    network->leave(use, &port);
    options.rate_bytes = 1000;
    assert_int_equal(network->join(use, &port, NULL, &options, &what), 0);
    network->leave(use, &port);
    assert_true(list_is_linked(&use->credit_time.link));
}

static void the_last_number_is_one_too(void **state)
{
    (void)state;
    (void)made(1, VIF_DEVID_MAX - 1, "");
    assert_int_equal(vifs_next_devid(&vifs, 1), VIF_DEVID_MAX);
}

static void a_link_goes_along_with_its_interface(void **state)
{
    (void)state;
    static const struct net_port_ops ops = {.deliver = deliver, .take = take};
    struct vifs_use *use = made(1, 0, "");
    struct net_port port;
    const char *what = "";
    char *answer = NULL;
    assert_int_equal(vif_links_command(&vifs, "vif1.0 delay=1ms", &answer, &why), 0);
    net_port_init(&port, &ops, use->name, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(use->options.network->join(use, &port, NULL, &use->options, &what), 0);
        assert_non_null(port.down);
        use->options.network->leave(use, &port);
        assert_null(port.down);
    }
    assert_int_equal(use->options.network->join(use, &port, NULL, &use->options, &what), 0);
    vifs_drop_link(use);
    assert_null(port.down);
    assert_null(use->link);
    use->options.network->leave(use, &port);
    free(answer);
}

static void a_bridge_that_cannot_be_joined_is_told(void **state)
{
    (void)state;
    static const struct net_port_ops ops = {.deliver = deliver, .take = take};
    struct vifs_use *use = made(1, 0, "");
    struct net_port port;
    const char *what = "";
    net_port_init(&port, &ops, use->name, 1);
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(use->options.network->join(use, &port, NULL, &use->options, &what), -ENOMEM);
    fault_disarm();
    assert_string_equal(what, "its bridge cannot be joined");
    assert_null(use->port);
}

/* What joins bridges ends with them. */
static void trunks_end_with_the_network(void **state)
{
    char *answer = NULL;
    end(state);
    int64_t blocks = fault_live_blocks();
    begin(state);
    assert_int_equal(vif_links_command(&vifs, "xenbr0 xenbr1 delay=1ms", &answer, &why), 0);
    assert_int_equal(net_find_bridge(&vifs.net, "xenbr0")->port_count, 1);
    end(state);
    assert_int_equal(fault_live_blocks(), blocks);
    begin(state);
    free(answer);
}

static int make(void *unused)
{
    struct vifs_use *use;
    (void)unused;
    int rc = prepare(1, 0, "", false, &use);
    if (rc == 0)
        vifs_release(use);
    return rc;
}

static void without_memory_there_is_no_interface(void **state)
{
    (void)state;
    assert_true(fault_walk(make, NULL) >= 1);
    assert_null(vifs_next(&vifs, NULL));
}

#define WITH_VIFS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VIFS(addresses_are_xens_and_each_its_own),
        WITH_VIFS(a_process_keeps_its_addresses),
        WITH_VIFS(an_address_is_given_once),
        WITH_VIFS(a_name_is_given_once),
        WITH_VIFS(the_first_bridge_is_the_default),
        WITH_VIFS(numbers_count_on_from_the_greatest),
        WITH_VIFS(behind_the_last_number_comes_the_least_free_one),
        WITH_VIFS(a_vif_is_found_by_number_address_and_name),
        WITH_VIFS(joining_connects_guards_and_limits),
        WITH_VIFS(a_rate_comes_changes_and_goes),
        WITH_VIFS(the_last_number_is_one_too),
        WITH_VIFS(a_link_goes_along_with_its_interface),
        WITH_VIFS(a_bridge_that_cannot_be_joined_is_told),
        WITH_VIFS(trunks_end_with_the_network),
        WITH_VIFS(without_memory_there_is_no_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
