/* SPDX-License-Identifier: MIT */
/*
 * piece: what becomes of small writes, flushes and discards at the engine.
 * tsan: long: it starts no thread
 */
#include <errno.h>

#include "fakes/fake_probes.h"
#include "unit/service/block/piece_fixture.h"

static void on_change(void *ctx)
{
    struct ask *a = ctx;
    f->told++;
    f->told_before_done = a->done_count == 0;
}

static int setup_read_only(void **state)
{
    (void)state;
    return setup_with(512, false);
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

static void a_write_passes_the_probes_of_its_stages(void **state)
{
    (void)state;
    if (!fake_probes_begin())
        skip();
    ask(0, BLOCK_WRITE, 5, 2);
    dispatch();
    uint32_t queued = fake_probes_passed("queued"), picked = fake_probes_passed("picked");
    uint32_t sent = fake_probes_passed("sent"), early = fake_probes_passed("completed");
    fake_disk_complete(f->disk, 0, 0);
    uint32_t completed = fake_probes_passed("completed");
    fake_probes_end();
    assert_true(queued == 1 && picked == 1 && sent == 1 && early == 0 && completed == 1);
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

/* Two writes of one sector reach the disk one after the other. */
static void a_change_waits_for_an_earlier_one_of_its_sectors(void **state)
{
    (void)state;
    struct ask *first = ask(0, BLOCK_WRITE, 8, 4), *second = ask(1, BLOCK_WRITE, 11, 4);
    struct ask *beside = ask(2, BLOCK_WRITE, 15, 1), *dropped = ask(3, BLOCK_DISCARD, 0, 16);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 2);
    assert_int_equal(second->request.state, BLOCK_REQUEST_BLOCKED);
    assert_int_equal(dropped->request.state, BLOCK_REQUEST_BLOCKED);
    fake_disk_complete_all(f->disk, 0);
    assert_int_equal(first->done_count + beside->done_count, 2);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 1);
    assert_int_equal(second->request.state, BLOCK_REQUEST_WORKING);
    fake_disk_complete_all(f->disk, 0);
    dispatch();
    assert_int_equal(waiting(0)->operation, DISK_DISCARD);
    fake_disk_complete_all(f->disk, 0);
    assert_int_equal(second->status + dropped->status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_read_only, a_read_only_disk_is_not_changed),
        WITH(setup, a_write_passes_the_probes_of_its_stages),
        WITH(setup, a_writes_data_is_taken_once),
        WITH(setup_4k, a_part_of_a_block_is_merged_into_it),
        WITH(setup_4k, blocks_that_cannot_be_read_are_not_written),
        WITH(setup_4k, a_write_taken_back_before_it_is_merged_writes_nothing),
        WITH(setup_4k, a_small_write_taken_back_needs_its_memory_no_more),
        WITH(setup, errors_reach_exactly_their_requests),
        WITH(setup, a_flush_is_one_operation_without_a_span),
        WITH(setup_4k, a_discard_goes_in_pieces_of_whole_blocks),
        WITH(setup_4k, a_discard_without_a_whole_block_does_nothing),
        WITH(setup, what_the_disk_cannot_do_is_not_offered_any_more),
        WITH(setup, a_write_to_what_is_not_there_any_more_is_refused),
        WITH(setup, a_change_waits_for_an_earlier_one_of_its_sectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
