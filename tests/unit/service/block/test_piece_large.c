/* SPDX-License-Identifier: MIT */
/*
 * piece: what becomes of large requests: pieces, buffers, and others between them.
 * tsan: long: it starts no thread
 */
#include <errno.h>
#include <sys/uio.h>

#include "service/block/tail.h"
#include "unit/service/block/piece_fixture.h"

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

/* Of a disk that takes two parts fewer than there are pages: three pages are one part. */
static void a_piece_of_too_many_pages_ends_in_memory_of_dom0(void **state)
{
    (void)state;
    enum { PAGES = 40, COUNT = PAGES * PAGE_SECTORS, PARTS_MAX = PAGES - 2 };
    static const enum block_operation operations[] = {BLOCK_WRITE, BLOCK_READ};
    f->vdisk->image.parts_max = PARTS_MAX;
    for (uint32_t i = 0; i < 2; i++) {
        memset(on_disk(1000), 0x33, COUNT * BLOCK_SECTOR_BYTES);
        for (uint32_t s = 0; s < COUNT; s++)
            memset(f->memory + s * BLOCK_SECTOR_BYTES, (int)(s % 251), BLOCK_SECTOR_BYTES);
        struct ask *a = ask(i, operations[i], 1000, COUNT);
        dispatch();
        assert_int_equal(f->disk->waiting_count, 1);
        const struct iovec *part = waiting(0)->iov;
        assert_int_equal(waiting(0)->iov_count, 2);
        assert_ptr_equal(part[0].iov_base, f->memory);
        assert_int_equal(part[0].iov_len, (PARTS_MAX - 1) * TAIL_PAGE_BYTES);
        assert_int_equal(part[1].iov_len, 3 * TAIL_PAGE_BYTES);
        assert_int_equal((uintptr_t)part[1].iov_base % TAIL_PAGE_BYTES, 0);
        fake_vdisk_finish(&f->fake);
        assert_int_equal(a->status, 0);
        assert_memory_equal(f->memory, on_disk(1000), COUNT * BLOCK_SECTOR_BYTES);
        assert_int_equal(*on_disk(1000), i == 0 ? 0 : 0x33);
    }
}

static void a_read_that_fails_brings_no_tail(void **state)
{
    (void)state;
    enum { PAGES = 40, COUNT = PAGES * PAGE_SECTORS };
    f->vdisk->image.parts_max = PAGES - 1;
    memset(f->memory, 0x44, COUNT * BLOCK_SECTOR_BYTES);
    struct ask *r = ask(0, BLOCK_READ, 1000, COUNT);
    dispatch();
    assert_int_equal(waiting(0)->iov_count, 2);
    memset(waiting(0)->iov[1].iov_base, 0x55, waiting(0)->iov[1].iov_len);
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(r->status, -EIO);
    assert_int_equal(f->memory[COUNT * BLOCK_SECTOR_BYTES - 1], 0x44);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_4k, a_large_read_goes_straight_to_memory_in_pieces),
        WITH(setup, a_request_may_be_used_again),
        WITH(setup_4k, a_piece_of_too_many_pages_ends_in_memory_of_dom0),
        WITH(setup_4k, a_read_that_fails_brings_no_tail),
        WITH(setup, a_large_write_leaves_nothing_in_the_cache),
        WITH(setup_4k, what_is_not_aligned_goes_through_buffers),
        WITH(setup_4k, memory_that_is_not_aligned_goes_through_buffers),
        WITH(setup, a_large_request_that_the_device_works_on_cannot_be_taken_back),
        WITH(setup, a_large_request_that_waits_can_be_taken_back),
        WITH(setup, a_piece_that_fails_ends_the_request),
        WITH(setup, others_go_between_the_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
