/* SPDX-License-Identifier: MIT */
/*
 * policy_model: a cache policy against the same algorithm written naively, with plain arrays in
 * which the oldest comes first, on a random trace: every look-up must agree.
 *
 * A test of a policy writes its read_NAME and includes this once.
 */
#ifndef SPLITDOM_TESTS_POLICY_MODEL_H
#define SPLITDOM_TESTS_POLICY_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "service/block/cache/cache.h"

enum { SECTOR_BYTES = 512, QUEUE_MAX = 256, QUEUES = 4 };

/* A queue of sectors with a number each, oldest first. */
struct queue {
    uint64_t sector[QUEUE_MAX];
    uint32_t uses[QUEUE_MAX];
    uint32_t count;
};

struct model {
    uint32_t capacity;
    struct queue q[QUEUES]; /* each policy says what they are */
    uint32_t hand;          /* sieve: index in q[0] */
    uint32_t p;             /* arc */
};

static inline int find(const struct queue *q, uint64_t sector)
{
    for (uint32_t i = 0; i < q->count; i++)
        if (q->sector[i] == sector)
            return (int)i;
    return -1;
}

static inline void push(struct queue *q, uint64_t sector, uint32_t uses)
{
    assert_true(q->count < QUEUE_MAX);
    q->sector[q->count] = sector;
    q->uses[q->count++] = uses;
}

static inline uint64_t take(struct queue *q, uint32_t at)
{
    uint64_t sector = q->sector[at];

    assert_true(at < q->count);
    q->count--;
    memmove(&q->sector[at], &q->sector[at + 1], (q->count - at) * sizeof(q->sector[0]));
    memmove(&q->uses[at], &q->uses[at + 1], (q->count - at) * sizeof(q->uses[0]));
    return sector;
}

static inline bool read_cache(struct cache *cache, uint64_t sector)
{
    static const unsigned char data[SECTOR_BYTES];

    if (cache_lookup(cache, sector))
        return true;
    cache_insert(cache, sector, data);
    return false;
}

static inline void forget(struct cache *cache, uint64_t sector)
{
    struct cache_removal removal;
    uint32_t looks = 2;
    cache_remove_begin(cache, &removal, sector, 1);
    assert_true(cache_remove_on(cache, &removal, &looks));
    assert_int_equal(removal.removed, 1);
}

/* One of those that are there, in a queue of the model that holds such. */
static inline void remove_some(struct model *m, struct cache *cache, struct prng *prng)
{
    struct queue *q = &m->q[prng_below(prng, 2)];
    if (q->count == 0)
        return;
    uint32_t at = (uint32_t)prng_below(prng, q->count);
    forget(cache, take(q, at));
    if (at < m->hand && m->hand < QUEUE_MAX)
        m->hand--;
    if (m->hand == q->count) /* it was at the newest */
        m->hand = QUEUE_MAX;
}

/* A trace with something for everybody: skew, a drift, scans, small loops. */
static inline uint64_t next_sector(struct prng *prng, uint32_t capacity, uint32_t step)
{
    uint64_t range = 3 * capacity + 2;

    switch (step / 400 % 4) {
    case 0: { /* the smaller of three: skewed */
        uint64_t a = prng_below(prng, range), b = prng_below(prng, range);
        uint64_t c = prng_below(prng, range);

        a = a < b ? a : b;
        return a < c ? a : c;
    }
    case 1: /* a window that moves */
        return 500 + step / 8 % 1000 + prng_below(prng, capacity);
    case 2: /* a scan beside a hot set */
        return prng_below(prng, 3) ? 2000 + step : prng_below(prng, capacity / 2 + 1);
    default: /* a loop somewhat larger than the cache */
        return 9000 + step % (capacity + capacity / 3 + 1);
    }
}

/* Twice, if what is there can also be removed from the model: q[0] and q[1] hold that then. */
static inline void agrees(const char *name, bool (*read_model)(struct model *, uint64_t),
                          bool removes)
{
    static const uint32_t capacities[] = {1, 2, 3, 9, 10, 11, 25, 60};

    for (size_t c = 0; c < (removes ? 2 : 1) * sizeof(capacities) / sizeof(capacities[0]); c++) {
        uint32_t capacity = capacities[c % (sizeof(capacities) / sizeof(capacities[0]))], hits = 0;
        bool removing = c >= sizeof(capacities) / sizeof(capacities[0]);
        struct model *m = calloc(1, sizeof(*m));
        struct cache *cache;
        struct prng prng;

        assert_non_null(m);
        m->capacity = capacity;
        prng_init(&prng, 1, capacity);
        assert_int_equal(cache_create(capacity * SECTOR_BYTES, cache_policy_find(name), &cache), 0);
        for (uint32_t step = 0; step < 16000; step++) {
            uint64_t sector = next_sector(&prng, capacity, step);
            bool hit = read_model(m, sector);

            if (step == 8000) { /* reset forgets the ghosts and what was learnt as well */
                cache_clear(cache);
                memset(m, 0, sizeof(*m));
                m->capacity = capacity;
                read_model(m, sector);
                hit = false;
            }
            assert_int_equal(read_cache(cache, sector), hit);
            hits += hit;
            if (removing && step % 7 == 0)
                remove_some(m, cache, &prng);
        }
        assert_in_range(hits, 200, 15000);
        cache_destroy(cache);
        free(m);
    }
}

#endif
