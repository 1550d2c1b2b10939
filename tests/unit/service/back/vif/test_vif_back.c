/* SPDX-License-Identifier: MIT */
/* vif_back: what the back end of a network interface tells its front end and accepts of it, with
 * real rings. The states are test_xenbus_back's, the frames test_vif_tx's and test_vif_rx's. */
#include <errno.h>

#include "unit/service/back/vif/vif_back_fixture.h"

static void remake(void)
{
    xenbus_back_destroy(f->back);
    create();
}

static void the_features_are_those_of_linux_but_for_what_is_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *node, *value;
    } nodes[] = {{"feature-sg", "1"},
                 {"feature-gso-tcpv4", "1"},
                 {"feature-gso-tcpv6", "1"},
                 {"feature-ipv6-csum-offload", "1"},
                 {"feature-rx-copy", "1"},
                 {"feature-rx-flip", "0"},
                 {"feature-split-event-channels", "1"},
                 {"multi-queue-max-queues", "4"},
                 {"feature-ctrl-ring", "(none)"},
                 {"feature-multicast-control", "(none)"},
                 {"feature-xdp-headroom", "(none)"},
                 {"feature-splitdom-stamp", "(none)"},
                 {"feature-persistent", "(none)"},
                 {"hotplug-status", "(none)"},
                 {"state", "2"}};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        assert_string_equal(back_node(nodes[i].node), nodes[i].value);
    f->options.stamps = f->options.persistent = true;
    remake();
    assert_string_equal(back_node("feature-splitdom-stamp"), "1");
    assert_string_equal(back_node("feature-persistent"), "1");
}

static void note(void *ctx, const char *node, const char *value)
{
    (void)ctx;
    assert_true(f->wrote_count < NODES_MAX);
    snprintf(f->wrote[f->wrote_count++], sizeof(f->wrote[0]), "%s=%s", node, value);
}

static void expect_wrote(const char *const *expected)
{
    uint32_t i = 0;
    for (; expected[i] != NULL; i++) {
        assert_true(i < f->wrote_count);
        assert_string_equal(f->wrote[i], expected[i]);
    }
    assert_int_equal(f->wrote_count, i);
    f->wrote_count = 0;
}

/* Names and order as libxl has them (recorded from a real one), the script left out. */
static void the_toolstacks_nodes_are_libxls(void **state)
{
    (void)state;
    f->options.rate_bytes = 62500;
    f->options.rate_interval_us = 50000;
    const struct back_spec spec = {&vif_class, DEVID, &f->options};
    vif_class.front_nodes(&spec, note, NULL);
    expect_wrote(
        (const char *const[]){"handle=1", "mac=00:16:3e:00:00:06", "trusted=1", "mtu=1500", NULL});
    vif_class.back_nodes(&spec, DOMID, note, NULL);
    expect_wrote((const char *const[]){"frontend-id=3", "online=1", "state=1",
                                       "mac=00:16:3e:00:00:06", "rate=62500,50000", "bridge=xenbr0",
                                       "handle=1", "type=vif", "hotplug-status=", NULL});
    f->options.rate_bytes = 0;
    f->options.vif_name = "foo";
    f->options.mtu = 9000;
    f->options.untrusted = true;
    vif_class.front_nodes(&spec, note, NULL);
    expect_wrote(
        (const char *const[]){"handle=1", "mac=00:16:3e:00:00:06", "trusted=0", "mtu=9000", NULL});
    vif_class.back_nodes(&spec, DOMID, note, NULL);
    expect_wrote((const char *const[]){"frontend-id=3", "online=1", "state=1", "vifname=foo",
                                       "mac=00:16:3e:00:00:06", "bridge=xenbr0", "handle=1",
                                       "type=vif", "hotplug-status=", NULL});
}

/* Linux's front end goes from 1 to 4 at once. */
static void a_front_end_connects_and_exchanges_frames(void **state)
{
    (void)state;
    uint8_t bytes[60];
    struct fake_rx *got = malloc(sizeof(*got));
    assert_non_null(got);
    offer();
    go("4", XenbusStateConnected);
    assert_string_equal(back_node("hotplug-status"), "connected");
    assert_int_equal(f->joined, 1);
    fake_network_fill(bytes, sizeof(bytes), 5);
    assert_int_equal(fake_netfront_send(&f->front, bytes, sizeof(bytes), NULL, NULL), 1);
    (void)fake_netfront_post(&f->front, 8, NULL);
    turn();
    assert_int_equal(f->net.count, 1);
    assert_true(fake_network_is_frame(f->net.frame[0]->data, 60, 5));
    net_port_output(vif_back_port(f->back), f->net.frame[0], 1000);
    turn();
    assert_int_equal(fake_netfront_receive(&f->front, got), 1);
    assert_true(fake_network_is_frame(got->data, 60, 5));
    struct vif_stats stats = vif_back_stats(f->back);
    assert_int_equal(stats.tx_frames, 1);
    assert_int_equal(stats.rx_frames, 1);
    free(got);
}

