/* SPDX-License-Identifier: MIT */
/*
 * change: what is read after, during and beside writes and discards. First a case at a time, then
 * random ones of several clients against an oracle that knows what each sector may hold, on a disk
 * whose operations have their effect, end and fail in a seeded order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "fakes/fake_oracle.h"
#include "fakes/fake_vdisk.h"
#include "service/block/device_private.h"
#include "service/block/queue.h"

enum {
    SECTORS = 256,
    DEPTH = 5,
    CACHE_SECTORS = 48,
    CLIENTS = 4,
    ASKS = 24,
    ASK_SECTORS_MAX = 120, /* some do not go through a buffer */
    SEGMENTS_MAX = 32,
    NOT_DONE = 4711,
};

#define POISON UINT64_C(0xeeeeeeeeeeee)

/* A request of the test. */
struct ask {
    struct block_request request;
    struct block_segment segment[SEGMENTS_MAX];
    uint64_t *words; /* its memory: as many sectors as it has at most */
    int status;
    bool active, abandoned;
    struct oracle_change change; /* of a write or discard */
    struct oracle_read read;
    uint64_t answered; /* a flush: by the disk's clock, when the last change was answered */
};

struct fixture {
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next two */
    struct vdisk *vdisk;
    struct fake_disk *disk;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS];
    struct oracle oracle;
    uint8_t *content;
    struct prng prng;
    uint64_t next_number;
    uint64_t changes_answered; /* by the disk's clock: when the last change was answered */
    uint32_t ended[4];         /* requests that succeeded, by operation */
    uint32_t failed;
};

static struct fixture *f;

static bool is_change(const struct ask *a)
{
    return a->request.operation == BLOCK_WRITE || a->request.operation == BLOCK_DISCARD;
}

/* The sectors that a request changes: of a discard those of whole blocks. */
static void changed_span(const struct ask *a, uint64_t *first, uint64_t *end)
{
    uint64_t block = f->vdisk->image.block_size_bytes / BLOCK_SECTOR_BYTES;
    *first = a->request.sector;
    *end = a->request.sector + a->request.sector_count;
    if (a->request.operation == BLOCK_DISCARD) {
        *first = (*first + block - 1) / block * block;
        *end = *end / block * block;
    }
}

static void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_true(a->active);
    assert_false(block_request_is_active(request));
    a->active = false;
    a->status = status;
    if (is_change(a)) {
        oracle_end_change(&f->oracle, &a->change, status == 0 && !a->abandoned);
        f->changes_answered = f->disk->clock;
    }
    if (request->operation == BLOCK_READ) {
        bool brought = status == 0 && !a->abandoned;
        uint64_t wrong = oracle_end_read(&f->oracle, &a->read, brought ? a->words : NULL);
        assert_int_equal(wrong, UINT64_MAX);
    }
    if (a->abandoned)
        return;
    if (status != 0)
        f->failed++;
    else
        f->ended[request->operation]++;
    /* All that was answered before it was asked had ended before the disk was asked. */
    if (status == 0 && request->operation == BLOCK_FLUSH)
        assert_true(f->disk->flush_covered > a->answered);
}

/* Its memory in parts that follow each other or do not, aligned or not as skew says. */
static void make_segments(struct ask *a, uint64_t sector_count, uint32_t segment_sectors)
{
    a->request.segment_count = 0;
    for (uint64_t at = 0; at < sector_count; at += segment_sectors) {
        uint64_t left = sector_count - at;
        a->segment[a->request.segment_count++] = (struct block_segment){
            .address = (uint8_t *)(a->words + at * ORACLE_WORDS),
            .sector_count = (uint32_t)(left < segment_sectors ? left : segment_sectors)};
    }
    a->request.segments = a->segment;
}

static struct ask *ask(uint32_t n, uint32_t client, enum block_operation operation, uint64_t sector,
                       uint64_t sector_count)
{
    struct ask *a = &f->ask[n];
    assert_false(a->active);
    a->request = (struct block_request){
        .operation = operation, .sector = sector, .sector_count = sector_count, .done = on_done};
    a->status = NOT_DONE;
    a->active = true;
    a->abandoned = false;
    a->answered = f->changes_answered;
    if (operation == BLOCK_READ || operation == BLOCK_WRITE) {
        uint32_t least = (uint32_t)(sector_count + SEGMENTS_MAX - 1) / SEGMENTS_MAX;
        make_segments(a, sector_count, least + (uint32_t)prng_below(&f->prng, 8));
        oracle_fill(a->words, operation == BLOCK_WRITE ? f->next_number : POISON, sector,
                    sector_count);
    }
    if (operation == BLOCK_READ) {
        a->read.first = sector;
        a->read.end = sector + sector_count;
        oracle_begin_read(&f->oracle, &a->read);
    }
    if (is_change(a)) {
        a->change.number = operation == BLOCK_WRITE ? f->next_number++ : ORACLE_ZEROS;
        changed_span(a, &a->change.first, &a->change.end);
        oracle_begin_change(&f->oracle, &a->change);
    }
    block_submit(&f->client[client], &a->request, 0);
    return a;
}

static void nobody(struct block_request *request, int status)
{
    (void)request;
    assert_int_equal(status, 0);
}

static void dispatch(void)
{
    fake_vdisk_dispatch(&f->fake);
}

