/* SPDX-License-Identifier: MIT */
/*
 * vif_back_fixture: a back end of a network interface with real rings, whose front end is the
 * test.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VIF_VIF_BACK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VIF_VIF_BACK_FIXTURE_H

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
#include "service/back/evtchn_table.h"
#include "service/back/vif/vif_back.h"

enum { DOMID = 3, DEVID = 1, MAX_QUEUES = 4, WEIGHT = 300, NODES_MAX = 32 };

static const struct xenbus_key key = {"vif", DOMID, DEVID};

struct fixture {
    struct fake_netfront front;
    struct fake_network net;
    int join_fails;
    uint32_t joined;
    uint32_t limits; /* how often the rate changed, and to what */
    uint64_t rate_bytes;
    uint32_t rate_interval_us;
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

static inline void lost(void *ctx)
{
    (void)ctx;
    fail_msg("the domain was given up");
}

static inline void gone(void *ctx, struct xenbus_back *back)
{
    (void)ctx;
    (void)back;
    fail_msg("the device was taken away");
}

static inline int join(void *ctx, struct net_port *port, const struct back_domain *domain,
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

static inline void limit(void *ctx, struct net_port *port, const struct vif_options *options)
{
    assert_ptr_equal(ctx, &f->net);
    assert_int_equal(f->joined, 1);
    assert_string_equal(port->name, "vif3.1");
    f->limits++;
    f->rate_bytes = options->rate_bytes;
    f->rate_interval_us = options->rate_interval_us;
}

static inline void leave(void *ctx, struct net_port *port)
{
    assert_ptr_equal(ctx, &f->net);
    fake_network_leave(port);
    f->joined--;
}

static const struct vif_network network = {.join = join, .limit = limit, .leave = leave};

/* Lets the back end see what happened. */
static inline void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static inline void set_front(const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &key, node);
    int rc = value != NULL ? xs_local_write(f->store, path, value) : xs_local_rm(f->store, path);
    assert_int_equal(rc, 0);
}

static inline void set_front_number(const char *node, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    set_front(node, text);
}

static inline const char *back_node(const char *node)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static inline const char *error_node(void)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_error_path(path, &key);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static inline void go(const char *state, enum xenbus_state expected)
{
    set_front("state", state);
    step();
    assert_int_equal(f->back->state, expected);
    assert_int_equal(atoi(back_node("state")), (int)expected);
}

static inline void create(void)
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
static inline void offer(void)
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

static inline int make_domain(void)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline void turn(void)
{
    do {
        (void)pollables_turn(&f->loop, 1000);
        fake_network_run(&f->net);
    } while (!pollables_settle(&f->loop, 1000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
