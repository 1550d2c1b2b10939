/* SPDX-License-Identifier: MIT */
/* vbd_ring_fixture: a ring of the back end, with the front half and the disk played by the test. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_VBD_RING_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_VBD_RING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_vdisk.h"
#include "ring/fault_guard.h"
#include "service/block/queue.h"
#include "unit/service/back/vbd/ring_ends.h"

enum {
    NR_PAGES = 160,
    DOMID = 3,
    PORT = 5,
    VCPU = 1,
    DEPTH = 128,
    IMAGE_SECTORS = 4096,
    CACHE_SECTORS = 32,
    RING_REF = 8,
    DATA_REF = 40, /* granted data pages */
    DATA_PAGES = 64,
};

struct fixture {
    struct segment segment;
    int fd, fault_slot;
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next one */
    struct fake_disk *disk;
    struct block_client client;
    struct ring_ends ends; /* armed: nobody looks at the ring until he is told to */
    uint32_t data_pfn;
};

static struct fixture *f;

static inline int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0 ||
        fault_guard_install(4) < 0)
        return -1;
    f->fault_slot = fault_guard_add(f->segment.base, (size_t)NR_PAGES << XEN_PAGE_SHIFT, -1);
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = IMAGE_SECTORS,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = DEPTH});
    f->device = f->fake.device;
    f->disk = f->fake.disk;
    block_client_open(&f->client, f->fake.vdisk);
    f->data_pfn = f->segment.free_pfn + 32;
    for (uint32_t i = 0; i < DATA_PAGES; i++)
        gnttab_grant_access(f->segment.gnttab, DATA_REF + i, DOM0_DOMID, f->data_pfn + i, false);
    f->ends.config = (struct vbd_ring_config){.segment = &f->segment,
                                              .fault_slot = f->fault_slot,
                                              .client = &f->client,
                                              .port = PORT,
                                              .vcpu = VCPU};
    poll_peer_init(&f->ends.peer, f->segment.hints);
    return 0;
}

static inline void disconnect_ring(void)
{
    ring_ends_disconnect(&f->ends);
}

static inline int teardown(void **state)
{
    (void)state;
    disconnect_ring();
    vbd_ring_destroy(NULL);
    block_client_close(&f->client);
    fake_vdisk_destroy(&f->fake);
    fault_guard_drop(f->fault_slot);
    fault_guard_remove();
    ring_ends_hold_nothing(&f->segment);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

/* A ring of 2^order pages, step pages apart. */
static inline void connect_ring(uint32_t order, uint32_t step, uint32_t index)
{
    ring_ends_connect(&f->ends, RING_REF, order, step, index);
    assert_true(pollables_settle(&f->ends.loop, 0));
}

static inline struct blkif_request read_request(uint64_t id, uint64_t sector)
{
    return (struct blkif_request){.operation = BLKIF_OP_READ,
                                  .nr_segments = 1,
                                  .id = id,
                                  .sector_number = sector,
                                  .seg = {{.gref = DATA_REF + (grant_ref_t)(id % DATA_PAGES)}}};
}

static inline void put(const struct blkif_request *req)
{
    ring_ends_put(&f->ends, req);
}

static inline void consume(int expected)
{
    assert_int_equal(vbd_ring_consume(f->ends.ring, 0), expected);
    (void)device_dispatch(f->device, 0);
}

static inline void expect(uint64_t id, uint8_t operation, int16_t status)
{
    ring_ends_expect(&f->ends, id, operation, status);
}

static inline void expect_none(void)
{
    ring_ends_expect_none(&f->ends);
}

/* A read ends, and Dom0's loop looks at the ring. */
static inline void disk_ends(uint32_t which, int status)
{
    fake_disk_complete(f->disk, which, status);
    vbd_ring_flush(f->ends.ring);
}

static inline void disk_ends_all(int status)
{
    fake_disk_complete_all(f->disk, status);
    vbd_ring_flush(f->ends.ring);
}

static inline void *data_page(uint32_t i)
{
    return segment_page(&f->segment, f->data_pfn + i);
}

#endif
