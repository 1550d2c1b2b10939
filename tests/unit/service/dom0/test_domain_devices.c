/* SPDX-License-Identifier: MIT */
/* domain_devices: a domain with two disks, which come and go while it lives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void store_ready(void *ctx, struct domain *domain)
{
    (void)ctx;
    (void)domain;
}

static void domain_lost(void *ctx)
{
    (void)ctx;
    fail_msg("the domain was given up");
}

static int admit(void *ctx, const struct domain *domain, const struct back_spec *spec, void **lease,
                 struct why *why)
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

static void released(void *ctx, const struct back_class *class, void *lease)
{
    (void)class;
    struct fixture *fixture = ctx;
    assert_ptr_equal(lease, &fixture->leases);
    fixture->leases--;
}

static void make_disk(void)
{
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = 2048, .depth = 4});
    f->options[0] = (struct vbd_options){.vdisk = f->fake.vdisk, .params = "one", .dev = "xvda"};
    f->options[1] = f->options[0];
    f->options[1].params = "two";
    f->options[1].dev = "xvdb";
    f->spec[0] = (struct back_spec){&vbd_class, XVDA, &f->options[0]};
    f->spec[1] = (struct back_spec){&vbd_class, XVDB, &f->options[1]};
}

static int setup(void **state)
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

static int teardown(void **state)
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

static void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static void set_front(const struct front *front, const char *node, unsigned value)
{
    char path[XENBUS_PATH_MAX], text[16];
    xenbus_front_path(path, &front->key, node);
    snprintf(text, sizeof(text), "%u", value);
    assert_int_equal(xs_local_write(f->store, path, text), 0);
}

static const char *back_node(uint32_t devid, const char *node)
{
    static char value[128];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &(struct xenbus_key){"vbd", DOMID, devid}, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static struct xenbus_back *device(uint32_t devid)
{
    return domain_find_device(f->domain, &vbd_class, devid);
}

/* The n-th disk of the domain: its pages follow those of the ones before. */
static void connect(struct front *front, uint32_t devid, uint32_t n)
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
static void read_from(struct front *front, uint64_t sector)
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

static void take_away(struct front *front)
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

static void a_domain_is_born_with_what_its_host_says(void **state)
{
    (void)state;
    assert_string_equal(back_node(XVDA, "params"), "one");
    assert_string_equal(back_node(XVDB, "params"), "two");
    assert_ptr_equal(domain_next_device(f->domain, &vbd_class, NULL), device(XVDA));
    assert_ptr_equal(domain_next_device(f->domain, &vbd_class, device(XVDA)), device(XVDB));
    assert_null(domain_next_device(f->domain, &vbd_class, device(XVDB)));
    assert_null(device(51744));
    const struct back_class other = {.name = "vif"};
    assert_null(domain_find_device(f->domain, &other, XVDA));
}

static void both_disks_are_served(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    for (uint64_t i = 0; i < 5; i++) {
        read_from(&a, 10 * i);
        read_from(&b, 10 * i + 500);
    }
    assert_int_equal(vbd_back_stats(device(XVDA)).reads_done, 5);
    assert_int_equal(vbd_back_stats(device(XVDB)).reads_done, 5);
    assert_int_equal(domain_vbd_stats(f->domain).reads_done, 10);
    assert_int_equal(f->domain->peer.requests, 10);
}

static void one_disk_goes_and_the_other_stays(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    read_from(&a, 1);
    read_from(&b, 2);
    take_away(&a);
    assert_null(device(XVDA));
    assert_string_equal(back_node(XVDA, "state"), "(none)");
    read_from(&b, 3);
    assert_int_equal(device(XVDB)->state, XenbusStateConnected);
    assert_int_equal(domain_vbd_stats(f->domain).reads_done, 3); /* nothing is forgotten */
}

static void a_disk_may_come_and_go_again_and_again(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    const uint32_t nodes = xs_server_nodes(f->store, DOMID);
    for (uint32_t life = 1; life <= 30; life++) {
        take_away(&b);
        assert_null(device(XVDB));
        assert_int_equal(domain_attach(f->domain, &f->spec[1], &f->why), 0);
        step();
        connect(&b, XVDB, 1);
        read_from(&b, 10 * life);
        read_from(&a, 10 * life + 5);
    }
    assert_int_equal(xs_server_nodes(f->store, DOMID), nodes);
    assert_int_equal(domain_vbd_stats(f->domain).reads_done, 60);
    assert_false(list_is_empty(&f->domain->peer.pollables));
}

static void a_number_is_given_once(void **state)
{
    (void)state;
    assert_int_equal(domain_attach(f->domain, &f->spec[0], &f->why), -EEXIST);
    assert_string_equal(f->why.text, "Domain 5:device already exists in xenstore; detach it first, "
                                     "or choose another vdev");
    assert_string_equal(back_node(XVDA, "state"), "2"); /* and nothing happened to it */
}