static void closing_takes_the_port_off_and_counters_stay(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    struct net_frame *frame = fake_network_frame(60, 1);
    net_port_output(vif_back_port(f->back), frame, 1000);
    go("5", XenbusStateClosing);
    go("6", XenbusStateClosed);
    assert_int_equal(f->joined, 0);
    assert_null(vif_back_queue(f->back, 0));
    assert_string_equal(back_node("hotplug-status"), "(none)");
    assert_int_equal(vif_back_stats(f->back).rx_left, 1);
    net_port_output(vif_back_port(f->back), frame, 1000); /* a link may still have one for it */
    net_frame_put(frame);
    assert_int_equal(vif_back_port(f->back)->drops[NET_DROP_DISCONNECTED], 2);
    go("1", XenbusStateInitWait);
    go("4", XenbusStateConnected);
    assert_int_equal(f->joined, 1);
}

/* A kernel that crashed and started again in the same domain. */
static void who_starts_over_without_closing_is_off_the_network_until_it_connects(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    struct net_frame *frame = fake_network_frame(60, 1);
    net_port_output(vif_back_port(f->back), frame, 1000);
    net_frame_put(frame);
    go("1", XenbusStateInitWait);
    assert_int_equal(f->joined, 0);
    assert_null(vif_back_queue(f->back, 0));
    assert_int_equal(vif_back_stats(f->back).rx_left, 1);
    set_front("event-channel-tx", NULL);
    set_front_number("event-channel", (uint32_t)f->port[0]); /* another kind of kernel */
    go("4", XenbusStateConnected);
    assert_int_equal(f->joined, 1);
}

static void what_is_missing_or_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *node, *value, *what;
    } wrong[] = {
        {"tx-ring-ref", NULL, "tx-ring-ref"},
        {"rx-ring-ref", NULL, "tx-ring-ref"},
        {"tx-ring-ref", "x", "tx-ring-ref"},
        {"rx-ring-ref", "4294967296", "tx-ring-ref"},
        {"tx-ring-ref", "100000", "cannot be mapped"},
        {"rx-ring-ref", "7", "cannot be mapped"},
        {"event-channel-tx", "60", "event-channel"},
        {"event-channel-rx", NULL, "event-channel"},
        {"event-channel-tx", NULL, "event-channel"}, /* and no event-channel */
        {"event-channel-tx", "0", "event-channel"},
        {"request-rx-copy", NULL, "request-rx-copy"},
        {"request-rx-copy", "0", "request-rx-copy"},
        {"feature-sg", "99999999999", "feature"},
        {"ctrl-ring-ref", "9", "control ring"},
        {"multi-queue-num-queues", "0", "multi-queue"},
        {"multi-queue-num-queues", "5", "multi-queue"},
        {"multi-queue-num-queues", "2", "tx-ring-ref"}, /* those of queue-0 */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        offer();
        set_front(wrong[i].node, wrong[i].value);
        go("4", XenbusStateClosing);
        assert_non_null(strstr(error_node(), wrong[i].what));
        assert_int_equal(f->joined, 0);
        assert_null(list_first(&f->peer.pollables));
        set_front("multi-queue-num-queues", "1");
        if (strcmp(wrong[i].node, "ctrl-ring-ref") == 0)
            set_front("ctrl-ring-ref", NULL);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
    offer();
    go("4", XenbusStateConnected);
}

/* Old Mini-OS. */
static void who_does_not_promise_to_ring_for_pages_is_polled(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    assert_false(vif_back_queue(f->back, 0)->config.polled);
    go("6", XenbusStateClosed);
    set_front("feature-rx-notify", NULL);
    go("4", XenbusStateConnected);
    assert_true(vif_back_queue(f->back, 0)->config.polled);
}