static int setup_with(uint32_t block_bytes, uint32_t cache_sectors)
{
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = SECTORS,
                                                            .block_size_bytes = block_bytes,
                                                            .cache_sectors = cache_sectors,
                                                            .depth = DEPTH,
                                                            .writable = true});
    f->device = f->fake.device;
    f->vdisk = f->fake.vdisk;
    f->vdisk->image.memory_align_bytes = BLOCK_SECTOR_BYTES;
    f->disk = f->fake.disk;
    f->content = calloc(SECTORS, BLOCK_SECTOR_BYTES);
    f->disk->content = f->content;
    f->next_number = 1;
    prng_init(&f->prng, 1, 0);
    oracle_init(&f->oracle, SECTORS, ORACLE_ZEROS);
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->vdisk);
    for (int i = 0; i < ASKS; i++) {
        f->ask[i].words = aligned_alloc(4096, (ASK_SECTORS_MAX / 8 + 1) * 4096);
        f->ask[i].read.was = calloc(ASK_SECTORS_MAX, sizeof(struct oracle_sector));
    }
    return 0;
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

static int teardown(void **state)
{
    (void)state;
    f->disk->chance = NULL;
    fake_vdisk_finish(&f->fake);
    for (int i = 0; i < ASKS; i++) {
        assert_false(f->ask[i].active);
        free(f->ask[i].words);
        free(f->ask[i].read.was);
    }
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    fake_vdisk_destroy(&f->fake);
    oracle_fini(&f->oracle);
    free(f->content);
    free(f);
    return 0;
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

static void take_back(struct ask *a)
{
    if (!block_cancel(&a->request)) {
        a->abandoned = true;
        return;
    }
    a->active = false;
    if (is_change(a))
        oracle_end_change(&f->oracle, &a->change, false);
    if (a->request.operation == BLOCK_READ)
        (void)oracle_end_read(&f->oracle, &a->read, NULL);
    oracle_fill(a->words, POISON, 0, ASK_SECTORS_MAX);
}

static void begin_any(uint32_t n)
{
    static const enum block_operation likely[] = {BLOCK_READ,  BLOCK_READ,   BLOCK_READ,
                                                  BLOCK_WRITE, BLOCK_WRITE,  BLOCK_WRITE,
                                                  BLOCK_FLUSH, BLOCK_DISCARD};
    enum block_operation operation = likely[prng_below(&f->prng, 8)];
    uint32_t client = (uint32_t)prng_below(&f->prng, CLIENTS);
    uint64_t most = prng_below(&f->prng, 8) == 0 ? ASK_SECTORS_MAX : 12;
    uint64_t count = 1 + prng_below(&f->prng, most);
    uint64_t range = prng_below(&f->prng, 2) == 0 ? 24 : SECTORS; /* often the same */
    uint64_t sector = prng_below(&f->prng, count < range ? range - count + 1 : 1);
    if (prng_below(&f->prng, 3) == 0) { /* whole blocks */
        sector &= ~UINT64_C(7);
        count = (count + 7) & ~UINT64_C(7);
    }
    if (operation == BLOCK_FLUSH)
        sector = count = 0;
    (void)ask(n, client, operation, sector, count);
}

static void step(void)
{
    struct ask *a = &f->ask[prng_below(&f->prng, ASKS)];
    uint64_t what = prng_below(&f->prng, 16);
    if (what < 7 && !a->active) {
        begin_any((uint32_t)(a - f->ask));
    } else if (what == 7 && a->active && !a->abandoned && prng_below(&f->prng, 4) == 0) {
        take_back(a);
    } else if (what == 8 && prng_below(&f->prng, 16) == 0) {
        vdisk_image_changed(f->vdisk);
    } else if (what < 12) {
        (void)device_dispatch(f->device, 0);
    } else if (f->disk->waiting_count > 0) {
        static const int statuses[] = {-EIO, -ENOSPC, -ENOMEM};
        uint32_t at = (uint32_t)prng_below(&f->prng, f->disk->waiting_count);
        bool fails = prng_below(&f->prng, 24) == 0;
        fake_disk_complete(f->disk, at, fails ? statuses[prng_below(&f->prng, 3)] : 0);
    }
}

static void check_at_rest(void)
{
    fake_vdisk_finish(&f->fake);
    for (uint64_t s = 0; s < SECTORS; s++) {
        const uint8_t *bytes = f->content + s * BLOCK_SECTOR_BYTES;
        const void *cached = cache_peek(f->vdisk->cache, s);
        if (!oracle_allows(&f->oracle, s, bytes))
            fail_msg("sector %d", (int)s);
        if (cached != NULL)
            assert_memory_equal(cached, bytes, BLOCK_SECTOR_BYTES);
    }
}

/* looks: at sectors of the cache in a turn, for changes; 0: as ever. */
static void run(uint32_t block_bytes, uint32_t cache_sectors, uint32_t looks, uint64_t seed)
{
    enum { STEPS = 3000 };
    assert_int_equal(setup_with(block_bytes, cache_sectors), 0);
    struct prng chance;
    if (looks != 0)
        f->device->looks = looks;
    prng_init(&f->prng, seed, 1);
    prng_init(&chance, seed, 2);
    f->disk->chance = &chance;
    for (uint32_t i = 0; i < STEPS; i++) {
        step();
        if (i % 500 == 499)
            check_at_rest();
    }
    check_at_rest();
    for (int i = 0; i < 4; i++)
        assert_true(f->ended[i] > 20);
    assert_true(f->failed > 5);
    assert_int_equal(teardown(NULL), 0);
}

static void random_ones_agree_with_the_oracle(void **state)
{
    (void)state;
    bool is_long = getenv("TEST_LONG") != NULL;
    for (uint64_t seed = 1; seed <= (is_long ? 2000 : 40); seed++) {
        run(512, CACHE_SECTORS, 0, seed);
        run(4096, CACHE_SECTORS, 7, seed);
        run(512, 0, 0, seed);
        run(4096, SECTORS, 13, seed);
    }
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
        cmocka_unit_test(random_ones_agree_with_the_oracle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
