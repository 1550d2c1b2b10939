/* SPDX-License-Identifier: MIT */
/* piece: what becomes of writes, flushes, discards and large requests at the engine. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "service/block/queue.h"

enum {
    SECTORS = 262144, /* 128 MiB: two pieces of a discard */
    DEPTH = 4,
    CACHE_SECTORS = 64,
    CLIENTS = 3,
    ASKS = 12,
    LARGE = 5000, /* sectors: two whole pieces and a rest */
    PAGE_SECTORS = 8,
    NOT_DONE = 4711,
};

/* A request of the test. */
struct ask {
    struct block_request request;
    struct block_segment segment[LARGE / PAGE_SECTORS];
    int status;
    uint32_t done_count;
};

struct fixture {
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next two */
    struct vdisk *vdisk;
    struct fake_disk *disk;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS];
    uint8_t *memory; /* of one large request, and a sector more */
    uint32_t told;   /* calls of the clients' changed */
    bool told_before_done;
};

static struct fixture *f;

static void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_false(block_request_is_active(request));
    a->status = status;
    a->done_count++;
}

static void on_change(void *ctx)
{
    struct ask *a = ctx;
    f->told++;
    f->told_before_done = a->done_count == 0;
}

/* Its memory begins at data, in segments that follow each other. */
static struct ask *fill(uint32_t n, enum block_operation operation, uint64_t sector,
                        uint64_t sector_count, uint8_t *data)
{
    struct ask *a = &f->ask[n];
    memset(a, 0, sizeof(*a));
    a->status = NOT_DONE;
    a->request = (struct block_request){.operation = operation,
                                        .sector = sector,
                                        .sector_count = sector_count,
                                        .segments = a->segment,
                                        .done = on_done};
    for (uint64_t at = 0; data != NULL && at < sector_count; at += PAGE_SECTORS) {
        uint64_t left = sector_count - at;
        a->segment[a->request.segment_count++] = (struct block_segment){
            .address = data + at * BLOCK_SECTOR_BYTES,
            .sector_count = (uint32_t)(left < PAGE_SECTORS ? left : PAGE_SECTORS)};
    }
    return a;
}

static struct ask *ask(uint32_t n, enum block_operation operation, uint64_t sector,
                       uint64_t sector_count)
{
    struct ask *a = fill(n, operation, sector, sector_count,
                         operation == BLOCK_READ || operation == BLOCK_WRITE ? f->memory : NULL);
    block_submit(&f->client[0], &a->request, 0);
    return a;
}

static void dispatch(void)
{
    fake_vdisk_dispatch(&f->fake);
}

static const struct disk_io *waiting(uint32_t at)
{
    assert_true(at < f->disk->waiting_count);
    return f->disk->waiting[at];
}

static int setup_with(uint32_t block_bytes, bool writable)
{
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = SECTORS,
                                                            .block_size_bytes = block_bytes,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = DEPTH,
                                                            .writable = writable});
    f->device = f->fake.device;
    f->vdisk = f->fake.vdisk;
    f->disk = f->fake.disk;
    f->disk->content = calloc(SECTORS, BLOCK_SECTOR_BYTES);
    f->memory = aligned_alloc(4096, (LARGE / PAGE_SECTORS + 1) * 4096);
    for (uint32_t i = 0; i < (LARGE + 1) * BLOCK_SECTOR_BYTES; i++)
        f->memory[i] = (uint8_t)(i / BLOCK_SECTOR_BYTES * 7 + 1);
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->vdisk);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(512, true);
}

static int setup_4k(void **state)
{
    (void)state;
    return setup_with(4096, true);
}

static int setup_read_only(void **state)
{
    (void)state;
    return setup_with(512, false);
}

static int teardown(void **state)
{
    (void)state;
    fake_vdisk_finish(&f->fake);
    for (int i = 0; i < ASKS; i++)
        assert_true(f->ask[i].done_count <= 1);
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    free(f->disk->content);
    f->disk->content = NULL;
    fake_vdisk_destroy(&f->fake);
    free(f->memory);
    free(f);
    return 0;
}

static uint8_t *on_disk(uint64_t sector)
{
    return f->disk->content + sector * BLOCK_SECTOR_BYTES;
}

