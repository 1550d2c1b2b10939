/* SPDX-License-Identifier: MIT */
/* cache: LRU against a naive model. */
#include <string.h>

#include "base/prng.h"
#include "unit/service/block/cache/cache_fixture.h"

enum { MODEL_MAX = 64 };

/* The naive model: an array of sectors, most recently used first. */
struct model {
    uint64_t sector[MODEL_MAX];
    uint32_t version[MODEL_MAX];
    uint32_t used, capacity;
};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_agrees_with_the_naive_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
