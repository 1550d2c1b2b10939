/* SPDX-License-Identifier: MIT */
/* cache: bounds, data, odd capacities. */
#include "base/prng.h"
#include "faults/fault_walk.h"
#include "unit/service/block/cache/cache_fixture.h"

static void every_policy_holds_what_it_says_and_no_more(void **state)
{
    enum { CAPACITY = 100, RANGE = 300 };
    const struct cache_policy *policy;
    unsigned char data[SECTOR_BYTES];

    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++) {
        struct cache *cache;
        uint64_t seed = 7;

        assert_ptr_equal(cache_policy_find(policy->name), policy);
        assert_int_equal(cache_create(CAPACITY * SECTOR_BYTES, policy, &cache), 0);
        for (uint32_t step = 0; step < 30000; step++) {
            uint64_t sector = prng_splitmix64(&seed) % RANGE;
            const void *got;
            uint32_t held = 0;

            if (step == 15000)
                cache_clear(cache);
            if (prng_splitmix64(&seed) % 4 == 0)
                sector /= 8;
            got = cache_lookup(cache, sector);
            fill(data, sector, 0);
            if (got)
                assert_memory_equal(got, data, SECTOR_BYTES);
            else
                cache_insert(cache, sector, data);
            /* What was inserted last is there: its reader may still be waiting for it. */
            assert_non_null(cache_peek(cache, sector));
            if (step % 500 == 0) {
                for (uint64_t s = 0; s < RANGE; s++)
                    held += cache_peek(cache, s) != NULL;
                assert_int_equal(held, cache_used(cache));
                assert_true(held <= CAPACITY);
            }
        }
        assert_int_equal(cache_used(cache), CAPACITY);
        cache_destroy(cache);
    }
}

/* Sectors that are removed are gone, also from a policy's memory; their slots are used again, and
 * what else there is stays. */
static void every_policy_forgets_what_is_removed(void **state)
{
    enum { CAPACITY = 50, RANGE = 200 };
    const struct cache_policy *policy;
    unsigned char data[SECTOR_BYTES];

    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++) {
        struct cache *cache;
        uint64_t seed = 11;

        assert_int_equal(cache_create(CAPACITY * SECTOR_BYTES, policy, &cache), 0);
        for (uint32_t step = 0; step < 40000; step++) {
            uint64_t sector = prng_splitmix64(&seed) % RANGE;
            uint64_t count = prng_splitmix64(&seed) % 16;
            uint32_t held = 0;

            if (step == 20000)
                cache_clear(cache);
            if (prng_splitmix64(&seed) % 4 == 0)
                sector /= 8;
            if (step % 8 == 0) {
                uint32_t before = cache_used(cache);
                for (uint64_t s = sector; s < sector + count; s++)
                    held += cache_peek(cache, s) != NULL;
                remove_all(cache, sector, count);
                assert_int_equal(cache_used(cache), before - held);
                for (uint64_t s = sector; s < sector + count; s++)
                    assert_null(cache_peek(cache, s));
                continue;
            }
            fill(data, sector, 0);
            const void *got = cache_lookup(cache, sector);
            if (got != NULL)
                assert_memory_equal(got, data, SECTOR_BYTES);
            else
                cache_insert(cache, sector, data);
            assert_non_null(cache_peek(cache, sector));
            assert_true(cache_used(cache) <= CAPACITY);
        }
        remove_all(cache, 0, UINT64_MAX);
        assert_int_equal(cache_used(cache), 0);
        cache_destroy(cache);
    }
}

/* Never more looks than it may have, and as many as the smaller number are enough. */
static void a_large_range_is_forgotten_in_steps(void **state)
{
    enum { SECTORS = 1000, STEP = 64 };
    static const uint64_t ranges[] = {SECTORS / 2, UINT64_C(1) << 40};
    unsigned char data[SECTOR_BYTES] = {1};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct cache *cache;
        struct cache_removal removal;
        uint32_t looks, steps = 0;
        assert_int_equal(cache_create(SECTORS * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
        for (uint64_t sector = 0; sector < SECTORS; sector++)
            cache_insert(cache, sector, data);
        uint64_t most = ranges[i] < SECTORS ? ranges[i] : SECTORS;
        cache_remove_begin(cache, &removal, 0, ranges[i]);
        do {
            looks = STEP;
            uint32_t before = cache_used(cache);
            steps++;
            bool over = cache_remove_on(cache, &removal, &looks);
            assert_true(before - cache_used(cache) <= STEP && (over || looks == 0));
        } while (looks == 0);
        assert_int_equal(steps, (most + STEP - 1) / STEP);
        assert_int_equal(cache_used(cache), SECTORS - most);
        cache_destroy(cache);
    }
}

static void cache_of_nothing_always_misses(void **state)
{
    unsigned char data[SECTOR_BYTES] = {1};
    const size_t sizes[] = {0, 511};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct cache *cache;

        assert_int_equal(cache_create(sizes[i], cache_policy_find("lru"), &cache), 0);
        assert_int_equal(cache_capacity(cache), 0);
        cache_prefetch(cache, 5);
        cache_prefetch_victim(cache);
        cache_insert(cache, 5, data);
        remove_all(cache, 5, 1);
        assert_null(cache_lookup(cache, 5));
        assert_null(cache_peek(cache, 5));
        cache_clear(cache);
        assert_int_equal(cache_used(cache), 0);
        cache_destroy(cache);
    }
    cache_destroy(NULL);
}