static void a_read_only_disk_is_not_changed(void **state)
{
    (void)state;
    assert_false(f->vdisk->capabilities.writable);
    assert_false(f->vdisk->capabilities.flush);
    assert_false(f->vdisk->capabilities.discard);
    assert_int_equal(ask(0, BLOCK_WRITE, 0, 1)->status, -EROFS);
    assert_int_equal(ask(1, BLOCK_DISCARD, 0, 8)->status, -EROFS);
    assert_int_equal(ask(2, BLOCK_FLUSH, 0, 0)->status, -EOPNOTSUPP);
    dispatch();
    assert_int_equal(f->disk->submitted, 0);
}

/* Whatever the domain does to its page after that. */
static void a_writes_data_is_taken_once(void **state)
{
    (void)state;
    struct ask *w = ask(0, BLOCK_WRITE, 5, 2);
    dispatch();
    assert_int_equal(waiting(0)->operation, DISK_WRITE);
    memset(f->memory, 0xff, 2 * BLOCK_SECTOR_BYTES);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(w->status, 0);
    assert_int_equal(*on_disk(5), 1);
    assert_int_equal(*on_disk(6), 8);
    struct ask *r = ask(1, BLOCK_READ, 5, 2);
    assert_int_equal(r->status, 0); /* from the cache */
    assert_memory_equal(f->memory, on_disk(5), 2 * BLOCK_SECTOR_BYTES);
    assert_int_equal(f->vdisk->stats.writes, 1);
    assert_int_equal(device_stats(f->device)->writes, 1);
    assert_int_equal(device_stats(f->device)->bytes_written, 2 * BLOCK_SECTOR_BYTES);
}

static void a_part_of_a_block_is_merged_into_it(void **state)
{
    (void)state;
    memset(on_disk(0), 0x77, 16 * BLOCK_SECTOR_BYTES);
    struct ask *w = ask(0, BLOCK_WRITE, 6, 3);
    dispatch();
    assert_int_equal(waiting(0)->operation, DISK_READ);
    assert_int_equal(waiting(0)->length_bytes, 8192);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(w->status, NOT_DONE);
    assert_int_equal(waiting(0)->operation, DISK_WRITE);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(w->status, 0);
    assert_int_equal(*on_disk(5), 0x77);
    assert_memory_equal(on_disk(6), f->memory, 3 * BLOCK_SECTOR_BYTES);
    assert_int_equal(*on_disk(9), 0x77);
}

static void blocks_that_cannot_be_read_are_not_written(void **state)
{
    (void)state;
    struct ask *w = ask(0, BLOCK_WRITE, 6, 3);
    dispatch();
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(w->status, -EIO);
    assert_int_equal(f->disk->waiting_count, 0);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(f->disk->submitted, 1);
}

static void a_write_taken_back_before_it_is_merged_writes_nothing(void **state)
{
    (void)state;
    struct ask *w = ask(0, BLOCK_WRITE, 6, 3);
    dispatch();
    assert_true(block_cancel(&w->request));
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->done_count, 0);
    assert_int_equal(f->disk->submitted, 1);
}

/* The page belongs to somebody else by then: its data is in the buffer. */
static void a_small_write_taken_back_needs_its_memory_no_more(void **state)
{
    (void)state;
    struct ask *w = ask(0, BLOCK_WRITE, 16, 8);
    dispatch();
    assert_true(block_cancel(&w->request));
    memset(f->memory, 0xff, 4096);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->done_count, 0);
    assert_int_equal(*on_disk(16), 1);
}

static void errors_reach_exactly_their_requests(void **state)
{
    (void)state;
    static const int statuses[][2] = {{-EIO, -EIO},       {-ENOSPC, -ENOSPC}, {0, 0},
                                      {-EDQUOT, -ENOSPC}, {-ENOMEM, -EIO},    {-EROFS, -EROFS}};
    for (uint32_t i = 0; i < 6; i++) {
        struct ask *other = ask(i, BLOCK_WRITE, 100, 8);
        dispatch();
        struct ask *w = ask(i + 6, BLOCK_WRITE, 200, 8);
        dispatch();
        fake_disk_complete(f->disk, 1, statuses[i][0]);
        assert_int_equal(w->status, statuses[i][1]);
        fake_disk_complete(f->disk, 0, 0);
        assert_int_equal(other->status, 0);
    }
}

static void a_flush_is_one_operation_without_a_span(void **state)
{
    (void)state;
    struct ask *flush = ask(0, BLOCK_FLUSH, 0, 0);
    dispatch();
    assert_int_equal(waiting(0)->operation, DISK_FLUSH);
    assert_int_equal(flush->status, NOT_DONE);
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(flush->status, -EIO);
    assert_true(f->vdisk->capabilities.flush); /* it can, and has failed */
    assert_int_equal(f->vdisk->stats.flushes, 1);
}

