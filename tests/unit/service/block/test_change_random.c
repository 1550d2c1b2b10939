/* SPDX-License-Identifier: MIT */
/*
 * change: random reads, writes and discards of several clients against an oracle that knows what
 * each sector may hold, on a disk whose operations have their effect, end and fail in a seeded
 * order.
 * tsan: long: it starts no thread
 */
#include <errno.h>

#include "unit/service/block/change_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_ones_agree_with_the_oracle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
