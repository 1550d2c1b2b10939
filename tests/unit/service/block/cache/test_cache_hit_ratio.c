/* SPDX-License-Identifier: MIT */
/* Hit ratios of the cache policies on loads for which the numbers or their order are known. */
#include "client/zipf.h"
#include "service/block/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"

enum { SECTOR_BYTES = 512 };

static bool read_cache(struct cache *cache, uint64_t sector)
{
    static const unsigned char data[SECTOR_BYTES];

    if (cache_lookup(cache, sector))
        return true;
    cache_insert(cache, sector, data);
    return false;
}

/* Hit ratio in percent, after a warm-up of a quarter. */
static double hit_percent(const char *name, uint32_t capacity, uint32_t reads,
                          uint64_t (*next)(struct prng *, const void *, uint32_t), const void *arg)
{
    struct cache *cache;
    struct prng prng;
    uint32_t hits = 0;

    prng_init(&prng, 1, 0);
    assert_int_equal(cache_create((size_t)capacity * SECTOR_BYTES, cache_policy_find(name), &cache),
                     0);
    for (uint32_t i = 0; i < reads; i++) {
        bool hit = read_cache(cache, next(&prng, arg, i));

        hits += i >= reads / 4 && hit;
    }
    cache_destroy(cache);
    return 100.0 * hits / (reads - reads / 4);
}

static uint64_t next_zipf(struct prng *prng, const void *zipf, uint32_t i)
{
    (void)i;
    return zipf_next(zipf, prng);
}

static uint64_t next_loop(struct prng *prng, const void *length, uint32_t i)
{
    (void)prng;
    return i % *(const uint32_t *)length;
}

static uint64_t next_uniform(struct prng *prng, const void *range, uint32_t i)
{
    (void)i;
    return prng_below(prng, *(const uint32_t *)range);
}

/* Values of `cache_sim 400000 102400` (bench/), which other draws reach within 0.5; a policy that
 * is off by a point has a bug. */
static void zipf_hit_ratios_are_as_simulated(void **state)
{
    static const struct {
        const char *name;
        double percent;
    } want[] = {{"lru", 49.0}, {"clock", 50.2}, {"sieve", 58.1}, {"s3fifo", 58.7}, {"arc", 58.2}};
    struct zipf zipf;

    (void)state;
    zipf_init(&zipf, 0.99, 102400);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        double got = hit_percent(want[i].name, 1024, 400000, next_zipf, &zipf);

        if (got < want[i].percent - 0.5 || got > want[i].percent + 0.5)
            fail_msg("%s: %.2f %%, want %.1f %%", want[i].name, got, want[i].percent);
    }
}

static void nobody_beats_chance_on_uniform(void **state)
{
    const struct cache_policy *policy;
    const uint32_t range = 20000;

    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++) {
        double got = hit_percent(policy->name, 200, 200000, next_uniform, &range);

        assert_true(got > 0.9 && got < 1.1);
    }
}

/* What the comments of the policies say about a loop of one and a half times the cache. */
static void only_s3fifo_survives_a_loop(void **state)
{
    const uint32_t length = 1500;

    (void)state;
    assert_true(hit_percent("lru", 1000, 60000, next_loop, &length) < 0.01);
    assert_true(hit_percent("clock", 1000, 60000, next_loop, &length) < 0.01);
    assert_true(hit_percent("sieve", 1000, 60000, next_loop, &length) < 0.01);
    assert_true(hit_percent("arc", 1000, 60000, next_loop, &length) < 0.01);
    assert_true(hit_percent("s3fifo", 1000, 60000, next_loop, &length) > 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zipf_hit_ratios_are_as_simulated),
        cmocka_unit_test(nobody_beats_chance_on_uniform),
        cmocka_unit_test(only_s3fifo_survives_a_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