static void a_large_read_goes_straight_to_memory_in_pieces(void **state)
{
    (void)state;
    for (uint64_t s = 0; s < LARGE; s++)
        memset(on_disk(1000 + s), (int)(s % 251), BLOCK_SECTOR_BYTES);
    struct ask *r = ask(0, BLOCK_READ, 1000, LARGE);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 3);
    assert_int_equal(waiting(0)->length_bytes, 1 << 20);
    assert_int_equal(waiting(1)->length_bytes, 1 << 20);
    assert_int_equal(waiting(2)->length_bytes, (LARGE - 4096) * BLOCK_SECTOR_BYTES);
    assert_int_equal(waiting(0)->iov_count, 1); /* pages that follow each other are one part */
    assert_ptr_equal(waiting(1)->iov->iov_base, f->memory + (1 << 20));
    fake_disk_complete(f->disk, 1, 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(r->status, NOT_DONE);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(r->status, 0);
    assert_memory_equal(f->memory, on_disk(1000), LARGE * BLOCK_SECTOR_BYTES);
    assert_int_equal(cache_used(f->vdisk->cache), 0);
    assert_int_equal(f->vdisk->stats.misses, 1);
    assert_int_equal(device_stats(f->device)->reads, 3);
}

/* As its owner does who keeps requests: nothing is left of what it was before. */
static void a_request_may_be_used_again(void **state)
{
    (void)state;
    for (uint64_t s = 0; s < 2 * LARGE; s++)
        memset(on_disk(s), (int)(s % 251), BLOCK_SECTOR_BYTES);
    struct ask *r = ask(0, BLOCK_READ, 0, LARGE);
    fake_vdisk_finish(&f->fake);
    for (int direct = 0; direct < 2; direct++) {
        r->request.sector = direct ? LARGE : LARGE - 3; /* in blocks of 8 sectors, or through */
        r->status = NOT_DONE;
        memset(f->memory, 0xee, LARGE * BLOCK_SECTOR_BYTES);
        block_submit(&f->client[0], &r->request, 0);
        fake_vdisk_finish(&f->fake);
        assert_int_equal(r->status, 0);
        assert_memory_equal(f->memory, on_disk(r->request.sector), LARGE * BLOCK_SECTOR_BYTES);
    }
    assert_int_equal(r->done_count, 3);
    r->done_count = 1; /* teardown knows one use of each */
}

static void a_large_write_leaves_nothing_in_the_cache(void **state)
{
    (void)state;
    struct ask *r = ask(0, BLOCK_READ, 1000, 8);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(r->status, 0);
    assert_non_null(cache_peek(f->vdisk->cache, 1003));
    memset(f->memory, 0x5a, LARGE * BLOCK_SECTOR_BYTES);
    struct ask *w = ask(1, BLOCK_WRITE, 1000, LARGE);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    assert_memory_equal(f->memory, on_disk(1000), LARGE * BLOCK_SECTOR_BYTES);
    assert_int_equal(cache_used(f->vdisk->cache), 0);
}

static void what_is_not_aligned_goes_through_buffers(void **state)
{
    (void)state;
    enum { COUNT = 200, FIRST = 1003 };
    memset(on_disk(1000), 0x77, 256 * BLOCK_SECTOR_BYTES);
    struct ask *w = ask(0, BLOCK_WRITE, FIRST, COUNT);
    dispatch();
    for (uint32_t i = 0; i < f->disk->waiting_count; i++)
        assert_int_equal(waiting(i)->iov_count, 0);
    /* Only the first and the last piece have parts of blocks. */
    assert_int_equal(waiting(0)->operation, DISK_READ);
    assert_int_equal(waiting(1)->operation, DISK_WRITE);
    assert_int_equal(waiting(2)->operation, DISK_READ);
    assert_int_equal(f->disk->waiting_count, 3);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    assert_memory_equal(f->memory, on_disk(FIRST), COUNT * BLOCK_SECTOR_BYTES);
    assert_int_equal(*on_disk(FIRST - 1), 0x77);
    assert_int_equal(*on_disk(FIRST + COUNT), 0x77);
    memset(f->memory, 0, COUNT * BLOCK_SECTOR_BYTES);
    struct ask *r = ask(1, BLOCK_READ, FIRST, COUNT);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(r->status, 0);
    assert_memory_equal(f->memory, on_disk(FIRST), COUNT * BLOCK_SECTOR_BYTES);
}

