/* SPDX-License-Identifier: MIT */
/* vif_back: what the back end of a network interface tells its front end and accepts of it, with
 * real rings. The states are test_xenbus_back's, the frames test_vif_tx's and test_vif_rx's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_netfront.h"
#include "fakes/fake_network.h"
#include "ring/gnttab.h"
#include "service/back/evtchn_table.h"
#include "service/back/vif/vif_back.h"

enum { DOMID = 3, DEVID = 1, MAX_QUEUES = 4, WEIGHT = 300, NODES_MAX = 32 };

static const struct xenbus_key key = {"vif", DOMID, DEVID};

struct fixture {
    struct fake_netfront front;
    struct fake_network net;
    int join_fails;
    uint32_t joined;
    struct log *log;
    struct log_limit log_limit;
    struct xs_server *store;
    struct evtchn_table evtchn;
    int port[2];
    struct pollables loop;
    struct poll_peer peer;
    struct tdf_source time;
    struct tdf_clock clock;
    struct tdf tdf;
    struct back_host host;
    struct back_settings settings;
    struct back_domain domain;
    struct vif_options options;
    struct xenbus_back *back;
    char wrote[NODES_MAX][80]; /* what the toolstack would have */
    uint32_t wrote_count;
};

static struct fixture *f;

static void lost(void *ctx)
{
    (void)ctx;
    fail_msg("the domain was given up");
}

static void gone(void *ctx, struct xenbus_back *back)
{
    (void)ctx;
    (void)back;
    fail_msg("the device was taken away");
}

static int join(void *ctx, struct net_port *port, const struct back_domain *domain,
                const struct vif_options *options, const char **what)
{
    assert_ptr_equal(ctx, &f->net);
    assert_ptr_equal(domain, &f->domain);
    assert_string_equal(options->bridge, "xenbr0");
    assert_string_equal(port->name, options->vif_name != NULL ? options->vif_name : "vif3.1");
    assert_int_equal(port->weight, f->settings.weight);
    if (f->join_fails < 0) {
        *what = "there is no bridge xenbr0";
        return f->join_fails;
    }
    fake_network_join(&f->net, port);
    f->joined++;
    return 0;
}

static void leave(void *ctx, struct net_port *port)
{
    assert_ptr_equal(ctx, &f->net);
    fake_network_leave(port);
    f->joined--;
}

static const struct vif_network network = {.join = join, .leave = leave};

/* Lets the back end see what happened. */
static void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static void set_front(const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &key, node);
    int rc = value != NULL ? xs_local_write(f->store, path, value) : xs_local_rm(f->store, path);
    assert_int_equal(rc, 0);
}

static void set_front_number(const char *node, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    set_front(node, text);
}

static const char *back_node(const char *node)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static const char *error_node(void)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_error_path(path, &key);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static void go(const char *state, enum xenbus_state expected)
{
    set_front("state", state);
    step();
    assert_int_equal(f->back->state, expected);
    assert_int_equal(atoi(back_node("state")), (int)expected);
}

static void create(void)
{
    const struct back_spec spec = {&vif_class, DEVID, &f->options};
    const struct back_owner owner = {.lost = lost, .gone = gone};
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, "online");
    assert_int_equal(xs_local_write(f->store, path, "1"), 0);
    set_front("state", "1");
    assert_int_equal(xenbus_back_create(&f->host, &f->domain, &spec, &owner, &f->back), 0);
    step();
}

/* As Linux's front end with one queue and two ports. */
static void offer(void)
{
    set_front_number("tx-ring-ref", FAKE_NETFRONT_TX_RING_REF);
    set_front_number("rx-ring-ref", FAKE_NETFRONT_RX_RING_REF);
    set_front_number("event-channel-tx", (uint32_t)f->port[0]);
    set_front_number("event-channel-rx", (uint32_t)f->port[1]);
    set_front("request-rx-copy", "1");
    set_front("feature-rx-notify", "1");
    set_front("feature-sg", "1");
    set_front("feature-gso-tcpv4", "1");
    set_front("feature-gso-tcpv6", "1");
    set_front("feature-ipv6-csum-offload", "1");
}