static void data_lies_on_cache_lines(void **state)
{
    unsigned char data[SECTOR_BYTES] = {0};
    struct cache *cache;

    (void)state;
    assert_int_equal(cache_create(3 * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
    for (uint64_t s = 0; s < 3; s++) {
        cache_insert(cache, s, data);
        assert_int_equal((uintptr_t)cache_peek(cache, s) % 64, 0);
    }
    cache_destroy(cache);
}

static void peek_is_no_use(void **state)
{
    unsigned char data[SECTOR_BYTES] = {0};
    struct cache *cache;

    (void)state;
    assert_int_equal(cache_create(2 * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
    cache_insert(cache, 1, data);
    cache_insert(cache, 2, data);
    assert_non_null(cache_peek(cache, 1));
    cache_insert(cache, 3, data);
    assert_null(cache_peek(cache, 1));
    assert_non_null(cache_lookup(cache, 2));
    cache_insert(cache, 4, data);
    assert_non_null(cache_peek(cache, 2));
    assert_null(cache_peek(cache, 3));
    cache_destroy(cache);
}

static void lru_knows_its_next_victim(void **state)
{
    enum { CAPACITY = 8 };
    const struct cache_policy *policy = cache_policy_find("lru");
    void *lru = policy->create(CAPACITY);
    uint64_t seed = 1;

    (void)state;
    assert_non_null(lru);
    for (uint32_t slot = 0; slot < CAPACITY; slot++)
        policy->insert(lru, slot, slot);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t next, victim;

        policy->hit(lru, (uint32_t)(prng_splitmix64(&seed) % CAPACITY));
        next = policy->next_victim(lru);
        victim = policy->victim(lru, i);
        assert_int_equal(next, victim);
        policy->insert(lru, victim, i);
    }
    policy->destroy(lru);
}

/* Where nothing is used twice, each slot gets its turn: what is new replaces all that is old. */
static void a_stream_replaces_all_there_was(void **state)
{
    enum { CAPACITY = 16 };
    static const char *const names[] = {"clock", "lru", "sieve"};
    unsigned char data[SECTOR_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct cache_policy *policy = cache_policy_find(names[i]);
        struct cache *cache;

        if (policy == NULL)
            fail_msg("no policy %s", names[i]);
        assert_int_equal(cache_create(CAPACITY * SECTOR_BYTES, policy, &cache), 0);
        for (uint64_t sector = 0; sector < UINT64_C(3) * CAPACITY; sector++) {
            fill(data, sector, 0);
            cache_insert(cache, sector, data);
            if (sector >= CAPACITY)
                assert_null(cache_peek(cache, sector - CAPACITY));
        }
        assert_int_equal(cache_used(cache), CAPACITY);
        cache_destroy(cache);
    }
}

static int create(void *policy)
{
    struct cache *cache;
    int rc = cache_create(100 * SECTOR_BYTES, policy, &cache);
    assert_true((rc < 0) == (cache == NULL));
    cache_destroy(cache);
    return rc;
}

static void without_memory_there_is_no_cache(void **state)
{
    const struct cache_policy *policy;

    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++)
        assert_true(fault_walk(create, (void *)(uintptr_t)policy) >= 4);
}

static void unknown_policies_are_not_found(void **state)
{
    (void)state;
    assert_null(cache_policy_find("lr"));
    assert_null(cache_policy_find("lru "));
    assert_null(cache_policy_find(""));
}

static int create_shared(void *unused)
{
    struct cache *cache;
    (void)unused;
    int rc = cache_create(100 * SECTOR_BYTES, cache_policy_find("lru"), &cache);
    if (rc < 0)
        return rc;
    rc = cache_share(cache);
    if (rc < 0) {
        unsigned char data[SECTOR_BYTES] = {7}; /* a cache like any other, then */
        cache_insert(cache, 3, data);
        assert_memory_equal(cache_lookup(cache, 3), data, SECTOR_BYTES);
        assert_int_equal(cache_shared_fd(cache), rc);
    }
    cache_destroy(cache);
    return rc;
}

static void without_memory_a_cache_is_not_shared(void **state)
{
    (void)state;
    assert_true(fault_walk(create_shared, NULL) >= 6);
}

static void a_cache_of_nothing_cannot_be_shared(void **state)
{
    struct cache *cache;
    (void)state;
    assert_int_equal(cache_create(0, cache_policy_find("lru"), &cache), 0);
    assert_int_equal(cache_share(cache), -ENOTSUP);
    cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_holds_what_it_says_and_no_more),
        cmocka_unit_test(every_policy_forgets_what_is_removed),
        cmocka_unit_test(a_large_range_is_forgotten_in_steps),
        cmocka_unit_test(cache_of_nothing_always_misses),
        cmocka_unit_test(data_lies_on_cache_lines),
        cmocka_unit_test(peek_is_no_use),
        cmocka_unit_test(lru_knows_its_next_victim),
        cmocka_unit_test(a_stream_replaces_all_there_was),
        cmocka_unit_test(without_memory_there_is_no_cache),
        cmocka_unit_test(unknown_policies_are_not_found),
        cmocka_unit_test(without_memory_a_cache_is_not_shared),
        cmocka_unit_test(a_cache_of_nothing_cannot_be_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