static void what_the_front_end_takes_is_read(void **state)
{
    (void)state;
    offer();
    set_front("feature-sg", "0");
    set_front("feature-gso-tcpv6", NULL);
    set_front("feature-no-csum-offload", "1");
    set_front("feature-splitdom-stamp", "1"); /* not offered */
    set_front("feature-persistent", "1");     /* Mini-OS's says so, whatever it is offered */
    go("4", XenbusStateConnected);
    const struct vif_features *features = &vif_back_queue(f->back, 0)->config.features;
    assert_false(features->sg);
    assert_true(features->gso_tcpv4);
    assert_false(features->gso_tcpv6);
    assert_false(features->csum_ipv4);
    assert_true(features->csum_ipv6);
    assert_false(features->stamps);
    assert_false(features->persistent);
    f->options.stamps = f->options.persistent = true;
    set_front("state", "1");
    remake();
    go("4", XenbusStateConnected);
    features = &vif_back_queue(f->back, 0)->config.features;
    assert_true(features->stamps);
    assert_true(features->persistent);
    assert_int_equal(vif_back_persistent_grants(f->back), 0);
}

static void a_network_that_cannot_be_joined_is_told(void **state)
{
    (void)state;
    f->join_fails = -ENODEV;
    offer();
    go("4", XenbusStateClosing);
    assert_string_equal(back_node("hotplug-status"), "error");
    assert_string_equal(back_node("hotplug-error"), "there is no bridge xenbr0");
    assert_non_null(strstr(error_node(), "no bridge"));
    assert_null(list_first(&f->peer.pollables));
}

static void the_weight_is_the_domains(void **state)
{
    (void)state;
    assert_int_equal(vif_back_port(f->back)->weight, WEIGHT);
    f->settings.weight = 512;
    xenbus_back_configure(f->back);
    assert_int_equal(vif_back_port(f->back)->weight, 512);
}

static void a_name_of_its_own_is_the_ports(void **state)
{
    (void)state;
    f->options.vif_name = "foo";
    remake();
    offer();
    go("4", XenbusStateConnected);
    assert_string_equal(vif_back_port(f->back)->name, "foo");
}

static void set_rate(const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, "rate");
    int rc = value != NULL ? xs_local_write(f->store, path, value) : xs_local_rm(f->store, path);
    assert_int_equal(rc, 0);
    step();
}

static void assert_limit(uint32_t limits, uint64_t bytes, uint32_t interval_us)
{
    assert_int_equal(f->limits, limits);
    assert_int_equal(f->rate_bytes, bytes);
    assert_int_equal(f->rate_interval_us, interval_us);
    assert_int_equal(vif_back_options(f->back)->rate_bytes, bytes);
    assert_int_equal(vif_back_options(f->back)->rate_interval_us, interval_us);
}

/* Linux's back end watches the node, too. */
static void a_rate_that_changes_is_heard(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    set_rate("62500,50000");
    assert_limit(1, 62500, 50000);
    set_rate("62500,50000");
    assert_limit(1, 62500, 50000);
    set_rate("9223372036854775807,1");
    assert_limit(2, INT64_MAX, 1);
    set_rate(NULL);
    assert_limit(3, 0, 0);
    set_rate("1000,50000");
    set_rate("4294967295,0"); /* an interval of nothing is no limit, as in Linux */
    assert_limit(5, 0, 0);
}

static void what_is_no_rate_changes_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "x",
        "1000",
        "1000,",
        ",50000",
        "-1,50000",
        "0,50000",
        "1000,50000,1",
        "1000;50000",
        "1000,5000000000",
        "9223372036854775808,50000",
        " 1000,50000",
        "100000000000000000000000000000000000000000000000000000000,1"};
    offer();
    go("4", XenbusStateConnected);
    set_rate("62500,50000");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set_rate(wrong[i]);
        assert_limit(1, 62500, 50000);
    }
}

static void a_rate_that_changes_while_nobody_is_there_is_the_next_ones(void **state)
{
    (void)state;
    set_rate("62500,50000");
    assert_int_equal(f->limits, 0);
    assert_int_equal(vif_back_options(f->back)->rate_bytes, 62500);
    remake(); /* with the rate of its options again: the node is the toolstack's */
    step();
    assert_int_equal(vif_back_options(f->back)->rate_bytes, 62500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_features_are_those_of_linux_but_for_what_is_not_there),
        TEST(the_toolstacks_nodes_are_libxls),
        TEST(a_front_end_connects_and_exchanges_frames),
        TEST(closing_takes_the_port_off_and_counters_stay),
        TEST(who_starts_over_without_closing_is_off_the_network_until_it_connects),
        TEST(what_is_missing_or_wrong_is_refused),
        TEST(who_does_not_promise_to_ring_for_pages_is_polled),
        TEST(what_the_front_end_takes_is_read),
        TEST(a_network_that_cannot_be_joined_is_told),
        TEST(the_weight_is_the_domains),
        TEST(a_name_of_its_own_is_the_ports),
        TEST(a_rate_that_changes_is_heard),
        TEST(what_is_no_rate_changes_none),
        TEST(a_rate_that_changes_while_nobody_is_there_is_the_next_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