static int make_domain(void)
{
    if (fake_netfront_open(&f->front, DOMID, 0) < 0 ||
        tdf_source_manual(&f->time, 1000000000, 1000, 0) < 0 ||
        tdf_clock_init(&f->clock, &f->time, NULL, 0, (struct tdf){1, 1}) < 0)
        return -1;
    evtchn_table_reserve(&f->evtchn, SEGMENT_STORE_EVTCHN, 0);
    for (int i = 0; i < 2; i++)
        f->port[i] = evtchn_table_alloc(&f->evtchn, 1);
    poll_peer_init(&f->peer, f->front.segment.hints);
    f->tdf = (struct tdf){1, 1};
    f->settings = (struct back_settings){.weight = WEIGHT, .disk_scale = {1, 1}};
    f->domain = (struct back_domain){.domid = DOMID,
                                     .segment = &f->front.segment,
                                     .fault_slot = -1,
                                     .evtchn = &f->evtchn,
                                     .clock = &f->clock,
                                     .tdf = &f->tdf,
                                     .peer = &f->peer,
                                     .settings = &f->settings};
    return 0;
}

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || make_domain() < 0 ||
        log_open(&(struct log_options){.path = "/dev/null"}, &f->log) < 0 ||
        xs_server_create(NULL, &f->store) < 0 || xs_server_introduce(f->store, DOMID) < 0)
        return -1;
    f->host = (struct back_host){
        .store = f->store, .log = f->log, .log_limit = &f->log_limit, .pollables = &f->loop};
    f->loop.no_spin = true;
    fake_network_open(&f->net);
    f->options = (struct vif_options){.network = &network,
                                      .network_ctx = &f->net,
                                      .mac = {0, 0x16, 0x3e, 0, 0, 6},
                                      .bridge = "xenbr0",
                                      .max_queues = MAX_QUEUES};
    create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xenbus_back_destroy(f->back);
    assert_int_equal(f->joined, 0);
    fake_network_close(&f->net);
    xs_server_destroy(f->store);
    log_close(f->log);
    /* Dom0 holds nothing of the domain any more. */
    for (uint32_t ref = 8; ref < f->front.segment.nr_grant_entries; ref++)
        assert_int_equal(f->front.segment.gnttab[ref].flags & (GTF_reading | GTF_writing), 0);
    fake_netfront_close(&f->front);
    free(f);
    return 0;
}

static void remake(void)
{
    xenbus_back_destroy(f->back);
    create();
}

static void turn(void)
{
    do {
        (void)pollables_turn(&f->loop, 1000);
        fake_network_run(&f->net);
    } while (!pollables_settle(&f->loop, 1000));
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
                 {"hotplug-status", "(none)"},
                 {"state", "2"}};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        assert_string_equal(back_node(nodes[i].node), nodes[i].value);
    f->options.stamps = true;
    remake();
    assert_string_equal(back_node("feature-splitdom-stamp"), "1");
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
        {"feature-rx-notify", NULL, "feature-rx-notify"},
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

static void one_event_channel_serves_both_rings(void **state)
{
    (void)state;
    offer();
    set_front("event-channel-tx", NULL);
    set_front("event-channel-rx", NULL);
    set_front_number("event-channel", (uint32_t)f->port[1]);
    go("4", XenbusStateConnected);
    const struct vif_queue_config *config = &vif_back_queue(f->back, 0)->config;
    assert_int_equal(config->tx_event.port, f->port[1]);
    assert_int_equal(config->rx_event.port, f->port[1]);
    assert_int_equal(config->rx_event.vcpu, 1);
}

static void what_the_front_end_takes_is_read(void **state)
{
    (void)state;
    offer();
    set_front("feature-sg", "0");
    set_front("feature-gso-tcpv6", NULL);
    set_front("feature-no-csum-offload", "1");
    set_front("feature-splitdom-stamp", "1"); /* not offered */
    go("4", XenbusStateConnected);
    const struct vif_features *features = &vif_back_queue(f->back, 0)->config.features;
    assert_false(features->sg);
    assert_true(features->gso_tcpv4);
    assert_false(features->gso_tcpv6);
    assert_false(features->csum_ipv4);
    assert_true(features->csum_ipv6);
    assert_false(features->stamps);
    f->options.stamps = true;
    set_front("state", "1");
    remake();
    go("4", XenbusStateConnected);
    assert_true(vif_back_queue(f->back, 0)->config.features.stamps);
}

