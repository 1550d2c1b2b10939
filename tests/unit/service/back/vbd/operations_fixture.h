/* SPDX-License-Identifier: MIT */
/*
 * operations_fixture: a ring in a real segment whose block layer is played by the test: what is
 * submitted waits until the test ends it. Each program that includes this has one, f, and is linked
 * with --wrap for block_submit and block_cancel.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_OPERATIONS_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_OPERATIONS_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakes/fake_vdisk.h"
#include "ring/fault_guard.h"
#include "service/block/queue.h"
#include "unit/service/back/vbd/ring_ends.h"

enum {
    NR_PAGES = 256,
    DOMID = 3,
    DISK_SECTORS = 4096,
    RING_REF = 8,
    PAGE_REF = 40, /* granted for writing; PAGE_REF + READ_ONLY for reading alone */
    PAGES = 80,
    READ_ONLY = 100,
    WAITING_MAX = 512,
};

struct fixture {
    struct segment segment;
    int fd;
    struct fake_vdisk fake;
    struct block_client client;
    struct ring_ends ends;
    uint32_t pfn; /* of the first granted page */
    struct hold hold;
    bool let_go;
    /* The block layer. */
    struct block_request *waiting[WAITING_MAX];
    uint32_t waiting_count;
    bool answers_at_once;
    bool at_work;                   /* on the memory of all that wait: they can't be taken back */
    struct block_request *works_on; /* the same of one */
};

static struct fixture *f;

void __wrap_block_submit(struct block_client *client, struct block_request *request,
                         uint64_t now_ns);
bool __wrap_block_cancel(struct block_request *request);

void __wrap_block_submit(struct block_client *client, struct block_request *request,
                         uint64_t now_ns)
{
    (void)now_ns;
    assert_ptr_equal(client, &f->client);
    assert_int_equal(request->state, BLOCK_REQUEST_IDLE);
    request->due_ns = 0;
    if (f->answers_at_once) {
        request->done(request, 0);
        return;
    }
    request->state = BLOCK_REQUEST_QUEUED;
    assert_true(f->waiting_count < WAITING_MAX);
    f->waiting[f->waiting_count++] = request;
}

static inline struct block_request *take_waiting(uint32_t which)
{
    assert_true(which < f->waiting_count);
    struct block_request *request = f->waiting[which];
    f->waiting_count--;
    memmove(&f->waiting[which], &f->waiting[which + 1],
            (f->waiting_count - which) * sizeof(f->waiting[0]));
    request->state = BLOCK_REQUEST_IDLE;
    return request;
}

bool __wrap_block_cancel(struct block_request *request)
{
    if (request->state == BLOCK_REQUEST_IDLE)
        return true;
    if (f->at_work || request == f->works_on)
        return false;
    uint32_t which = 0;
    while (f->waiting[which] != request)
        which++;
    (void)take_waiting(which);
    return true;
}

/* The block layer is done with one, and the loop looks at the ring. */
static inline void end(uint32_t which, int status)
{
    struct block_request *request = take_waiting(which);
    request->done(request, status);
    if (f->ends.ring != NULL)
        vbd_ring_flush(f->ends.ring);
}

static inline void on_let_go(struct hold *hold)
{
    assert_ptr_equal(hold, &f->hold);
    f->let_go = true;
}

static inline int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0 ||
        fault_guard_install(4) < 0)
        return -1;
    fake_vdisk_create(&f->fake,
                      &(struct fake_vdisk_config){.sector_count = DISK_SECTORS, .depth = 8});
    struct vdisk_capabilities *can = &f->fake.vdisk->capabilities;
    can->writable = can->flush = can->discard = true;
    block_client_open(&f->client, f->fake.vdisk);
    f->pfn = f->segment.free_pfn + 16;
    for (uint32_t i = 0; i < PAGES; i++) {
        gnttab_grant_access(f->segment.gnttab, PAGE_REF + i, DOM0_DOMID, f->pfn + i, false);
        gnttab_grant_access(f->segment.gnttab, PAGE_REF + READ_ONLY + i, DOM0_DOMID, f->pfn + i,
                            true);
    }
    f->hold = (struct hold){.holders = 1, .let_go = on_let_go};
    f->ends.config = (struct vbd_ring_config){.segment = &f->segment,
                                              .memory = &f->hold,
                                              .fault_slot = -1,
                                              .client = &f->client,
                                              .port = 5,
                                              .vcpu = 1,
                                              .writable = true,
                                              .discard = true};
    poll_peer_init(&f->ends.peer, f->segment.hints);
    return 0;
}

