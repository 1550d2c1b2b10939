/* SPDX-License-Identifier: MIT */
/* domain_devices_fixture: a domain in a store of its own, and the front ends of its disks. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_DOM0_DOMAIN_DEVICES_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_DOM0_DOMAIN_DEVICES_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/why.h"
#include "fakes/fake_vdisk.h"
#include "ring/blkif_front_ring.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/vbd/vbd_back.h"
#include "service/block/queue.h"
#include "service/dom0/domain_devices.h"
#include "xenstore/server/xs_local.h"

enum { DOMID = 5, XVDA = 51712, XVDB = 51728, FIRST_REF = 8 };

struct fixture {
    struct log *log;
    struct log_limit log_limit;
    struct poller *poller;
    struct xs_server *store;
    struct fake_vdisk fake;
    struct tdf_source time;
    struct pollables loop;
    struct vbd_options options[2];
    struct back_spec spec[2]; /* xvda, xvdb */
    struct domain_host host;
    struct domain *domain;
    struct why why;
    uint32_t leases; /* of devices that were admitted and are not gone */
    bool refuses;
};

/* The front end of one disk: two pages of its domain, the ring and the data. */
struct front {
    struct xenbus_key key;
    grant_ref_t ring_ref;
    struct blkif_front_ring ring;
    int port;
};

static struct fixture *f;

static inline void store_ready(void *ctx, struct domain *domain)
{
    (void)ctx;
    (void)domain;
}

static inline void domain_lost(void *ctx)
{
    (void)ctx;
    fail_msg("the domain was given up");
}

static inline int admit(void *ctx, const struct domain *domain, const struct back_spec *spec,
                        void **lease, struct why *why)
{
    struct fixture *fixture = ctx;
    assert_int_equal(domain->domid, DOMID);
    assert_non_null(spec->class);
    if (fixture->refuses)
        return why_fail(why, -EBUSY, "taken");
    *lease = &fixture->leases;
    fixture->leases++;
    return 0;
}

static inline void released(void *ctx, const struct back_class *class, void *lease)
{
    (void)class;
    struct fixture *fixture = ctx;
    assert_ptr_equal(lease, &fixture->leases);
    fixture->leases--;
}

static inline void make_disk(void)
{
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = 2048, .depth = 4});
    f->options[0] = (struct vbd_options){.vdisk = f->fake.vdisk, .params = "one", .dev = "xvda"};
    f->options[1] = f->options[0];
    f->options[1].params = "two";
    f->options[1].dev = "xvdb";
    f->spec[0] = (struct back_spec){&vbd_class, XVDA, &f->options[0]};
    f->spec[1] = (struct back_spec){&vbd_class, XVDB, &f->options[1]};
}

static inline int setup(void **state)
{
    (void)state;
    struct why why;
    f = calloc(1, sizeof(*f));
    if (f == NULL || xs_server_create(NULL, &f->store) < 0 || fault_guard_install(4) < 0 ||
        poller_create(POLLER_EPOLL, &f->poller) < 0 ||
        tdf_source_manual(&f->time, 1000000000, 1000, 0) < 0 ||
        log_open(&(struct log_options){.path = "/dev/null"}, &f->log) < 0)
        return -1;
    make_disk();
    f->host =
        (struct domain_host){.poller = f->poller,
                             .back = {f->store, f->log, &f->log_limit, &f->loop},
                             .time_source = &f->time,
                             .max_pages = 64,
                             .settings = {.weight = SCHED_WEIGHT_DEFAULT, .disk_scale = {1, 1}},
                             .devices = f->spec,
                             .device_count = 2,
                             .store_ready = store_ready,
                             .domain_lost = domain_lost,
                             .admit = admit,
                             .released = released,
                             .ctx = f};
    int rc = domain_create(&f->host, DOMID, 0, 32, (struct tdf){1, 1}, &f->domain, &why);
    return rc < 0 ? rc : domain_mapped(f->domain);
}

static inline int teardown(void **state)
{
    (void)state;
    domain_destroy(f->domain);
    assert_int_equal(f->leases, 0);
    assert_int_equal(xs_server_check(f->store), 0);
    assert_int_equal(f->loop.active_count, 0);
    fake_vdisk_destroy(&f->fake);
    xs_server_destroy(f->store);
    poller_destroy(f->poller);
    log_close(f->log);
    fault_guard_remove();
    free(f);
    return 0;
}

static inline void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static inline void set_front(const struct front *front, const char *node, unsigned value)
{
    char path[XENBUS_PATH_MAX], text[16];
    xenbus_front_path(path, &front->key, node);
    snprintf(text, sizeof(text), "%u", value);
    assert_int_equal(xs_local_write(f->store, path, text), 0);
}

static inline const char *back_node(uint32_t devid, const char *node)
{
    static char value[128];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &(struct xenbus_key){"vbd", DOMID, devid}, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static inline struct xenbus_back *device(uint32_t devid)
{
    return domain_find_device(f->domain, &vbd_class, devid);
}

/* The n-th disk of the domain: its pages follow those of the ones before. */
static inline void connect(struct front *front, uint32_t devid, uint32_t n)
{
    struct segment *segment = &f->domain->segment;
    const uint32_t pfn = segment->free_pfn + 2 * n;
    *front = (struct front){.key = {"vbd", DOMID, devid}, .ring_ref = FIRST_REF + 2 * n};
    for (uint32_t i = 0; i < 2; i++)
        gnttab_grant_access(segment->gnttab, front->ring_ref + i, DOM0_DOMID, pfn + i, false);
    sring_init(segment_page(segment, pfn), 0);
    front_ring_init(&front->ring.half, segment_page(segment, pfn), blkif_ring_entries(0), 0);
    front->port = evtchn_table_alloc(&f->domain->evtchn, 1);
    assert_true(front->port > 0);
    set_front(front, "ring-ref", front->ring_ref);
    set_front(front, "event-channel", (unsigned)front->port);
    set_front(front, "state", XenbusStateInitialised);
    step();
    assert_int_equal(device(devid)->state, XenbusStateConnected);
    set_front(front, "state", XenbusStateConnected);
    step();
}

/* One read through the disk's own ring, on the domain's one doorbell. */
static inline void read_from(struct front *front, uint64_t sector)
{
    struct blkif_response rsp;
    struct blkif_request req = {.operation = BLKIF_OP_READ,
                                .nr_segments = 1,
                                .id = sector,
                                .sector_number = sector,
                                .seg = {{.gref = front->ring_ref + 1}}};
    blkif_put_request(&front->ring, &req);
    (void)front_ring_push(&front->ring.half);
    pollables_wake(&f->loop, &f->domain->peer);
    assert_int_equal(pollables_turn(&f->loop, 1), 1);
    (void)device_dispatch(f->fake.device, 1);
    fake_disk_complete_all(f->fake.disk, 0);
    assert_int_equal(pollables_turn(&f->loop, 1), 0);
    assert_int_equal(blkif_take_response(&front->ring, &rsp), 1);
    assert_int_equal(rsp.id, sector);
    assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
}

static inline void take_away(struct front *front)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &front->key, "online");
    assert_int_equal(xs_local_write(f->store, path, "0"), 0);
    set_front(front, "state", XenbusStateClosing);
    step();
    set_front(front, "state", XenbusStateClosed);
    step();
    assert_int_equal(evtchn_table_close(&f->domain->evtchn, (evtchn_port_t)front->port), 0);
}

#endif