static void memory_that_is_not_aligned_goes_through_buffers(void **state)
{
    (void)state;
    struct ask *w = fill(0, BLOCK_WRITE, 1000, 160, f->memory + BLOCK_SECTOR_BYTES);
    block_submit(&f->client[0], &w->request, 0);
    dispatch();
    assert_int_equal(waiting(0)->iov_count, 0);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    assert_memory_equal(f->memory + BLOCK_SECTOR_BYTES, on_disk(1000), 160 * BLOCK_SECTOR_BYTES);
}

/* Its memory stays until the device is done with it; no more of it is begun. */
static void a_large_request_that_the_device_works_on_cannot_be_taken_back(void **state)
{
    (void)state;
    enum { PIECES = 6 };
    struct ask *reads[DEPTH - 1];
    for (uint32_t i = 0; i < DEPTH - 1; i++)
        reads[i] = ask(i + 1, BLOCK_READ, 10 * i, 1);
    dispatch();
    struct ask *r = ask(0, BLOCK_READ, 1000, LARGE);
    dispatch();
    assert_int_equal(f->disk->waiting_count, DEPTH); /* one piece of it */
    assert_false(block_cancel(&r->request));
    assert_false(block_cancel(&r->request));
    fake_disk_complete(f->disk, 0, 0);
    dispatch();
    assert_int_equal(f->disk->waiting_count, DEPTH - 1);
    assert_int_equal(r->done_count, 0);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(r->done_count, 1);
    assert_int_equal(r->status, -ECANCELED);
    for (uint32_t i = 0; i < DEPTH - 1; i++)
        assert_int_equal(reads[i]->status, 0);
}

static void a_large_request_that_waits_can_be_taken_back(void **state)
{
    (void)state;
    struct ask *r = ask(0, BLOCK_READ, 1000, LARGE);
    assert_true(block_cancel(&r->request));
    fake_vdisk_finish(&f->fake);
    assert_int_equal(r->done_count, 0);
    assert_int_equal(f->disk->submitted, 0);
}

static void a_piece_that_fails_ends_the_request(void **state)
{
    (void)state;
    struct ask *reads[DEPTH - 2];
    for (uint32_t i = 0; i < DEPTH - 2; i++)
        reads[i] = ask(i + 1, BLOCK_READ, 10 * i, 1);
    dispatch();
    struct ask *w = ask(0, BLOCK_WRITE, 1000, LARGE);
    dispatch();
    assert_int_equal(f->disk->waiting_count, DEPTH); /* two of three pieces */
    fake_disk_complete(f->disk, DEPTH - 1, -ENOSPC);
    dispatch();
    assert_int_equal(w->done_count, 0);
    assert_int_equal(f->disk->waiting_count, DEPTH - 1); /* the third is not sent */
    fake_disk_complete(f->disk, DEPTH - 2, -EIO);
    assert_int_equal(w->status, -ENOSPC); /* the first one */
    fake_vdisk_finish(&f->fake);
    assert_int_equal(reads[0]->status, 0);
}

/* Its pieces take turns: somebody else's small read is not behind all of them. */
static void others_go_between_the_pieces(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DEPTH; i++) /* the device has its fill */
        ask(i + 2, BLOCK_READ, 10 * i, 1);
    dispatch();
    ask(0, BLOCK_READ, 1000, LARGE);
    struct ask *small = fill(1, BLOCK_READ, 9000, 1, f->memory);
    block_submit(&f->client[1], &small->request, 0);
    fake_disk_complete(f->disk, 0, 0);
    fake_disk_complete(f->disk, 0, 0);
    dispatch();
    assert_int_equal(f->disk->waiting_count, DEPTH);
    assert_true(waiting(DEPTH - 1)->iov_count == 0 || waiting(DEPTH - 2)->iov_count == 0);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(small->status, 0);
}

