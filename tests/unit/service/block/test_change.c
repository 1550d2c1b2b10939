/* SPDX-License-Identifier: MIT */
/* change: what is read after, during and beside writes and discards, a case at a time. */
#include <errno.h>
#include <string.h>

#include "unit/service/block/change_fixture.h"

static void nobody(struct block_request *request, int status)
{
    (void)request;
    assert_int_equal(status, 0);
}

static void dispatch(void)
{
    fake_vdisk_dispatch(&f->fake);
}

static int setup(void **state)
{
    (void)state;
    return setup_with(512, CACHE_SECTORS);
}

static int setup_4k(void **state)
{
    (void)state;
    return setup_with(4096, CACHE_SECTORS);
}

static uint64_t word_of(const struct ask *write, uint64_t sector)
{
    return oracle_word(write->change.number, sector);
}

static uint64_t read_now(uint32_t n, uint32_t client, uint64_t sector)
{
    struct ask *a = ask(n, client, BLOCK_READ, sector, 1);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(a->status, 0);
    return a->words[0];
}

static void what_was_written_is_read_from_the_cache_by_all(void **state)
{
    (void)state;
    struct ask *w = ask(0, 0, BLOCK_WRITE, 10, 3);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    uint32_t submitted = f->disk->submitted;
    assert_int_equal(ask(1, 1, BLOCK_READ, 11, 1)->words[0], word_of(w, 11));
    assert_int_equal(ask(2, 2, BLOCK_READ, 10, 3)->words[ORACLE_WORDS], word_of(w, 11));
    assert_int_equal(f->disk->submitted, submitted);
}

static bool write_is_kept(uint32_t client, uint64_t sector)
{
    struct ask *w = ask(0, client, BLOCK_WRITE, sector, 1);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    const uint64_t *data = cache_peek(f->vdisk->cache, sector);
    assert_true(data == NULL || *data == word_of(w, sector));
    return data != NULL;
}

/* Only what is in the cache anyway is kept of writes, once all room is taken. */
static void writes_put_nothing_out_of_a_full_cache(void **state)
{
    (void)state;
    for (uint64_t sector = 0; sector < CACHE_SECTORS; sector++)
        assert_true(write_is_kept(0, sector));
    for (uint64_t sector = CACHE_SECTORS; sector < 3 * CACHE_SECTORS; sector++)
        assert_false(write_is_kept(1, sector));
    for (uint64_t sector = 0; sector < CACHE_SECTORS; sector++)
        assert_true(write_is_kept(2, sector));
    assert_int_equal(cache_used(f->vdisk->cache), CACHE_SECTORS);
}

static void a_full_cache_keeps_what_is_written_where_that_is_read(void **state)
{
    (void)state;
    for (uint64_t sector = 0; sector < CACHE_SECTORS; sector++)
        assert_true(write_is_kept(0, sector));
    assert_false(write_is_kept(0, 100));
    (void)read_now(1, 1, 100);
    assert_true(write_is_kept(0, 200));
}

/* Sampled by the device before the write, and back after it. */
static void an_old_read_in_flight_is_neither_kept_nor_joined(void **state)
{
    (void)state;
    struct ask *old = ask(0, 0, BLOCK_READ, 20, 1);
    dispatch();
    struct ask *joined = ask(1, 1, BLOCK_READ, 20, 1);
    struct ask *w = ask(2, 0, BLOCK_WRITE, 20, 1);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 2);
    fake_disk_complete(f->disk, 1, 0);
    assert_int_equal(w->status, 0);
    struct ask *later = ask(3, 2, BLOCK_READ, 20, 1); /* a hit: it does not meet the old read */
    assert_int_equal(later->status, 0);
    assert_int_equal(later->words[0], word_of(w, 20));
    memset(f->content + 20 * BLOCK_SECTOR_BYTES, 0, BLOCK_SECTOR_BYTES); /* as it was read then */
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(old->words[0], ORACLE_ZEROS);
    assert_int_equal(joined->words[0], ORACLE_ZEROS);
    assert_int_equal(ask(4, 3, BLOCK_READ, 20, 1)->words[0], word_of(w, 20));
    oracle_fill(f->content + 20 * BLOCK_SECTOR_BYTES, w->change.number, 20, 1);
}