static inline void disconnect(void)
{
    ring_ends_disconnect(&f->ends);
}

static inline int teardown(void **state)
{
    (void)state;
    disconnect();
    assert_int_equal(f->waiting_count, 0);
    assert_int_equal(f->hold.holders, 1);
    block_client_close(&f->client);
    fake_vdisk_destroy(&f->fake);
    fault_guard_remove();
    ring_ends_hold_nothing(&f->segment);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

static inline void connect_order(uint32_t order)
{
    ring_ends_connect(&f->ends, RING_REF, order, 1, 0);
    f->ends.loop.no_spin = true;
    assert_true(pollables_settle(&f->ends.loop, 0));
}

static inline void connect(void)
{
    connect_order(0);
}

static inline uint8_t *page(uint32_t i)
{
    return segment_page(&f->segment, f->pfn + i);
}

/* Of one page, granted for reading alone where that is enough. */
static inline struct blkif_request one_page(uint8_t operation, uint64_t id, uint64_t sector)
{
    grant_ref_t gref = PAGE_REF + (grant_ref_t)(id % PAGES);
    return (struct blkif_request){
        .operation = operation,
        .nr_segments = 1,
        .id = id,
        .sector_number = sector,
        .seg = {{.gref = operation == BLKIF_OP_READ ? gref : gref + READ_ONLY, .last_sect = 7}}};
}

static inline struct blkif_request without_segments(uint8_t operation, uint64_t id)
{
    return (struct blkif_request){.operation = operation, .id = id, .sector_number = UINT64_MAX};
}

static inline void put(const struct blkif_request *req)
{
    ring_ends_put(&f->ends, req);
}

/* Names count segments in page 0 and on: whole pages from page `first` on, round and round. */
static inline void name_segments(uint32_t count, uint32_t first, uint32_t pages, grant_ref_t kind)
{
    for (uint32_t i = 0; i < count; i++) {
        struct blkif_request_segment *named = (struct blkif_request_segment *)(void *)page(i / 512);
        named[i % 512] = (struct blkif_request_segment){.gref = PAGE_REF + kind + first + i % pages,
                                                        .last_sect = 7};
    }
}

static inline struct blkif_request_indirect indirect(uint8_t op, uint64_t id, uint32_t count)
{
    struct blkif_request_indirect req = {.operation = BLKIF_OP_INDIRECT,
                                         .indirect_op = op,
                                         .nr_segments = (uint16_t)count,
                                         .id = id};
    for (uint32_t i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
        req.indirect_grefs[i] = PAGE_REF + READ_ONLY + i;
    return req;
}

static inline void put_indirect(const struct blkif_request_indirect *req)
{
    memcpy(blkif_ring_slot(f->ends.front.half.sring, f->ends.front.half.nr_ents,
                           f->ends.front.half.req_prod_pvt++),
           req, sizeof(*req));
    (void)front_ring_push(&f->ends.front.half);
}

static inline void consume(int expected)
{
    assert_int_equal(vbd_ring_consume(f->ends.ring, 0), expected);
}

static inline void expect(uint64_t id, uint8_t operation, int16_t status)
{
    ring_ends_expect(&f->ends, id, operation, status);
}

static inline void expect_none(void)
{
    ring_ends_expect_none(&f->ends);
}

/* What waits at the block layer is this. */
static inline void expect_waiting(uint32_t which, enum block_operation operation,
                                  uint64_t sector_count)
{
    assert_true(which < f->waiting_count);
    const struct block_request *request = f->waiting[which];
    assert_int_equal(request->operation, operation);
    assert_int_equal(request->sector_count, sector_count);
    assert_true(request->sector + sector_count <= f->fake.vdisk->capabilities.sector_count);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < request->segment_count; i++)
        sum += request->segments[i].sector_count;
    assert_int_equal(sum, operation == BLOCK_DISCARD ? 0 : sector_count);
}

static inline bool is_in_use(grant_ref_t ref)
{
    return (f->segment.gnttab[ref].flags & (GTF_reading | GTF_writing)) != 0;
}

#define OPERATION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
