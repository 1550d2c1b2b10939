/* SPDX-License-Identifier: MIT */
/*
 * cache_policy: each policy against the same algorithm written naively, with plain arrays in which
 * the oldest comes first, on random traces: every look-up must agree. Then hit ratios on loads
 * whose order among the policies is known.
 */
#include "service/block/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"

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

static int find(const struct queue *q, uint64_t sector)
{
    for (uint32_t i = 0; i < q->count; i++)
        if (q->sector[i] == sector)
            return (int)i;
    return -1;
}

static void push(struct queue *q, uint64_t sector, uint32_t uses)
{
    assert_true(q->count < QUEUE_MAX);
    q->sector[q->count] = sector;
    q->uses[q->count++] = uses;
}

static uint64_t take(struct queue *q, uint32_t at)
{
    uint64_t sector = q->sector[at];

    assert_true(at < q->count);
    q->count--;
    memmove(&q->sector[at], &q->sector[at + 1], (q->count - at) * sizeof(q->sector[0]));
    memmove(&q->uses[at], &q->uses[at + 1], (q->count - at) * sizeof(q->uses[0]));
    return sector;
}

/* CLOCK as "second chance": a queue whose oldest goes to the end when it was used. */
static bool read_clock(struct model *m, uint64_t sector)
{
    struct queue *q = &m->q[0];
    int at = find(q, sector);

    if (at >= 0) {
        q->uses[at] = 1;
        return true;
    }
    while (q->count == m->capacity) {
        bool used = q->uses[0] > 0;
        uint64_t oldest = take(q, 0);

        if (used)
            push(q, oldest, 0);
    }
    push(q, sector, 0);
    return false;
}

static bool read_sieve(struct model *m, uint64_t sector)
{
    struct queue *q = &m->q[0];
    int at = find(q, sector);

    if (at >= 0) {
        q->uses[at] = 1;
        return true;
    }
    if (q->count == m->capacity) {
        if (m->hand >= q->count)
            m->hand = 0;
        while (q->uses[m->hand] > 0) {
            q->uses[m->hand] = 0;
            m->hand = (m->hand + 1) % q->count;
        }
        take(q, m->hand);
        if (m->hand == q->count) /* it was the newest: the next time begins with the oldest */
            m->hand = QUEUE_MAX;
    }
    push(q, sector, 0);
    return false;
}

/* q[0] small, q[1] main, q[2] ghost. */
static void s3fifo_evict_main(struct model *m)
{
    for (;;) {
        uint32_t uses = m->q[1].uses[0];
        uint64_t sector = take(&m->q[1], 0);

        if (uses == 0)
            return;
        push(&m->q[1], sector, uses - 1);
    }
}

static void s3fifo_evict(struct model *m)
{
    uint32_t small = m->capacity >= 10 ? m->capacity / 10 : 1, main = m->capacity - small;

    if (m->q[0].count < small) {
        s3fifo_evict_main(m);
        return;
    }
    while (m->q[0].count > 0) {
        uint32_t uses = m->q[0].uses[0];
        uint64_t sector = take(&m->q[0], 0);

        if (uses <= 1) {
            /* uses counts the age in ghost: what left as long ago as ghost is large is gone. */
            for (uint32_t i = 0; i < m->q[2].count; i++)
                m->q[2].uses[i]++;
            push(&m->q[2], sector, 0);
            while (m->q[2].uses[0] >= (main > 0 ? main : 1))
                take(&m->q[2], 0);
            return;
        }
        push(&m->q[1], sector, 0);
        if (m->q[1].count > main) {
            s3fifo_evict_main(m);
            return;
        }
    }
}

static bool read_s3fifo(struct model *m, uint64_t sector)
{
    int ghost;

    for (int i = 0; i < 2; i++) {
        int at = find(&m->q[i], sector);

        if (at >= 0) {
            m->q[i].uses[at] += m->q[i].uses[at] < 3;
            return true;
        }
    }
    ghost = find(&m->q[2], sector);
    if (ghost >= 0)
        take(&m->q[2], (uint32_t)ghost);
    if (m->q[0].count + m->q[1].count == m->capacity)
        s3fifo_evict(m);
    push(&m->q[ghost >= 0 ? 1 : 0], sector, 0);
    return false;
}

