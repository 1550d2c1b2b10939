/* SPDX-License-Identifier: MIT */
/* cache: LRU against a naive model, bounds, data, odd capacities. */
#include "service/block/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"

enum { SECTOR_BYTES = 512, MODEL_MAX = 64 };

/* The naive model: an array of sectors, most recently used first. */
struct model {
    uint64_t sector[MODEL_MAX];
    uint32_t version[MODEL_MAX];
    uint32_t used, capacity;
};

/* Here in steps of a few looks. */
static void remove_all(struct cache *cache, uint64_t sector, uint64_t sector_count)
{
    struct cache_removal removal;
    uint32_t looks;
    cache_remove_begin(cache, &removal, sector, sector_count);
    do
        looks = 3;
    while (!cache_remove_on(cache, &removal, &looks));
}

static int model_find(const struct model *m, uint64_t sector)
{
    for (uint32_t i = 0; i < m->used; i++)
        if (m->sector[i] == sector)
            return (int)i;
    return -1;
}

static void model_to_front(struct model *m, uint32_t at, uint64_t sector, uint32_t version)
{
    memmove(&m->sector[1], &m->sector[0], at * sizeof(m->sector[0]));
    memmove(&m->version[1], &m->version[0], at * sizeof(m->version[0]));
    m->sector[0] = sector;
    m->version[0] = version;
}

static void model_insert(struct model *m, uint64_t sector, uint32_t version)
{
    int at = model_find(m, sector);

    if (at >= 0) {
        m->version[at] = version;
        return;
    }
    if (m->used < m->capacity)
        m->used++;
    model_to_front(m, m->used - 1, sector, version);
}

static void model_remove(struct model *m, uint64_t sector)
{
    int at = model_find(m, sector);

    if (at < 0)
        return;
    m->used--;
    memmove(&m->sector[at], &m->sector[at + 1], (m->used - (uint32_t)at) * sizeof(m->sector[0]));
    memmove(&m->version[at], &m->version[at + 1], (m->used - (uint32_t)at) * sizeof(m->version[0]));
}

/* Contents that tell sector, version and byte position apart. */
static void fill(unsigned char data[SECTOR_BYTES], uint64_t sector, uint32_t version)
{
    uint64_t state = sector * 31 + version;

    for (int i = 0; i < SECTOR_BYTES; i++)
        data[i] = (unsigned char)prng_splitmix64(&state);
}

static void check_all(const struct cache *cache, const struct model *m)
{
    unsigned char want[SECTOR_BYTES];

    assert_int_equal(cache_used(cache), m->used);
    for (uint32_t i = 0; i < m->used; i++) {
        const void *got = cache_peek(cache, m->sector[i]);

        assert_non_null(got);
        fill(want, m->sector[i], m->version[i]);
        assert_memory_equal(got, want, SECTOR_BYTES);
    }
}

static void run_trace(uint32_t capacity, uint64_t sector_range, uint64_t seed)
{
    const struct cache_policy *policy = cache_policy_find("lru");
    struct model m = {.capacity = capacity};
    unsigned char data[SECTOR_BYTES];
    struct cache *cache;

    assert_non_null(policy);
    assert_int_equal(cache_create(capacity * SECTOR_BYTES + 511, policy, &cache), 0);
    assert_int_equal(cache_capacity(cache), capacity);
    for (uint32_t step = 0; step < 4000; step++) {
        uint64_t op = prng_splitmix64(&seed) % 64;
        /* Far apart and high, so that no part of a sector number is ignored. */
        uint64_t n = prng_splitmix64(&seed) % sector_range;
        uint64_t sector = n % 3 == 0 ? n : n << (n % 3 == 1 ? 32 : 50);
        int at = model_find(&m, sector);

        cache_prefetch(cache, prng_splitmix64(&seed)); /* neither hint changes anything */
        cache_prefetch_victim(cache);
        if (op == 0 && step % 7 == 0) {
            cache_clear(cache);
            m.used = 0;
        } else if (op < 4) {
            remove_all(cache, sector, op);
            for (uint64_t i = 0; i < op; i++)
                model_remove(&m, sector + i);
        } else if (op == 4) { /* more sectors than there are in any cache */
            remove_all(cache, sector, UINT64_C(1) << 33);
            for (uint32_t i = m.used; i-- > 0;)
                if (m.sector[i] - sector < UINT64_C(1) << 33)
                    model_remove(&m, m.sector[i]);
        } else if (op < 30) {
            const void *got = cache_lookup(cache, sector);

            assert_int_equal(got != NULL, at >= 0);
            if (at >= 0) {
                fill(data, sector, m.version[at]);
                assert_memory_equal(got, data, SECTOR_BYTES);
                model_to_front(&m, (uint32_t)at, sector, m.version[at]);
            }
        } else if (op < 36) {
            assert_int_equal(cache_peek(cache, sector) != NULL, at >= 0);
        } else {
            fill(data, sector, step);
            cache_insert(cache, sector, data);
            model_insert(&m, sector, step);
        }
        if (step % 16 == 0)
            check_all(cache, &m);
    }
    check_all(cache, &m);
    cache_destroy(cache);
}

static void lru_agrees_with_the_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run_trace(1, 4, seed);
        run_trace(2, 5, seed);
        run_trace(7, 20, seed);
        run_trace(32, 40, seed);
        run_trace(MODEL_MAX, 200, seed);
        run_trace(MODEL_MAX, 40, seed); /* never full */
    }
}

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

static void unknown_policies_are_not_found(void **state)
{
    (void)state;
    assert_null(cache_policy_find("lr"));
    assert_null(cache_policy_find("lru "));
    assert_null(cache_policy_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_agrees_with_the_naive_model),
        cmocka_unit_test(every_policy_holds_what_it_says_and_no_more),
        cmocka_unit_test(every_policy_forgets_what_is_removed),
        cmocka_unit_test(a_large_range_is_forgotten_in_steps),
        cmocka_unit_test(cache_of_nothing_always_misses),
        cmocka_unit_test(data_lies_on_cache_lines),
        cmocka_unit_test(peek_is_no_use),
        cmocka_unit_test(lru_knows_its_next_victim),
        cmocka_unit_test(a_stream_replaces_all_there_was),
        cmocka_unit_test(unknown_policies_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
