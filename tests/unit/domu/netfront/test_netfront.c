/* SPDX-License-Identifier: MIT */
/* netfront: options, opening and closing, what it knows of the interface. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"

static struct netfront_rig rig;
static struct netfront_options options;
static struct netfront_info info;
static char found[5][64]; /* nodes of the front end, once */
static atomic_bool has_looked;

static int setup(void **state)
{
    (void)state;
    options = (struct netfront_options){.size = sizeof(options)};
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static void an_interface_needs_a_page_for_each_slot_and_ring(void **state)
{
    (void)state;
    assert_int_equal(netfront_pages(&options), 514);
    options.tx_slots = 32;
    options.rx_slots = 64;
    assert_int_equal(netfront_pages(&options), 98);
    options.rx_slots = 16;
    assert_int_equal(netfront_pages(&options), 0);
    options.rx_slots = 512;
    assert_int_equal(netfront_pages(&options), 0);
    options.rx_slots = 48;
    assert_int_equal(netfront_pages(&options), 0);
    options = (struct netfront_options){.size = 0};
    assert_int_equal(netfront_pages(&options), 0);
}

static void what_the_toolstack_says_is_known(void **state)
{
    (void)state;
    rig.vif.mac = "00:16:3E:00:aF:01";
    rig.vif.mtu = "9000";
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    netfront_info(rig.nf, &info);
    assert_memory_equal(info.mac, "\x00\x16\x3e\x00\xaf\x01", 6);
    assert_int_equal(info.mtu_bytes, 9000);
    assert_true(info.link_up);
    assert_true(info.scatter_gather && info.gso_tcpv4 && info.gso_tcpv6 && info.ipv6_checksum);
    assert_false(info.stamps);
    assert_int_equal(info.domid, domu_domid(rig.domu));
    assert_string_equal(netfront_failure(rig.nf), "");
}

static void without_a_word_frames_carry_1500_bytes(void **state)
{
    (void)state;
    rig.vif.mtu = "nonsense";
    rig.vif.no_sg = rig.vif.no_gso = rig.vif.stamps = true;
    rig.vif.carrier = "0";
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    netfront_info(rig.nf, &info);
    assert_int_equal(info.mtu_bytes, 1500);
    assert_false(info.link_up);
    assert_false(info.scatter_gather || info.gso_tcpv4 || info.gso_tcpv6 || info.ipv6_checksum);
    assert_true(info.stamps);
}

static void stamps_can_be_refused(void **state)
{
    (void)state;
    rig.vif.stamps = true;
    options.no_stamps = true;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    netfront_info(rig.nf, &info);
    assert_false(info.stamps);
}

static void keep_nodes(struct fake_netback *vif)
{
    static const char *const nodes[] = {"feature-no-csum-offload", "feature-gso-tcpv4",
                                        "feature-gso-tcpv6", "feature-ipv6-csum-offload",
                                        "feature-persistent"};
    if (!vif->connected || atomic_load(&has_looked))
        return;
    for (size_t i = 0; i < 5; i++)
        fake_netback_front_node(vif, nodes[i], found[i]);
    atomic_store(&has_looked, true);
}

static void check_nodes(const char *no_checksums, const char *others)
{
    atomic_store(&has_looked, false);
    rig.vif.idle = keep_nodes;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    do {
        fake_dom0_wake(rig.dom0);
        sched_yield();
    } while (!atomic_load(&has_looked));
    assert_string_equal(found[0], no_checksums);
    for (size_t i = 1; i < 4; i++)
        assert_string_equal(found[i], others);
}

static void frames_may_come_unfinished(void **state)
{
    (void)state;
    check_nodes("", "1");
    assert_string_equal(found[4], "");
}

static void pages_stay_granted_where_that_is_offered(void **state)
{
    (void)state;
    rig.vif.persistent = true;
    check_nodes("", "1");
    assert_string_equal(found[4], "1");
}

static void finished_frames_can_be_asked_for(void **state)
{
    (void)state;
    options.no_offload = true;
    check_nodes("1", "0");
}

static void carry_nothing(struct fake_netback *vif)
{
    fake_netback_node(vif, "carrier", "0");
    fake_dom0_pump(vif->dom0);
}

static void the_link_goes_down_when_dom0_says_so(void **state)
{
    (void)state;
    rig.vif.carrier = "1";
    rig.vif.idle = carry_nothing;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    fake_dom0_wake(rig.dom0);
    do {
        netfront_info(rig.nf, &info);
        sched_yield();
    } while (info.link_up);
}

static void an_address_that_is_none_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "00:16:3e:00:00",
                                        "00:16:3e:00:00:0g",
                                        "00-16-3e-00-00-01",
                                        "00:16:3e:00:00:01:02",
                                        "00:00:00:00:00:00",
                                        "ff:ff:ff:ff:ff:ff",
                                        "01:00:5e:00:00:01",
                                        "00:16:3e:00:00:01junk"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        rig.vif.mac = wrong[i];
        rig_start(&rig);
        assert_true(rig_open(&rig, &options, false) < 0);
        assert_non_null(strstr(rig.why.text, "address"));
        domu_close(rig.domu);
        rig.domu = NULL;
        rig_die(&rig);
    }
}

