/* SPDX-License-Identifier: MIT */
/*
 * operations: writes, flushes, barriers, discards and indirect requests on a ring in a real
 * segment. The block layer is played here: what is submitted waits until the test ends it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_vdisk.h"
#include "ring/blkif_front_ring.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/vbd/vbd_ring.h"
#include "service/block/queue.h"
#include "tdf/clock.h"
#include "tdf/source.h"

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
    struct vbd_ring_config config;
    struct vbd_ring *ring;
    struct blkif_front_ring front;
    struct pollables loop;
    struct poll_peer peer;
    uint32_t pfn; /* of the first granted page */
    struct hold hold;
    bool let_go;
    /* The block layer. */
    struct block_request *waiting[WAITING_MAX];
    uint32_t waiting_count;
    bool answers_at_once;
    bool at_work; /* on the memory of all that wait: they can't be taken back */
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

static struct block_request *take_waiting(uint32_t which)
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
    if (f->at_work)
        return false;
    uint32_t which = 0;
    while (f->waiting[which] != request)
        which++;
    (void)take_waiting(which);
    return true;
}

/* The block layer is done with one, and the loop looks at the ring. */
static void end(uint32_t which, int status)
{
    struct block_request *request = take_waiting(which);
    request->done(request, status);
    if (f->ring != NULL)
        vbd_ring_flush(f->ring);
}

static void on_let_go(struct hold *hold)
{
    assert_ptr_equal(hold, &f->hold);
    f->let_go = true;
}

static int setup(void **state)
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
    f->config = (struct vbd_ring_config){.segment = &f->segment,
                                         .memory = &f->hold,
                                         .fault_slot = -1,
                                         .client = &f->client,
                                         .port = 5,
                                         .vcpu = 1,
                                         .writable = true,
                                         .discard = true};
    poll_peer_init(&f->peer, f->segment.hints);
    return 0;
}

static void disconnect(void)
{
    if (f->ring != NULL)
        pollables_remove(&f->ring->pollable);
    vbd_ring_destroy(f->ring);
    f->ring = NULL;
}

static int teardown(void **state)
{
    (void)state;
    disconnect();
    assert_int_equal(f->waiting_count, 0);
    assert_int_equal(f->hold.holders, 1);
    block_client_close(&f->client);
    fake_vdisk_destroy(&f->fake);
    fault_guard_remove();
    for (uint32_t ref = 8; ref < f->segment.nr_grant_entries; ref++)
        assert_int_equal(f->segment.gnttab[ref].flags & (GTF_reading | GTF_writing), 0);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

static void connect_order(uint32_t order)
{
    struct sring *sring = segment_page(&f->segment, f->segment.free_pfn);
    f->config.page_order = order;
    for (uint32_t i = 0; i < 1u << order; i++) {
        f->config.ring_ref[i] = RING_REF + i;
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            false);
    }
    sring_init(sring, 0);
    front_ring_init(&f->front.half, sring, blkif_ring_entries(order), 0);
    assert_int_equal(vbd_ring_create(&f->config, &f->ring), 0);
    pollables_add(&f->loop, &f->peer, &f->ring->pollable);
    f->loop.no_spin = true;
    assert_true(pollables_settle(&f->loop, 0));
}

static void connect(void)
{
    connect_order(0);
}

static uint8_t *page(uint32_t i)
{
    return segment_page(&f->segment, f->pfn + i);
}

/* Of one page, granted for reading alone where that is enough. */
static struct blkif_request one_page(uint8_t operation, uint64_t id, uint64_t sector)
{
    grant_ref_t gref = PAGE_REF + (grant_ref_t)(id % PAGES);
    return (struct blkif_request){
        .operation = operation,
        .nr_segments = 1,
        .id = id,
        .sector_number = sector,
        .seg = {{.gref = operation == BLKIF_OP_READ ? gref : gref + READ_ONLY, .last_sect = 7}}};
}