/* q[0..3]: T1, T2, B1, B2, after figure 4 of the paper. */
static void arc_replace(struct model *m, bool in_b2)
{
    struct queue *t1 = &m->q[0];

    if (t1->count >= 1 && ((in_b2 && t1->count == m->p) || t1->count > m->p))
        push(&m->q[2], take(t1, 0), 0);
    else
        push(&m->q[3], take(&m->q[1], 0), 0);
}

static void arc_adapt(struct model *m, bool in_b2)
{
    uint32_t mine = m->q[in_b2 ? 3 : 2].count, other = m->q[in_b2 ? 2 : 3].count;
    uint32_t step = mine >= other ? 1 : other / mine;

    for (; step > 0; step--) {
        if (in_b2 && m->p > 0)
            m->p--;
        if (!in_b2 && m->p < m->capacity)
            m->p++;
    }
}

static bool read_arc(struct model *m, uint64_t sector)
{
    int at[QUEUES];
    uint32_t l1 = m->q[0].count + m->q[2].count, l2 = m->q[1].count + m->q[3].count;

    for (int i = 0; i < QUEUES; i++)
        at[i] = find(&m->q[i], sector);
    if (at[0] >= 0 || at[1] >= 0) { /* case I */
        int i = at[0] >= 0 ? 0 : 1;

        push(&m->q[1], take(&m->q[i], (uint32_t)at[i]), 0);
        return true;
    }
    if (at[2] >= 0 || at[3] >= 0) { /* cases II and III */
        int i = at[2] >= 0 ? 2 : 3;

        arc_adapt(m, i == 3);
        take(&m->q[i], (uint32_t)at[i]);
        arc_replace(m, i == 3);
        push(&m->q[1], sector, 0);
        return false;
    }
    if (l1 == m->capacity) { /* case IV A */
        if (m->q[0].count < m->capacity) {
            take(&m->q[2], 0);
            arc_replace(m, false);
        } else {
            take(&m->q[0], 0);
        }
    } else if (l1 + l2 >= m->capacity) { /* case IV B */
        if (l1 + l2 == 2 * m->capacity)
            take(&m->q[3], 0);
        arc_replace(m, false);
    }
    push(&m->q[0], sector, 0);
    return false;
}

static bool read_cache(struct cache *cache, uint64_t sector)
{
    static const unsigned char data[SECTOR_BYTES];

    if (cache_lookup(cache, sector))
        return true;
    cache_insert(cache, sector, data);
    return false;
}

/* A trace with something for everybody: skew, a drift, scans, small loops. */
static uint64_t next_sector(struct prng *prng, uint32_t capacity, uint32_t step)
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

static void agrees(const char *name, bool (*read_model)(struct model *, uint64_t))
{
    static const uint32_t capacities[] = {1, 2, 3, 9, 10, 11, 25, 60};

    for (size_t c = 0; c < sizeof(capacities) / sizeof(capacities[0]); c++) {
        uint32_t capacity = capacities[c], hits = 0;
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
        }
        assert_in_range(hits, 200, 15000);
        cache_destroy(cache);
        free(m);
    }
}

static void clock_agrees_with_second_chance(void **state)
{
    (void)state;
    agrees("clock", read_clock);
}

static void sieve_agrees_with_the_naive_one(void **state)
{
    (void)state;
    agrees("sieve", read_sieve);
}

static void s3fifo_agrees_with_the_naive_one(void **state)
{
    (void)state;
    agrees("s3fifo", read_s3fifo);
}

static void arc_agrees_with_the_paper(void **state)
{
    (void)state;
    agrees("arc", read_arc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_agrees_with_second_chance),
        cmocka_unit_test(sieve_agrees_with_the_naive_one),
        cmocka_unit_test(s3fifo_agrees_with_the_naive_one),
        cmocka_unit_test(arc_agrees_with_the_paper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