static void a_back_end_without_a_channel_each_way_is_refused(void **state)
{
    (void)state;
    rig.vif.no_split = true;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), -EOPNOTSUPP);
    assert_non_null(strstr(rig.why.text, "feature-split-event-channels"));
    assert_null(rig.nf);
}

static void refused_rings_are_told(void **state)
{
    (void)state;
    rig.vif.refuse = true;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), -ECONNREFUSED);
    assert_int_equal(fake_dom0_closed_ports(rig.dom0), 2);
}

static void pages_are_given_back_once(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    for (int i = 0; i < 2; i++) {
        netfront_memory_give(rig.nf);
        assert_int_equal(rig.nf->nr_pages, 0);
        assert_int_equal(rig.nf->queue[0].tx.vcpu + rig.nf->queue[0].rx.vcpu, 0);
    }
}

static void an_interface_that_is_not_there_is_told(void **state)
{
    (void)state;
    options.devid = 1;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), -ENODEV);
    options.devid = NETFRONT_DEVID_MAX + 1;
    assert_int_equal(netfront_open(rig.domu, &options, &rig.nf, &rig.why), -EINVAL);
}

static void an_interface_is_open_once_at_a_time(void **state)
{
    struct netfront *second;
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    assert_int_equal(netfront_open(rig.domu, &options, &second, NULL), -EBUSY);
    assert_null(second);
    for (int i = 0; i < 3; i++) { /* all of its pages, references and ports come back */
        netfront_close(rig.nf);
        assert_int_equal(netfront_open(rig.domu, &options, &rig.nf, &rig.why), 0);
    }
}

static void a_domain_that_is_too_small_is_told(void **state)
{
    const struct domu_options domain = {
        .size = sizeof(domain), .rundir = rig.base, .name = "fake", .pages = 513};
    (void)state;
    rig_start(&rig);
    assert_int_equal(domu_open(&domain, &rig.domu, NULL), 0);
    assert_int_equal(netfront_open(rig.domu, &options, &rig.nf, &rig.why), -ENOSPC);
    assert_non_null(strstr(rig.why.text, "514 pages"));
}

/* Nor is it taken for another one, of that domain or of another kind. */
static void interfaces_are_told_apart_by_their_numbers(void **state)
{
    struct netfront *second;
    (void)state;
    rig_start(&rig);
    options.tx_slots = options.rx_slots = 32;
    assert_int_equal(rig_open(&rig, &options, false), 0);
    options.devid = 1;
    assert_int_equal(netfront_open(rig.domu, &options, &second, &rig.why), -ENODEV);
    options.devid = NETFRONT_DEVID_MAX + 1;
    assert_int_equal(netfront_open(rig.domu, &options, &second, &rig.why), -EINVAL);
    assert_string_equal(rig.why.text, "an interface has a number up to 65535, 65536 was asked for");
}