static struct blkif_request without_segments(uint8_t operation, uint64_t id)
{
    return (struct blkif_request){.operation = operation, .id = id, .sector_number = UINT64_MAX};
}

static void put(const struct blkif_request *req)
{
    blkif_put_request(&f->front, req);
    (void)front_ring_push(&f->front.half);
}

static void put_discard(uint64_t id, uint64_t sector, uint64_t count, uint8_t flag)
{
    const struct blkif_request_discard req = {.operation = BLKIF_OP_DISCARD,
                                              .flag = flag,
                                              .id = id,
                                              .sector_number = sector,
                                              .nr_sectors = count};
    blkif_put_discard(&f->front, &req);
    (void)front_ring_push(&f->front.half);
}

/* Names count segments in page 0 and on: whole pages from page `first` on, round and round. */
static void name_segments(uint32_t count, uint32_t first, uint32_t pages, grant_ref_t kind)
{
    for (uint32_t i = 0; i < count; i++) {
        struct blkif_request_segment *named = (struct blkif_request_segment *)(void *)page(i / 512);
        named[i % 512] = (struct blkif_request_segment){.gref = PAGE_REF + kind + first + i % pages,
                                                        .last_sect = 7};
    }
}

static struct blkif_request_indirect indirect(uint8_t op, uint64_t id, uint32_t count)
{
    struct blkif_request_indirect req = {.operation = BLKIF_OP_INDIRECT,
                                         .indirect_op = op,
                                         .nr_segments = (uint16_t)count,
                                         .id = id};
    for (uint32_t i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
        req.indirect_grefs[i] = PAGE_REF + READ_ONLY + i;
    return req;
}

static void put_indirect(const struct blkif_request_indirect *req)
{
    memcpy(
        blkif_ring_slot(f->front.half.sring, f->front.half.nr_ents, f->front.half.req_prod_pvt++),
        req, sizeof(*req));
    (void)front_ring_push(&f->front.half);
}

static void consume(int expected)
{
    assert_int_equal(vbd_ring_consume(f->ring, 0), expected);
}

static void expect(uint64_t id, uint8_t operation, int16_t status)
{
    struct blkif_response rsp;
    assert_int_equal(blkif_take_response(&f->front, &rsp), 1);
    assert_int_equal(rsp.id, id);
    assert_int_equal(rsp.operation, operation);
    assert_int_equal(rsp.status, status);
}

static void expect_none(void)
{
    struct blkif_response rsp;
    assert_int_equal(blkif_take_response(&f->front, &rsp), 0);
}

/* What waits at the block layer is this. */
static void expect_waiting(uint32_t which, enum block_operation operation, uint64_t sector_count)
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

static bool is_in_use(grant_ref_t ref)
{
    return (f->segment.gnttab[ref].flags & (GTF_reading | GTF_writing)) != 0;
}

/* ---- writes ---- */

static void a_write_hands_on_pages_that_are_only_read(void **state)
{
    (void)state;
    connect();
    struct blkif_request req = one_page(BLKIF_OP_WRITE, 3, 100);
    req.nr_segments = 2;
    req.seg[0].first_sect = 6;
    req.seg[1] = (struct blkif_request_segment){PAGE_REF + READ_ONLY + 9, 0, 0};
    put(&req);
    consume(1);
    expect_waiting(0, BLOCK_WRITE, 3);
    assert_int_equal(f->waiting[0]->sector, 100);
    assert_ptr_equal(f->waiting[0]->segments[0].address, page(3) + 6 * 512);
    assert_ptr_equal(f->waiting[0]->segments[1].address, page(9));
    assert_int_equal(f->segment.gnttab[PAGE_REF + READ_ONLY + 3].flags,
                     GTF_permit_access | GTF_readonly | GTF_reading);
    struct block_request *request = take_waiting(0);
    request->done(request, 0);
    expect_none();
    assert_false(is_in_use(PAGE_REF + READ_ONLY + 3)); /* before the answer shows (XSA-396) */
    assert_int_equal(f->loop.active_count, 1);         /* the loop looks, and shows it */
    vbd_ring_flush(f->ring);
    expect(3, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    assert_int_equal(f->ring->stats.written_sectors, 3);
    assert_int_equal(f->ring->stats.others_done, 1);
    assert_int_equal(f->ring->stats.writes, 1);
}

static void a_read_needs_pages_that_are_written(void **state)
{
    (void)state;
    connect();
    struct blkif_request req = one_page(BLKIF_OP_READ, 0, 0);
    req.seg[0].gref += READ_ONLY;
    put(&req);
    name_segments(1, 1, 1, READ_ONLY);
    const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 1, 1);
    put_indirect(&named);
    consume(2);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    assert_int_equal(f->waiting_count, 0);
}

/* The same pending serves a read after anything else. */
static void reads_and_others_take_turns(void **state)
{
    (void)state;
    connect();
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 32; i++) {
            const struct blkif_request req =
                one_page(i % 2 == round % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i, i * 8);
            put(&req);
        }
        consume(32);
        for (uint32_t i = 0; i < 32; i++) {
            bool reads = i % 2 == round % 2;
            expect_waiting(0, reads ? BLOCK_READ : BLOCK_WRITE, 8);
            end(0, 0);
            expect(i, reads ? BLKIF_OP_READ : BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
        }
    }
    assert_int_equal(f->ring->stats.reads_done, 48);
    assert_int_equal(f->ring->stats.sectors, 48 * 8);
    assert_int_equal(vbd_ring_stats_reads(&f->ring->stats), 48);
}

