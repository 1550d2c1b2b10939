/* SPDX-License-Identifier: MIT */
/* cache: runs of sectors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "service/block/cache/cache.h"

enum { SECTOR_BYTES = 512, CAPACITY = 100, SECTORS = 300, RUN_MAX = 2 * CAPACITY };

static struct cache *make_cache(const struct cache_policy *policy, bool shared)
{
    struct cache *cache;
    assert_int_equal(cache_create(CAPACITY * SECTOR_BYTES, policy, &cache), 0);
    if (shared)
        assert_int_equal(cache_share(cache), 0);
    return cache;
}

static void forget(struct cache *cache, uint64_t sector, uint64_t count)
{
    struct cache_removal removal;
    uint32_t looks = UINT32_MAX;
    cache_remove_begin(cache, &removal, sector, count);
    assert_true(cache_remove_on(cache, &removal, &looks));
}

static void assert_alike(const struct cache *one, const struct cache *other)
{
    assert_int_equal(cache_used(one), cache_used(other));
    for (uint64_t sector = 0; sector < SECTORS + RUN_MAX; sector++) {
        const void *data = cache_peek(one, sector), *same = cache_peek(other, sector);
        assert_int_equal(data == NULL, same == NULL);
        if (data != NULL)
            assert_memory_equal(data, same, SECTOR_BYTES);
    }
}

/* The same changes to two caches; also where a run is longer than a cache. */
static void compare(const struct cache_policy *policy, bool shared)
{
    static uint8_t data[RUN_MAX * SECTOR_BYTES];
    struct cache *runs = make_cache(policy, shared), *singles = make_cache(policy, shared);
    struct prng prng;
    prng_init(&prng, 20261201, 0);
    for (int step = 0; step < 2000; step++) {
        uint64_t sector = prng_below(&prng, SECTORS);
        uint32_t count = 1 + (uint32_t)prng_below(&prng, step % 50 == 0 ? RUN_MAX : 16);
        switch (prng_below(&prng, 8)) {
        case 0:
            forget(runs, sector, count);
            forget(singles, sector, count);
            break;
        case 1:
            assert_int_equal(cache_lookup(runs, sector) == NULL,
                             cache_lookup(singles, sector) == NULL);
            break;
        default:
            for (uint32_t i = 0; i < count; i++)
                memset(data + (size_t)i * SECTOR_BYTES, (int)prng_below(&prng, 256), SECTOR_BYTES);
            cache_insert_run(runs, sector, count, data);
            for (uint32_t i = 0; i < count; i++)
                cache_insert(singles, sector + i, data + (size_t)i * SECTOR_BYTES);
        }
        assert_alike(runs, singles);
    }
    cache_destroy(runs);
    cache_destroy(singles);
}

static void a_run_is_put_in_as_its_sectors_are_one_by_one(void **state)
{
    const struct cache_policy *policy;
    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++) {
        compare(policy, false);
        compare(policy, true);
    }
}

static void a_cache_of_nothing_takes_none(void **state)
{
    static const uint8_t data[4 * SECTOR_BYTES];
    struct cache *cache;
    (void)state;
    assert_int_equal(cache_create(0, cache_policy_at(0), &cache), 0);
    cache_insert_run(cache, 7, 4, data);
    assert_null(cache_peek(cache, 7));
    cache_destroy(cache);
}

/* A domain may name any slot. */
static void a_slot_that_was_used_keeps_its_sector(void **state)
{
    struct cache *cache;
    uint8_t data[SECTOR_BYTES] = {0};
    (void)state;
    assert_int_equal(cache_create(3 * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
    cache_use_slot(cache, 0); /* nothing is there */
    assert_false(cache_was_full(cache));
    for (uint64_t sector = 10; sector < 13; sector++) {
        assert_false(cache_was_full(cache));
        cache_insert(cache, sector, data);
    }
    assert_true(cache_was_full(cache));
    cache_use_slot(cache, 0); /* where the first one went */
    cache_use_slot(cache, 3);
    cache_use_slot(cache, UINT32_MAX);
    cache_insert(cache, 20, data);
    assert_non_null(cache_peek(cache, 10));
    assert_null(cache_peek(cache, 11));
    cache_clear(cache);
    assert_false(cache_was_full(cache));
    cache_destroy(cache);
}

static void a_cache_that_nobody_shares_has_no_file(void **state)
{
    struct cache *cache;
    (void)state;
    assert_int_equal(cache_create(3 * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
    assert_int_equal(cache_shared_fd(cache), -ENOTSUP);
    assert_int_equal(cache_share(cache), 0);
    assert_true(cache_shared_fd(cache) >= 0);
    cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_put_in_as_its_sectors_are_one_by_one),
        cmocka_unit_test(a_cache_of_nothing_takes_none),
        cmocka_unit_test(a_slot_that_was_used_keeps_its_sector),
        cmocka_unit_test(a_cache_that_nobody_shares_has_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