static void without_a_cache_an_old_read_answers_nobody_who_asks_later(void **state)
{
    (void)state;
    struct ask *old = ask(0, 0, BLOCK_READ, 20, 1);
    dispatch();
    struct ask *w = ask(1, 0, BLOCK_WRITE, 20, 1);
    dispatch();
    fake_disk_complete(f->disk, 1, 0);
    cache_clear(f->vdisk->cache); /* the sector is not there any more */
    struct ask *later = ask(2, 1, BLOCK_READ, 20, 1);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 2); /* it has not joined the old one */
    fake_vdisk_finish(&f->fake);
    assert_int_equal(later->words[0], word_of(w, 20));
    assert_int_equal(old->status, 0);
}

/* It had ended before the write was sent, and so many had joined it that not all are answered. */
static void an_old_read_that_is_still_copied_is_not_kept_any_more(void **state)
{
    (void)state;
    enum { READERS = 20 };
    for (uint32_t i = 0; i < READERS; i++) /* the last one wants more of it than the others */
        ask(i, i % CLIENTS, BLOCK_READ, i + 1 == READERS ? 96 : 97, i + 1 == READERS ? 80 : 79);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 1);
    fake_disk_complete(f->disk, 0, 0);
    struct ask *w = ask(READERS, 0, BLOCK_WRITE, 144, 8);
    assert_true(device_dispatch(f->device, 0) > 0);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(w->status, 0);
    assert_true(f->ask[READERS - 1].active);
    dispatch();
    assert_false(f->ask[READERS - 1].active);
    assert_int_equal(read_now(READERS + 1, 1, 146), word_of(w, 146));
}

static void a_read_beside_a_write_is_not_kept(void **state)
{
    (void)state;
    assert_int_equal(read_now(0, 0, 30), ORACLE_ZEROS); /* cached */
    struct ask *w = ask(1, 0, BLOCK_WRITE, 30, 1);
    dispatch();
    struct ask *beside = ask(2, 1, BLOCK_READ, 30, 1), *second = ask(3, 2, BLOCK_READ, 30, 1);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 3); /* not from the cache, and not shared */
    fake_disk_complete(f->disk, 1, 0);
    assert_int_equal(beside->words[0], ORACLE_ZEROS);
    assert_null(cache_peek(f->vdisk->cache, 30));
    fake_vdisk_finish(&f->fake);
    assert_int_equal(second->status, 0);
    assert_int_equal(read_now(4, 3, 30), word_of(w, 30));
}

/* Nobody knows what a failed write has left. */
static void a_failed_write_leaves_nothing_in_the_cache(void **state)
{
    (void)state;
    assert_int_equal(read_now(0, 0, 40), ORACLE_ZEROS);
    struct ask *w = ask(1, 0, BLOCK_WRITE, 40, 2);
    dispatch();
    fake_disk_complete(f->disk, 0, -EIO);
    assert_int_equal(w->status, -EIO);
    assert_null(cache_peek(f->vdisk->cache, 40));
    assert_null(cache_peek(f->vdisk->cache, 41));
}

static void writes_of_the_same_sectors_wait_for_each_other(void **state)
{
    (void)state;
    struct ask *first = ask(0, 0, BLOCK_WRITE, 50, 4), *second = ask(1, 1, BLOCK_WRITE, 53, 4);
    struct ask *other = ask(2, 1, BLOCK_WRITE, 60, 1);
    dispatch();
    assert_int_equal(f->disk->waiting_count, 2);
    fake_disk_complete(f->disk, 0, 0);
    assert_int_equal(first->status, 0);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(other->status, 0);
    assert_int_equal(second->status, 0);
    assert_int_equal(read_now(3, 2, 53), word_of(second, 53));
}

static void one_that_waits_for_a_write_can_be_taken_back(void **state)
{
    (void)state;
    struct ask *first = ask(0, 0, BLOCK_WRITE, 50, 4), *second = ask(1, 1, BLOCK_WRITE, 50, 4);
    dispatch();
    assert_true(block_cancel(&second->request));
    second->active = false;
    oracle_end_change(&f->oracle, &second->change, false);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(first->status, 0);
    assert_int_equal(second->status, NOT_DONE);
    assert_int_equal(read_now(2, 0, 50), word_of(first, 50));
}

static void a_discard_takes_its_sectors_out_of_the_cache(void **state)
{
    (void)state;
    struct ask *w = ask(0, 0, BLOCK_WRITE, 64, 8);
    fake_vdisk_finish(&f->fake);
    struct ask *d = ask(1, 1, BLOCK_DISCARD, 0, SECTORS);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    assert_int_equal(d->status, 0);
    assert_int_equal(read_now(2, 2, 66), ORACLE_ZEROS);
}