static void put_all_that_changes_the_disk(void)
{
    static const uint8_t operations[] = {BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
                                         BLKIF_OP_FLUSH_DISKCACHE};
    for (uint64_t id = 0; id < 3; id++) {
        const struct blkif_request req = one_page(operations[id], id, 0);
        put(&req);
    }
    const struct blkif_request flush = without_segments(BLKIF_OP_FLUSH_DISKCACHE, 3);
    put(&flush);
    put_discard(4, 0, 8, 0);
    name_segments(1, 1, 1, READ_ONLY);
    const struct blkif_request_indirect named = indirect(BLKIF_OP_WRITE, 5, 1);
    put_indirect(&named);
}

static void a_read_only_disk_is_not_changed(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) { /* for this vbd, or for all */
        f->config.writable = which == 1;
        f->fake.vdisk->capabilities.writable = which == 0;
        connect();
        put_all_that_changes_the_disk();
        consume(6);
        expect(0, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
        expect(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_EOPNOTSUPP);
        expect(2, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_EOPNOTSUPP);
        expect(3, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_EOPNOTSUPP);
        expect(4, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
        expect(5, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
        assert_int_equal(f->waiting_count, 0);
        assert_int_equal(f->ring->grants.mapped_count, 1); /* the ring's own page */
        disconnect();
    }
}

static void failures_reach_their_request(void **state)
{
    (void)state;
    static const int errors[] = {-EIO, -ENOSPC, -EROFS, -EINVAL, -EOPNOTSUPP};
    connect();
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const bool optional = errors[i] == -EOPNOTSUPP; /* the disk below can't: the node says so */
        const struct blkif_request write = one_page(BLKIF_OP_WRITE, 1, 0);
        const struct blkif_request flush = without_segments(BLKIF_OP_FLUSH_DISKCACHE, 2);
        put(&write);
        put(&flush);
        put_discard(3, 0, 8, 0);
        consume(3);
        end(2, errors[i]);
        end(1, errors[i]);
        end(0, errors[i]);
        expect(3, BLKIF_OP_DISCARD, optional ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR);
        expect(2, BLKIF_OP_FLUSH_DISKCACHE, optional ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR);
        expect(1, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    }
    assert_int_equal(f->ring->stats.others_done, 0);
    assert_int_equal(f->ring->stats.written_sectors, 0);
}

static void operations_that_there_are_not(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {BLKIF_OP_RESERVED_1, 7, 100, 255};
    connect();
    for (uint64_t i = 0; i < 4; i++) {
        const struct blkif_request req = one_page(unknown[i], i, 0);
        put(&req);
    }
    consume(4);
    for (uint64_t i = 0; i < 4; i++)
        expect(i, unknown[i], BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(f->ring->stats.unknown, 4);
}

/* ---- flushes and barriers ---- */

static void a_flush_is_one_request(void **state)
{
    (void)state;
    connect();
    const struct blkif_request req = without_segments(BLKIF_OP_FLUSH_DISKCACHE, 1);
    put(&req);
    consume(1);
    expect_waiting(0, BLOCK_FLUSH, 0);
    assert_int_equal(f->waiting[0]->segment_count, 0);
    end(0, 0);
    expect(1, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
    assert_int_equal(f->ring->stats.flushes, 1);
}

/* What was written before is on stable storage before these sectors are, and they are in the end.
 */
static void a_flush_with_data_flushes_twice(void **state)
{
    (void)state;
    connect();
    for (int failing = 0; failing < 4; failing++) {
        const struct blkif_request req = one_page(BLKIF_OP_FLUSH_DISKCACHE, 1, 16);
        put(&req);
        consume(1);
        for (int step = 0; step < 3; step++) {
            expect_none();
            assert_true(is_in_use(PAGE_REF + READ_ONLY + 1));
            expect_waiting(0, step == 1 ? BLOCK_WRITE : BLOCK_FLUSH, step == 1 ? 8 : 0);
            assert_int_equal(f->waiting_count, 1);
            end(0, step == failing ? -EIO : 0);
            if (step == failing)
                break;
        }
        expect(1, BLKIF_OP_FLUSH_DISKCACHE, failing < 3 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
        assert_int_equal(f->waiting_count, 0);
    }
    assert_int_equal(f->ring->stats.written_sectors, 8);
}

static void a_barrier_waits_for_all_before_it_and_all_after_wait_for_it(void **state)
{
    (void)state;
    connect();
    for (uint64_t id = 0; id < 3; id++) {
        const struct blkif_request req = one_page(BLKIF_OP_WRITE, id, 8 * id);
        put(&req);
    }
    const struct blkif_request barrier = one_page(BLKIF_OP_WRITE_BARRIER, 3, 100);
    put(&barrier);
    const struct blkif_request late = one_page(BLKIF_OP_READ, 4, 100);
    put(&late);
    consume(4); /* not the late one */
    assert_int_equal(f->waiting_count, 3);
    assert_false(vbd_ring_arm(f->ring)); /* and nobody is kept awake for it */
    end(2, 0);
    end(0, 0);
    consume(0);
    assert_int_equal(f->waiting_count, 1);
    end(0, 0);
    consume(0); /* begins the barrier */
    expect_waiting(0, BLOCK_FLUSH, 0);
    end(0, 0);
    consume(0);
    expect_waiting(0, BLOCK_WRITE, 8);
    end(0, 0);
    expect_waiting(0, BLOCK_FLUSH, 0);
    for (uint64_t i = 0; i < 3; i++)
        expect(i == 0 ? 2 : i - 1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect_none();
    consume(0);
    end(0, 0);
    expect(3, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
    consume(1);
    expect_waiting(0, BLOCK_READ, 8);
    end(0, 0);
    expect(4, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* The loop looks at the ring again whenever it can go on. */
static void a_barrier_wakes_its_ring(void **state)
{
    (void)state;
    connect();
    const struct blkif_request write = one_page(BLKIF_OP_WRITE, 0, 0);
    const struct blkif_request barrier = without_segments(BLKIF_OP_WRITE_BARRIER, 1);
    const struct blkif_request late = one_page(BLKIF_OP_WRITE, 2, 8);
    put(&write);
    put(&barrier);
    put(&late);
    consume(2);
    assert_true(pollables_settle(&f->loop, 0));
    for (int step = 0; step < 2; step++) { /* the write, the barrier's flush */
        assert_int_equal(f->loop.active_count, 0);
        struct block_request *request = take_waiting(0);
        request->done(request, 0);
        assert_int_equal(f->loop.active_count, 1);
        (void)pollables_turn(&f->loop, 1);
        (void)pollables_settle(&f->loop, 1);
        (void)pollables_settle(&f->loop, 1);
    }
    expect(0, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
    expect_waiting(0, BLOCK_WRITE, 8);
    end(0, 0);
    expect(2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
}

static void barriers_in_a_row_are_served_in_one_look(void **state)
{
    (void)state;
    f->answers_at_once = true;
    connect();
    for (uint64_t id = 0; id < 30; id++) {
        const struct blkif_request req = id % 3 == 0 ? without_segments(BLKIF_OP_WRITE_BARRIER, id)
                                         : id % 3 == 1
                                             ? one_page(BLKIF_OP_WRITE_BARRIER, id, 8 * id)
                                             : one_page(BLKIF_OP_READ, id, 8 * id);
        put(&req);
    }
    int taken = 0;
    for (int look = 0; look < 3; look++) /* bounded by what is copied */
        taken += vbd_ring_consume(f->ring, 0);
    assert_int_equal(taken, 30);
    for (uint64_t id = 0; id < 30; id++)
        expect(id, id % 3 == 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
}

static void the_disk_may_shrink_while_a_barrier_waits(void **state)
{
    (void)state;
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_WRITE_BARRIER, 1, 4000);
    put(&req);
    consume(1);
    f->fake.vdisk->capabilities.sector_count = 4000;
    end(0, 0);
    expect(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_ERROR);
    assert_int_equal(f->waiting_count, 0);
}

/* ---- discards ---- */

static void a_discard_is_handed_on(void **state)
{
    (void)state;
    connect();
    put_discard(1, 5, DISK_SECTORS - 5, 0);
    consume(1);
    expect_waiting(0, BLOCK_DISCARD, DISK_SECTORS - 5);
    assert_int_equal(f->waiting[0]->sector, 5);
    assert_int_equal(f->waiting[0]->segment_count, 0);
    end(0, 0);
    expect(1, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
    assert_int_equal(f->ring->stats.discards, 1);
    assert_int_equal(f->ring->stats.written_sectors, 0);
}

static void discards_that_are_refused(void **state)
{
    (void)state;
    connect();
    put_discard(1, 0, 8, BLKIF_DISCARD_SECURE);
    put_discard(2, 0, 0, 0);
    put_discard(3, 1, DISK_SECTORS, 0);
    consume(3);
    expect(1, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
    expect(2, BLKIF_OP_DISCARD, BLKIF_RSP_ERROR);
    expect(3, BLKIF_OP_DISCARD, BLKIF_RSP_ERROR);
    disconnect();
    f->config.discard = false;
    connect();
    put_discard(4, 0, 8, 0);
    consume(1);
    expect(4, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(f->waiting_count, 0);
}

/* ---- indirect requests ---- */

static void an_indirect_request_is_the_operation_that_it_names(void **state)
{
    (void)state;
    connect();
    for (int op = BLKIF_OP_READ; op <= BLKIF_OP_WRITE; op++) {
        static const uint32_t counts[] = {1, 12, 256, 512, 513, 4096};
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            f->fake.vdisk->capabilities.sector_count = 40000;
            name_segments(counts[i], 10, 2, op == BLKIF_OP_READ ? 0 : READ_ONLY);
            struct blkif_request_indirect req = indirect((uint8_t)op, i, counts[i]);
            req.sector_number = 7;
            put_indirect(&req);
            consume(1);
            expect_waiting(0, op == BLKIF_OP_READ ? BLOCK_READ : BLOCK_WRITE, counts[i] * 8u);
            assert_int_equal(f->waiting[0]->sector, 7);
            assert_false(is_in_use(PAGE_REF + READ_ONLY)); /* the page that names is done with */
            end(0, 0);
            expect(i, (uint8_t)op, BLKIF_RSP_OKAY);
            assert_int_equal(f->ring->grants.mapped_count, 1);
            assert_int_equal(f->ring->indirect_segments, 0);
        }
    }
    assert_int_equal(f->ring->stats.writes, 6);
    assert_int_equal(f->ring->stats.reads_done, 6);
}

/* Neighbours in memory are one segment, in that order only. */
static void neighbours_are_one_segment(void **state)
{
    static const uint32_t pages[] = {20, 21, 22, 30, 29, 31, 40, 40};
    struct blkif_request_segment *named;
    (void)state;
    connect();
    named = (struct blkif_request_segment *)(void *)page(0);
    for (uint32_t i = 0; i < 8; i++)
        named[i] = (struct blkif_request_segment){.gref = PAGE_REF + pages[i], .last_sect = 7};
    named[2].last_sect = 3; /* the next one is no neighbour of a part of a page */
    const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 1, 8);
    put_indirect(&req);
    consume(1);
    static const uint32_t firsts[] = {20, 30, 29, 31, 40, 40}, sectors[] = {20, 8, 8, 8, 8, 8};
    assert_int_equal(f->waiting[0]->segment_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_ptr_equal(f->waiting[0]->segments[i].address, page(firsts[i]));
        assert_int_equal(f->waiting[0]->segments[i].sector_count, sectors[i]);
    }
    end(0, 0);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* XSA-155: what the page says later is nobody's. */
static void the_page_that_names_may_change(void **state)
{
    (void)state;
    connect();
    name_segments(100, 10, 50, 0);
    const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 1, 100);
    put_indirect(&req);
    consume(1);
    memset(page(0), 0xff, XEN_PAGE_SIZE);
    expect_waiting(0, BLOCK_READ, 800);
    assert_int_equal(f->ring->grants.mapped_count, 51);
    end(0, 0);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(f->ring->grants.mapped_count, 1);
}

static void indirect_requests_that_lie_are_refused(void **state)
{
    (void)state;
    connect();
    for (int lie = 0; lie < 9; lie++) {
        struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 1, 513);
        struct blkif_request_segment *last = (struct blkif_request_segment *)(void *)page(1);
        f->fake.vdisk->capabilities.sector_count = 513 * 8;
        name_segments(513, 10, 50, 0);
        req.nr_segments = lie == 0 ? 0 : lie == 1 ? 4097 : 513;
        req.indirect_op = lie == 2 ? BLKIF_OP_FLUSH_DISKCACHE : lie == 3 ? BLKIF_OP_INDIRECT : 0;
        req.indirect_grefs[1] += lie == 4 ? 10000 : 0; /* no such grant */
        last->gref = lie == 5 ? 9 : last->gref;        /* not granted */
        last->last_sect = lie == 6 ? 8 : 7;            /* beyond its page */
        last->gref += lie == 7 ? READ_ONLY : 0;        /* can't be read into */
        req.sector_number = lie == 8 ? 1 : 0;          /* beyond the end */
        put_indirect(&req);
        consume(1);
        expect(1, req.indirect_op, BLKIF_RSP_ERROR);
        assert_int_equal(f->waiting_count, 0);
        assert_int_equal(f->ring->grants.mapped_count, 1);
        assert_int_equal(f->ring->indirect_segments, 0);
    }
    assert_int_equal(f->ring->stats.out_of_room, 0);
    assert_int_equal(f->ring->stats.unknown, 2);
}

static void room_for_what_is_named_is_bounded(void **state)
{
    enum { MOST = VBD_RING_INDIRECT_SEGMENTS / 4096 };
    (void)state;
    f->fake.vdisk->capabilities.sector_count = 40000;
    connect_order(1);
    name_segments(4096, 10, 70, 0);
    for (uint64_t id = 0; id <= MOST; id++) {
        const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, id, 4096);
        put_indirect(&req);
        consume(1); /* and one look takes no more than one of these */
    }
    expect(MOST, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    assert_int_equal(f->ring->stats.out_of_room, 1);
    assert_int_equal(f->waiting_count, MOST);
    end(0, 0);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 99, 4096);
    put_indirect(&req);
    consume(1);
    while (f->waiting_count > 0)
        end(0, 0);
}

static void one_look_takes_a_bounded_number_of_named_segments(void **state)
{
    (void)state;
    connect();
    name_segments(60, 10, 50, 0);
    for (uint64_t id = 0; id < 3; id++) {
        const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, id, 60);
        put_indirect(&req);
    }
    consume(2);
    assert_true(vbd_ring_arm(f->ring));
    consume(1);
    while (f->waiting_count > 0)
        end(0, 0);
}

static void persistent_grants_hold_for_all_kinds(void **state)
{
    (void)state;
    f->config.persistent_grants = true;
    connect();
    name_segments(1, 2, 1, 0);
    const struct blkif_request write = one_page(BLKIF_OP_WRITE, 1, 0);
    const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 2, 1);
    put(&write);
    put_indirect(&named);
    consume(2);
    end(0, 0);
    end(0, 0);
    assert_true(is_in_use(PAGE_REF + READ_ONLY + 1));
    assert_true(is_in_use(PAGE_REF + READ_ONLY)); /* the page that names */
    assert_true(is_in_use(PAGE_REF + 2));
    disconnect();
    assert_false(is_in_use(PAGE_REF + 2));
}

/* ---- completion in virtual time ---- */

static uint64_t end_at(uint64_t due_ns)
{
    f->waiting[0]->due_ns = due_ns;
    end(0, 0);
    return due_ns;
}

/* Three requests to the model, one after another, and the time of all three. */
static void a_flush_with_data_takes_the_time_of_its_steps(void **state)
{
    enum { START_NS = 1000000 };
    const struct tdf one = {1, 1};
    struct tdf_source source;
    struct tdf_clock clock;
    (void)state;
    assert_int_equal(tdf_source_manual(&source, 1000000000, START_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&clock, &source, NULL, 0, one), 0);
    f->config.virtual_completion = true;
    f->config.clock = &clock;
    f->config.tdf = &one;
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_FLUSH_DISKCACHE, 1, 0);
    blkif_put_request(&f->front, &req);
    blkif_put_request_stamp(&f->front, START_NS - 500);
    (void)front_ring_push(&f->front.half);
    consume(1);
    const uint64_t asked_ns = f->waiting[0]->asked_ns;
    uint64_t due_ns = end_at(asked_ns + 100);
    assert_int_equal(f->waiting[0]->asked_ns, due_ns);
    due_ns = end_at(due_ns + 1000);
    assert_int_equal(f->waiting[0]->asked_ns, due_ns);
    (void)end_at(due_ns + 30);
    expect(1, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
    assert_int_equal(blkif_take_response_stamp(&f->front), START_NS - 500 + 1130);
    put_discard(2, 0, 8, 0);
    blkif_put_request_stamp(&f->front, 0); /* beside the discard; too late for this one */
    consume(1);
    end(0, 0);
    expect(2, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
    assert_int_equal(blkif_take_response_stamp(&f->front), 0); /* no model did it */
    disconnect();
}

/* ---- the end of a ring ---- */

static void a_ring_may_end_in_a_barrier(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        connect();
        const struct blkif_request write = one_page(BLKIF_OP_WRITE, 0, 0);
        const struct blkif_request barrier = one_page(BLKIF_OP_WRITE_BARRIER, 1, 8);
        if (begun == 0)
            put(&write);
        put(&barrier);
        consume(2 - begun);
        assert_true(is_in_use(PAGE_REF + READ_ONLY + 1));
        disconnect();
        assert_false(is_in_use(PAGE_REF + READ_ONLY + 1));
        assert_int_equal(f->waiting_count, 0);
    }
}

/* Its memory is held until the device is done with it. */
static void a_ring_ends_while_the_device_is_at_work(void **state)
{
    (void)state;
    for (int persistent = 0; persistent < 2; persistent++) {
        f->config.persistent_grants = persistent == 1;
        f->at_work = false;
        connect();
        const struct blkif_request early = one_page(BLKIF_OP_WRITE, 5, 0);
        const struct blkif_request read = one_page(BLKIF_OP_READ, 6, 0);
        put(&early);
        consume(1);
        end(0, 0);
        name_segments(60, 10, 50, 0);
        const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 1, 60);
        put(&read);
        put_indirect(&named);
        consume(2);
        f->at_work = true;
        disconnect();
        assert_int_equal(f->hold.holders, 2);
        assert_true(is_in_use(PAGE_REF + 10)); /* what the device reads into, */
        assert_true(is_in_use(PAGE_REF + 6));
        assert_false(is_in_use(PAGE_REF + READ_ONLY + 5)); /* and nothing else */
        assert_false(is_in_use(PAGE_REF + READ_ONLY));
        assert_false(is_in_use(RING_REF));
        end(1, 0);
        assert_false(is_in_use(PAGE_REF + 10));
        assert_true(is_in_use(PAGE_REF + 6));
        assert_int_equal(f->hold.holders, 2);
        end(0, -ECANCELED);
        assert_false(is_in_use(PAGE_REF + 6));
        assert_int_equal(f->hold.holders, 1);
        assert_false(f->let_go);
    }
}

static void the_last_who_lets_go_gives_the_memory_back(void **state)
{
    (void)state;
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_WRITE, 5, 0);
    put(&req);
    consume(1);
    f->at_work = true;
    disconnect();
    hold_put(&f->hold); /* the domain has ended, too */
    assert_false(f->let_go);
    end(0, 0);
    assert_true(f->let_go);
    f->hold.holders = 1;
}

int main(void)
{
#define OPERATION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        OPERATION_TEST(a_write_hands_on_pages_that_are_only_read),
        OPERATION_TEST(a_read_needs_pages_that_are_written),
        OPERATION_TEST(reads_and_others_take_turns),
        OPERATION_TEST(a_read_only_disk_is_not_changed),
        OPERATION_TEST(failures_reach_their_request),
        OPERATION_TEST(operations_that_there_are_not),
        OPERATION_TEST(a_flush_is_one_request),
        OPERATION_TEST(a_flush_with_data_flushes_twice),
        OPERATION_TEST(a_barrier_waits_for_all_before_it_and_all_after_wait_for_it),
        OPERATION_TEST(a_barrier_wakes_its_ring),
        OPERATION_TEST(barriers_in_a_row_are_served_in_one_look),
        OPERATION_TEST(the_disk_may_shrink_while_a_barrier_waits),
        OPERATION_TEST(a_discard_is_handed_on),
        OPERATION_TEST(discards_that_are_refused),
        OPERATION_TEST(an_indirect_request_is_the_operation_that_it_names),
        OPERATION_TEST(neighbours_are_one_segment),
        OPERATION_TEST(the_page_that_names_may_change),
        OPERATION_TEST(indirect_requests_that_lie_are_refused),
        OPERATION_TEST(room_for_what_is_named_is_bounded),
        OPERATION_TEST(one_look_takes_a_bounded_number_of_named_segments),
        OPERATION_TEST(persistent_grants_hold_for_all_kinds),
        OPERATION_TEST(a_flush_with_data_takes_the_time_of_its_steps),
        OPERATION_TEST(a_ring_may_end_in_a_barrier),
        OPERATION_TEST(a_ring_ends_while_the_device_is_at_work),
        OPERATION_TEST(the_last_who_lets_go_gives_the_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