static void a_discard_goes_in_pieces_of_whole_blocks(void **state)
{
    (void)state;
    memset(on_disk(0), 0x77, (size_t)SECTORS * BLOCK_SECTOR_BYTES);
    struct ask *d = ask(0, BLOCK_DISCARD, 3, SECTORS - 6);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 2);
    assert_int_equal(waiting(0)->operation, DISK_DISCARD);
    assert_int_equal(waiting(0)->offset_bytes, 4096);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(d->status, 0);
    assert_int_equal(*on_disk(7), 0x77);
    assert_int_equal(*on_disk(8), 0);
    assert_int_equal(*on_disk(131072), 0);
    assert_int_equal(*on_disk(SECTORS - 9), 0);
    assert_int_equal(*on_disk(SECTORS - 8), 0x77);
}

static void a_discard_without_a_whole_block_does_nothing(void **state)
{
    (void)state;
    struct ask *d = ask(0, BLOCK_DISCARD, 3, 10);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(d->status, 0);
    assert_int_equal(f->disk->submitted, 0);
}

static void what_the_disk_cannot_do_is_not_offered_any_more(void **state)
{
    (void)state;
    assert_true(f->vdisk->capabilities.discard);
    assert_int_equal(f->vdisk->capabilities.discard_granularity_bytes, 512);
    block_client_on_change(&f->client[0], on_change, &f->ask[0]);
    block_client_on_change(&f->client[2], on_change, &f->ask[0]);
    struct ask *d = ask(0, BLOCK_DISCARD, 0, 8), *second = ask(1, BLOCK_DISCARD, 8, 8);
    dispatch();
    fake_disk_complete(f->disk, 0, -EOPNOTSUPP);
    assert_int_equal(d->status, -EOPNOTSUPP);
    assert_int_equal(f->told, 2);
    assert_true(f->told_before_done);
    fake_disk_complete(f->disk, 0, -EOPNOTSUPP);
    assert_int_equal(second->status, -EOPNOTSUPP);
    assert_int_equal(f->told, 2); /* once */
    assert_false(f->vdisk->capabilities.discard);
    assert_true(f->vdisk->capabilities.writable);
    vdisk_image_changed(f->vdisk); /* nor after that */
    assert_false(f->vdisk->capabilities.discard);
    assert_int_equal(ask(2, BLOCK_DISCARD, 0, 8)->status, -EOPNOTSUPP);
    ask(3, BLOCK_FLUSH, 0, 0);
    dispatch();
    fake_disk_complete(f->disk, 0, -EINVAL); /* as fdatasync says it */
    assert_int_equal(f->ask[3].status, -EOPNOTSUPP);
    assert_false(f->vdisk->capabilities.flush);
    assert_int_equal(f->told, 4);
}

static void a_write_to_what_is_not_there_any_more_is_refused(void **state)
{
    (void)state;
    struct ask *w = ask(0, BLOCK_WRITE, SECTORS - 8, 8);
    f->vdisk->image.size_bytes /= 2;
    vdisk_image_changed(f->vdisk);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, -EINVAL);
    assert_int_equal(f->disk->submitted, 0);
}

#define WITH(fixture, test) cmocka_unit_test_setup_teardown(test, fixture, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_read_only, a_read_only_disk_is_not_changed),
        WITH(setup, a_writes_data_is_taken_once),
        WITH(setup_4k, a_part_of_a_block_is_merged_into_it),
        WITH(setup_4k, blocks_that_cannot_be_read_are_not_written),
        WITH(setup_4k, a_write_taken_back_before_it_is_merged_writes_nothing),
        WITH(setup_4k, a_small_write_taken_back_needs_its_memory_no_more),
        WITH(setup, errors_reach_exactly_their_requests),
        WITH(setup, a_flush_is_one_operation_without_a_span),
        WITH(setup_4k, a_large_read_goes_straight_to_memory_in_pieces),
        WITH(setup, a_request_may_be_used_again),
        WITH(setup, a_large_write_leaves_nothing_in_the_cache),
        WITH(setup_4k, what_is_not_aligned_goes_through_buffers),
        WITH(setup_4k, memory_that_is_not_aligned_goes_through_buffers),
        WITH(setup, a_large_request_that_the_device_works_on_cannot_be_taken_back),
        WITH(setup, a_large_request_that_waits_can_be_taken_back),
        WITH(setup, a_piece_that_fails_ends_the_request),
        WITH(setup, others_go_between_the_pieces),
        WITH(setup_4k, a_discard_goes_in_pieces_of_whole_blocks),
        WITH(setup_4k, a_discard_without_a_whole_block_does_nothing),
        WITH(setup, what_the_disk_cannot_do_is_not_offered_any_more),
        WITH(setup, a_write_to_what_is_not_there_any_more_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
