/* SPDX-License-Identifier: MIT */
/* vbd_back_fixture: a disk's back end with a real store and real rings. Each program that includes
 * this has one, f. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_VBD_BACK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_VBD_BACK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "ring/blkif_front_ring.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_back.h"
#include "service/block/queue.h"

enum {
    NR_PAGES = 64,
    DOMID = 3,
    RING_REF = 8, /* 16 pages */
    RING_REFS = 16,
    MAX_ORDER = 2,
    MAX_QUEUES = 4,
    IMAGE_SECTORS = 2048,
};

static const struct xenbus_key key = {"vbd", DOMID, XENBUS_VBD_XVDA};

struct fixture {
    struct segment segment;
    int fd, fault_slot;
    struct log *log;
    struct log_limit log_limit;
    struct xs_server *store;
    struct fake_vdisk fake;
    struct evtchn_table evtchn;
    int port;
    struct pollables loop;
    struct poll_peer peer;
    struct tdf_source time;
    struct tdf_clock clock;
    struct tdf tdf;
    struct back_host host;
    struct back_settings settings;
    struct back_domain domain;
    struct vbd_options options;
    struct xenbus_back *back;
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

static inline const char *back_node(const char *node)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static inline bool has_error_node(void)
{
    char path[XENBUS_PATH_MAX], value[256];
    xenbus_error_path(path, &key);
    return xs_local_read(f->store, path, value, sizeof(value)) > 0;
}

/* The first of those that the loop serves. */
static inline struct vbd_ring *ring(void)
{
    struct list_node *node = list_first(&f->peer.pollables);
    struct vbd_ring *up;
    for (uint32_t i = 0; (up = vbd_back_queue(f->back, i)) != NULL; i++) {
        assert_ptr_equal(node, &up->pollable.of_peer);
        node = list_next(&f->peer.pollables, node);
    }
    assert_null(node);
    return vbd_back_ring(f->back);
}

static inline void go(const char *state, enum xenbus_state expected)
{
    set_front("state", state);
    step();
    assert_int_equal(f->back->state, expected);
    assert_int_equal(atoi(back_node("state")), (int)expected);
}

static inline void offer(void)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", f->port);
    set_front("ring-ref", "8");
    set_front("event-channel", port);
    set_front("protocol", "x86_64-abi");
}

static inline void create(void)
{
    const struct back_spec spec = {&vbd_class, XENBUS_VBD_XVDA, &f->options};
    const struct back_owner owner = {.lost = lost, .gone = gone};
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, "online");
    assert_int_equal(xs_local_write(f->store, path, "1"), 0);
    set_front("state", "1");
    assert_int_equal(xenbus_back_create(&f->host, &f->domain, &spec, &owner, &f->back), 0);
    step();
}

static inline void make_disk(void)
{
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = IMAGE_SECTORS,
                                                            .block_size_bytes = 4096,
                                                            .depth = 4});
    f->options = (struct vbd_options){.vdisk = f->fake.vdisk,
                                      .params = "image",
                                      .dev = "xvda",
                                      .max_ring_page_order = MAX_ORDER,
                                      .max_queues = MAX_QUEUES};
}

static inline int make_domain(void)
{
    if (segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0 || fault_guard_install(4) < 0 ||
        tdf_source_manual(&f->time, 1000000000, 1000, 0) < 0 ||
        tdf_clock_init(&f->clock, &f->time, NULL, 0, (struct tdf){1, 1}) < 0)
        return -1;
    f->fault_slot = fault_guard_add(f->segment.base, (size_t)NR_PAGES << XEN_PAGE_SHIFT, -1);
    evtchn_table_reserve(&f->evtchn, SEGMENT_STORE_EVTCHN, 0);
    f->port = evtchn_table_alloc(&f->evtchn, 1);
    for (uint32_t i = 0; i < RING_REFS; i++) {
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            false);
        sring_init(segment_page(&f->segment, f->segment.free_pfn + i), 0);
    }
    poll_peer_init(&f->peer, f->segment.hints);
    f->tdf = (struct tdf){1, 1};
    f->settings = (struct back_settings){.weight = SCHED_WEIGHT_DEFAULT, .disk_scale = {1, 1}};
    f->domain = (struct back_domain){.domid = DOMID,
                                     .segment = &f->segment,
                                     .fault_slot = f->fault_slot,
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
    make_disk();
    create();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    xenbus_back_destroy(f->back);
    assert_true(list_is_empty(&f->peer.pollables));
    fake_vdisk_destroy(&f->fake);
    xs_server_destroy(f->store);
    log_close(f->log);
    fault_guard_drop(f->fault_slot);
    fault_guard_remove();
    assert_int_equal(f->segment.gnttab[RING_REF].flags & (GTF_reading | GTF_writing), 0);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

struct expected_node {
    const char *node, *value;
};

static inline void set_back(const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    assert_int_equal(xs_local_write(f->store, path, value), 0);
}

static inline uint32_t rings_in_use(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < RING_REFS; i++)
        count += (f->segment.gnttab[RING_REF + i].flags & (GTF_reading | GTF_writing)) != 0;
    return count;
}

#define BACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