static void statistics_are_of_both_directions(void **state)
{
    struct netfront_statistics sum;
    (void)state;
    rig_start(&rig);
    options.tx_slots = options.rx_slots = 32;
    assert_int_equal(rig_open(&rig, &options, false), 0);
    struct netfront *nf = rig.nf;
    struct netfront_queue *q = &nf->queue[0];
    pthread_mutex_lock(&q->tx.lock);
    q->tx.kicks += 10, q->tx.upcalls += 20, q->tx.spins_won += 30, q->tx.spins_lost += 40;
    pthread_mutex_unlock(&q->tx.lock);
    pthread_mutex_lock(&q->rx.lock);
    q->rx.kicks += 1, q->rx.upcalls += 2, q->rx.spins_won += 3, q->rx.spins_lost += 4;
    pthread_mutex_unlock(&q->rx.lock);
    netfront_statistics(nf, &sum);
    assert_int_equal(sum.kicks, q->tx.kicks + q->rx.kicks);
    assert_int_equal(sum.upcalls, 22);
    assert_int_equal(sum.spins_won, 33);
    assert_int_equal(sum.spins_lost, 44);
    assert_true(sum.kicks >= 11);
    assert_int_equal(sum.reconnects, 0);
    nf->reconnects = 5;
    netfront_statistics(nf, &sum);
    assert_int_equal(sum.reconnects, 5);
}

static void each_counter_is_told_under_its_own_name(void **state)
{
    struct netfront_statistics sum;
    (void)state;
    rig_start(&rig);
    options.tx_slots = options.rx_slots = 32;
    assert_int_equal(rig_open(&rig, &options, false), 0);
    struct netfront_queue *q = &rig.nf->queue[0];
    pthread_mutex_lock(&q->tx.lock);
    q->tx_count.frames = 1, q->tx_count.bytes = 2, q->tx_count.errors = 3;
    q->tx_count.dropped = 4, q->tx_count.lost = 5, q->tx_count.waits = 6;
    pthread_mutex_unlock(&q->tx.lock);
    pthread_mutex_lock(&q->rx.lock);
    q->rx_count.frames = 7, q->rx_count.bytes = 8, q->rx_count.errors = 9;
    q->rx_count.truncated = 10, q->rx_count.slots = 11;
    pthread_mutex_unlock(&q->rx.lock);
    netfront_statistics(rig.nf, &sum);
    assert_true(sum.tx_frames == 1 && sum.tx_bytes == 2 && sum.tx_errors == 3);
    assert_true(sum.tx_dropped == 4 && sum.tx_lost == 5 && sum.tx_waits == 6);
    assert_true(sum.rx_frames == 7 && sum.rx_bytes == 8 && sum.rx_errors == 9);
    assert_true(sum.rx_truncated == 10 && sum.rx_slots == 11);
}

static void the_bounds_of_slots_and_queues_are_allowed(void **state)
{
    (void)state;
    options.tx_slots = options.rx_slots = 256;
    options.queues = NETFRONT_QUEUES_MAX;
    options.devid = NETFRONT_DEVID_MAX;
    assert_int_equal(netfront_pages(&options), NETFRONT_QUEUES_MAX * 514);
    options.queues++;
    assert_int_equal(netfront_pages(&options), 0);
    options.queues = 1;
    options.devid++;
    assert_int_equal(netfront_pages(&options), 0);
    options.devid = 0;
    options.tx_slots = 48;
    assert_int_equal(netfront_pages(&options), 0);
    options.tx_slots = 512;
    assert_int_equal(netfront_pages(&options), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_interface_needs_a_page_for_each_slot_and_ring, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_toolstack_says_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_word_frames_carry_1500_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(stamps_can_be_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_may_come_unfinished, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_stay_granted_where_that_is_offered, setup, teardown),
        cmocka_unit_test_setup_teardown(finished_frames_can_be_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(the_link_goes_down_when_dom0_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_is_none_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_back_end_without_a_channel_each_way_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refused_rings_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interface_that_is_not_there_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interface_is_open_once_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_that_is_too_small_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(interfaces_are_told_apart_by_their_numbers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(statistics_are_of_both_directions, setup, teardown),
        cmocka_unit_test_setup_teardown(each_counter_is_told_under_its_own_name, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bounds_of_slots_and_queues_are_allowed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pages_are_given_back_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