/* The neighbours' sectors of the block are read, and nobody writes them meanwhile. */
static void parts_of_a_block_that_are_written_at_once_all_last(void **state)
{
    (void)state;
    struct ask *w[8];
    for (uint32_t i = 0; i < 8; i++)
        w[i] = ask(i, i % CLIENTS, BLOCK_WRITE, 72 + i, 1);
    fake_vdisk_finish(&f->fake);
    cache_clear(f->vdisk->cache);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(w[i]->status, 0);
        assert_int_equal(read_now(8, 0, 72 + i), word_of(w[i], 72 + i));
    }
}

/* The image is looked at again while it is written: what is written is on the disk. */
static void a_write_across_a_refresh_is_not_kept(void **state)
{
    (void)state;
    struct ask *w = ask(0, 0, BLOCK_WRITE, 80, 1);
    dispatch();
    vdisk_image_changed(f->vdisk);
    fake_vdisk_finish(&f->fake);
    assert_int_equal(w->status, 0);
    assert_null(cache_peek(f->vdisk->cache, 80));
}

/* As many sectors leave the cache in a turn as it allows; only then is the disk asked, and nothing
 * of them has come back. */
static void a_large_discard_leaves_the_cache_in_turns(void **state)
{
    enum { MANY = 32 * 1024, TURNS_MAX = MANY / CLEARING_LOOKS };
    struct fake_vdisk fake;
    struct block_client client;
    uint8_t data[BLOCK_SECTOR_BYTES] = {1};
    struct block_segment segment = {.address = data, .sector_count = 1};
    struct block_request discard = {
        .operation = BLOCK_DISCARD, .sector_count = MANY, .done = nobody};
    struct block_request read = {.operation = BLOCK_READ,
                                 .sector_count = 1,
                                 .segments = &segment,
                                 .segment_count = 1,
                                 .done = nobody};
    (void)state;
    fake_vdisk_create(
        &fake, &(struct fake_vdisk_config){
                   .sector_count = MANY, .cache_sectors = MANY, .depth = 4, .writable = true});
    block_client_open(&client, fake.vdisk);
    for (uint64_t sector = 0; sector < MANY; sector++)
        cache_insert(fake.vdisk->cache, sector, data);
    block_submit(&client, &discard, 0);
    uint32_t turns = 0, used = MANY;
    while (fake.disk->submitted == 0 && turns <= TURNS_MAX) {
        assert_true(device_dispatch(fake.device, 0) > 0);
        assert_true(used - cache_used(fake.vdisk->cache) <= 2 * CLEARING_LOOKS);
        used = cache_used(fake.vdisk->cache);
        if (++turns != 1)
            continue;
        block_submit(&client, &read, 0); /* its sector has left already */
        (void)device_dispatch(fake.device, 0);
        assert_true(block_request_is_active(&read));
        assert_int_equal(fake.disk->submitted, 1);
        fake_disk_complete(fake.disk, 0, 0);
        fake.disk->submitted = 0;
        assert_null(cache_peek(fake.vdisk->cache, 0));
        used = cache_used(fake.vdisk->cache);
    }
    assert_int_equal(fake.disk->submitted, 1);
    assert_true(turns >= TURNS_MAX / 2 && turns <= TURNS_MAX);
    assert_int_equal(cache_used(fake.vdisk->cache), 0);
    fake_disk_complete(fake.disk, 0, 0);
    assert_false(block_request_is_active(&discard));
    block_client_close(&client);
    fake_vdisk_destroy(&fake);
}

#define WITH(fixture, test) cmocka_unit_test_setup_teardown(test, fixture, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_discard_leaves_the_cache_in_turns),
        WITH(setup, what_was_written_is_read_from_the_cache_by_all),
        WITH(setup, writes_put_nothing_out_of_a_full_cache),
        WITH(setup, a_full_cache_keeps_what_is_written_where_that_is_read),
        WITH(setup, an_old_read_in_flight_is_neither_kept_nor_joined),
        WITH(setup, without_a_cache_an_old_read_answers_nobody_who_asks_later),
        WITH(setup_4k, an_old_read_that_is_still_copied_is_not_kept_any_more),
        WITH(setup, a_read_beside_a_write_is_not_kept),
        WITH(setup, a_failed_write_leaves_nothing_in_the_cache),
        WITH(setup, writes_of_the_same_sectors_wait_for_each_other),
        WITH(setup, one_that_waits_for_a_write_can_be_taken_back),
        WITH(setup, a_discard_takes_its_sectors_out_of_the_cache),
        WITH(setup_4k, a_discard_takes_its_sectors_out_of_the_cache),
        WITH(setup_4k, parts_of_a_block_that_are_written_at_once_all_last),
        WITH(setup, a_write_across_a_refresh_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