static int create_fails(const struct back_domain *domain, const void *options,
                        struct xenbus_back **out)
{
    (void)domain;
    (void)options;
    (void)out;
    return -ENOMEM;
}

static void no_front(const struct back_spec *spec, back_node_fn *put, void *ctx)
{
    (void)spec;
    (void)put;
    (void)ctx;
}

static void only_online(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx)
{
    (void)spec;
    (void)domid;
    put(ctx, "online", "1");
}

static void a_device_that_cannot_be_made_leaves_no_nodes(void **state)
{
    (void)state;
    const struct back_class fails = {
        .name = "vbd", .front_nodes = no_front, .back_nodes = only_online, .create = create_fails};
    assert_int_equal(domain_attach(f->domain, &(struct back_spec){&fails, 51744, NULL}, &f->why),
                     -ENOMEM);
    assert_string_equal(f->why.text,
                        "Domain 5:unable to add vbd with id 51744: Cannot allocate memory");
    assert_int_equal(f->leases, 2); /* what was admitted is given back */
    assert_string_equal(back_node(51744, "online"), "(none)");
    assert_null(domain_find_device(f->domain, &fails, 51744));
}

static void a_device_that_is_not_admitted_is_not_made(void **state)
{
    (void)state;
    struct front b;
    connect(&b, XVDB, 1);
    take_away(&b);
    assert_int_equal(f->leases, 1);
    f->refuses = true;
    assert_int_equal(domain_attach(f->domain, &f->spec[1], &f->why), -EBUSY);
    assert_string_equal(f->why.text, "taken");
    assert_string_equal(back_node(XVDB, "state"), "(none)");
    assert_null(device(XVDB));
}

static void a_disk_that_nobody_opened_goes_at_once(void **state)
{
    (void)state;
    assert_true(xenbus_back_unplug(device(XVDB), false));
    assert_null(device(XVDB));
    assert_string_equal(back_node(XVDB, "state"), "(none)");
    step();
}

static void a_disk_in_use_goes_when_its_front_end_has_closed(void **state)
{
    (void)state;
    struct front b;
    connect(&b, XVDB, 1);
    assert_false(xenbus_back_unplug(device(XVDB), false));
    step();
    assert_string_equal(back_node(XVDB, "online"), "0");
    assert_string_equal(back_node(XVDB, "state"), "5");
    read_from(&b, 3); /* served until then */
    set_front(&b, "state", XenbusStateClosed);
    step();
    assert_null(device(XVDB));
    assert_string_equal(back_node(XVDB, "state"), "(none)");
}

static void a_disk_goes_by_force_whatever_its_front_end_does(void **state)
{
    (void)state;
    struct front b;
    connect(&b, XVDB, 1);
    assert_true(xenbus_back_unplug(device(XVDB), true));
    assert_null(device(XVDB));
    assert_string_equal(back_node(XVDB, "state"), "(none)");
    step();
}

static void settings_reach_every_disk(void **state)
{
    (void)state;
    struct front a, b;
    assert_int_equal(xs_local_write(f->store, "/local/domain/5/sched/weight", "77"), 0);
    step();
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    assert_int_equal(vbd_back_client(device(XVDA))->entity.weight, 77);
    assert_int_equal(xs_local_write(f->store, "/local/domain/5/disk-scale", "3"), 0);
    step();
    assert_int_equal(block_client_scale(vbd_back_client(device(XVDA))).num, 3);
    assert_int_equal(block_client_scale(vbd_back_client(device(XVDB))).num, 3);
}

static void a_new_size_reaches_every_disk(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    f->fake.vdisk->image.size_bytes = 4096;
    vdisk_image_changed(f->fake.vdisk);
    domain_resize_disks(f->domain, f->fake.vdisk);
    assert_string_equal(back_node(XVDA, "sectors"), "8");
    assert_string_equal(back_node(XVDB, "sectors"), "8");
}

int main(void)
{
#define DEVICES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        DEVICES_TEST(a_domain_is_born_with_what_its_host_says),
        DEVICES_TEST(both_disks_are_served),
        DEVICES_TEST(one_disk_goes_and_the_other_stays),
        DEVICES_TEST(a_disk_may_come_and_go_again_and_again),
        DEVICES_TEST(a_number_is_given_once),
        DEVICES_TEST(a_device_that_cannot_be_made_leaves_no_nodes),
        DEVICES_TEST(a_device_that_is_not_admitted_is_not_made),
        DEVICES_TEST(a_disk_that_nobody_opened_goes_at_once),
        DEVICES_TEST(a_disk_in_use_goes_when_its_front_end_has_closed),
        DEVICES_TEST(a_disk_goes_by_force_whatever_its_front_end_does),
        DEVICES_TEST(settings_reach_every_disk),
        DEVICES_TEST(a_new_size_reaches_every_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