static void offer_queues(uint32_t count)
{
    struct grant_entry_v1 *table = f->front.segment.gnttab;
    offer();
    set_front_number("multi-queue-num-queues", count);
    for (uint32_t i = 0; i < count; i++) {
        char node[40];
        for (uint32_t ring = 0; ring < 2; ring++) {
            uint32_t ref = FAKE_NETFRONT_RX_REF + 2 * i + ring;
            gnttab_grant_access(table, ref, DOM0_DOMID, f->front.rx_pfn + 2 * i + ring, false);
            sring_init(segment_page(&f->front.segment, f->front.rx_pfn + 2 * i + ring), 0);
            snprintf(node, sizeof(node), "queue-%u/%s-ring-ref", i, ring == 0 ? "tx" : "rx");
            set_front_number(node, ref);
        }
        snprintf(node, sizeof(node), "queue-%u/event-channel-tx", i);
        set_front_number(node, (uint32_t)f->port[0]);
        snprintf(node, sizeof(node), "queue-%u/event-channel-rx", i);
        set_front_number(node, (uint32_t)f->port[1]);
    }
}

static void several_queues_have_their_directories(void **state)
{
    (void)state;
    offer_queues(3);
    go("4", XenbusStateConnected);
    for (uint32_t i = 0; i < 3; i++)
        assert_non_null(vif_back_queue(f->back, i));
    assert_null(vif_back_queue(f->back, 3));
}

/* Frames of one flow keep their order by staying in one queue; flows spread. */
static void a_flow_stays_in_its_queue(void **state)
{
    (void)state;
    uint32_t used = 0;
    offer_queues(4);
    go("4", XenbusStateConnected);
    for (uint32_t seed = 0; seed < 32; seed++) {
        for (int again = 0; again < 2; again++) {
            struct net_frame *frame = fake_network_frame(again == 0 ? 60 : 200, seed);
            net_port_output(vif_back_port(f->back), frame, 1000);
            net_frame_put(frame);
        }
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t waiting = vif_back_queue(f->back, i)->waiting_count;
            assert_true(waiting % 2 == 0);
            used |= (uint32_t)(waiting > 0) << i;
        }
    }
    assert_int_equal(used, 15);
}

static void queues_share_the_ports_turn(void **state)
{
    (void)state;
    offer_queues(2);
    go("4", XenbusStateConnected);
    for (uint32_t i = 0; i < 2; i++) {
        struct sring *sring = vif_back_queue(f->back, i)->tx.half.sring;
        for (uint32_t n = 0; n < 4; n++) {
            struct netif_tx_request *req =
                sring_slot(sring, NETIF_RING_ENTRIES, n, sizeof(union netif_tx_sring_entry));
            *req = (struct netif_tx_request){.gref = FAKE_NETFRONT_TX_REF, .size = 100, .id = 0};
        }
        sring->req_prod = 4;
    }
    struct net_port *port = vif_back_port(f->back);
    for (uint32_t n = 0; n < 8; n++)
        assert_int_equal(port->ops->take(port, 1), 100);
    assert_int_equal(port->ops->take(port, 1), 0);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(vif_back_queue(f->back, i)->stats.tx_frames, 4);
}

static void a_queue_that_breaks_the_protocol_ends_the_device(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    f->front.tx.half.sring->req_prod = 1000;
    turn();
    assert_int_equal(f->back->state, XenbusStateClosing);
    assert_non_null(strstr(error_node(), "index is invalid"));
    assert_int_equal(f->joined, 0); /* at once, not when the front end closes */
    assert_non_null(vif_back_queue(f->back, 0));
    go("6", XenbusStateClosed);
    assert_null(vif_back_queue(f->back, 0));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_features_are_those_of_linux_but_for_what_is_not_there),
        TEST(the_toolstacks_nodes_are_libxls),
        TEST(a_front_end_connects_and_exchanges_frames),
        TEST(closing_takes_the_port_off_and_counters_stay),
        TEST(what_is_missing_or_wrong_is_refused),
        TEST(one_event_channel_serves_both_rings),
        TEST(what_the_front_end_takes_is_read),
        TEST(several_queues_have_their_directories),
        TEST(a_flow_stays_in_its_queue),
        TEST(queues_share_the_ports_turn),
        TEST(a_queue_that_breaks_the_protocol_ends_the_device),
        TEST(a_network_that_cannot_be_joined_is_told),
        TEST(the_weight_is_the_domains),
        TEST(a_name_of_its_own_is_the_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
