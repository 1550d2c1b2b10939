/* SPDX-License-Identifier: MIT */
/* sector_index: removal in clusters, keys. */
#include "service/block/cache/sector_index.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "faults/fault.h"
#include "faults/fault_walk.h"

/* The table wraps, clusters and shrinks: everything must stay findable, all by the same key. */
static void index_survives_clusters(void **state)
{
    enum { CAPACITY = 61 };
    struct sector_index index;
    uint64_t sector_of[CAPACITY];
    int used[CAPACITY] = {0};
    uint64_t seed = 3;

    (void)state;
    assert_int_equal(sector_index_init(&index, CAPACITY), 0);
    /* With this key the hash is the sector's low bits: clusters as bad as wanted. */
    index.key[0] = 0;
    index.key[1] = 1;
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t slot = (uint32_t)(prng_splitmix64(&seed) % CAPACITY);

        if (used[slot]) {
            sector_index_remove(&index, slot);
            used[slot] = 0;
        } else {
            uint64_t sector =
                120 + prng_splitmix64(&seed) % 12 + 128 * (prng_splitmix64(&seed) % 100);

            if (sector_index_find(&index, sector) != SECTOR_INDEX_NONE)
                continue;
            assert_true(sector_index_reserve(&index, sector));
            sector_index_put(&index, sector, slot);
            sector_of[slot] = sector;
            used[slot] = 1;
        }
        for (uint32_t s = 0; s < CAPACITY; s++)
            if (used[s])
                assert_int_equal(sector_index_find(&index, sector_of[s]), s);
    }
    sector_index_free(&index);
}

static uint64_t positions_of(const struct sector_index *index)
{
    uint64_t positions = 0;
    for (uint32_t i = 0; i < index->part_count; i++)
        positions += index->parts[i].mask != 0 ? index->parts[i].mask + 1 : 0;
    return positions;
}

static void put(struct sector_index *index, uint64_t sector, uint32_t slot)
{
    assert_true(sector_index_reserve(index, sector));
    sector_index_put(index, sector, slot);
}

/* Its tables are sized by what is in, not by what could be. */
static void memory_follows_what_is_in(void **state)
{
    enum { CAPACITY = 1 << 22, USED = 200000 };
    struct sector_index index;

    (void)state;
    assert_int_equal(sector_index_init(&index, CAPACITY), 0);
    assert_int_equal(positions_of(&index), 0);
    put(&index, 17, 0);
    assert_int_equal(positions_of(&index), 64);
    for (uint32_t slot = 1; slot < USED; slot++)
        put(&index, 1000 + 3 * (uint64_t)slot, slot);
    assert_in_range(positions_of(&index), 2 * USED, 8 * USED);
    for (uint32_t slot = 1; slot < USED; slot++) {
        assert_int_equal(sector_index_find(&index, 1000 + 3 * (uint64_t)slot), slot);
        assert_int_equal(sector_index_find(&index, 1001 + 3 * (uint64_t)slot), SECTOR_INDEX_NONE);
    }
    sector_index_clear(&index);
    assert_int_equal(positions_of(&index), 0);
    assert_int_equal(sector_index_find(&index, 17), SECTOR_INDEX_NONE);
    put(&index, 17, 1);
    assert_int_equal(sector_index_find(&index, 17), 1);
    sector_index_free(&index);
}

/* No single step moves more than a table of a few thousand entries. */
static void tables_stay_small_when_all_slots_are_in(void **state)
{
    enum { CAPACITY = 300000 };
    struct sector_index index;

    (void)state;
    assert_int_equal(sector_index_init(&index, CAPACITY), 0);
    for (uint32_t slot = 0; slot < CAPACITY; slot++)
        put(&index, (uint64_t)slot * slot, slot);
    for (uint32_t i = 0; i < index.part_count; i++) {
        assert_in_range(index.parts[i].mask + 1, 64, 4096);
        assert_in_range(index.parts[i].count, 1, (index.parts[i].mask + 1) / 2);
    }
    for (uint32_t slot = 0; slot < CAPACITY; slot++)
        sector_index_remove(&index, slot);
    for (uint32_t i = 0; i < index.part_count; i++)
        assert_int_equal(index.parts[i].count, 0);
    sector_index_free(&index);
}

/* A table becomes fuller then, and when it is full to one position, no more is taken. */
static void without_memory_tables_fill_up(void **state)
{
    enum { CAPACITY = 4096, POSITIONS = 64 };
    struct sector_index index;
    uint32_t count = 0;

    (void)state;
    assert_int_equal(sector_index_init(&index, CAPACITY), 0);
    index.key[0] = 0;
    index.key[1] = 1; /* all in one part */
    put(&index, 0, 0);
    fault_arm_call("malloc", 0, ENOMEM);
    for (count = 1; sector_index_reserve(&index, count); count++)
        sector_index_put(&index, count, count);
    fault_disarm();
    assert_int_equal(count, POSITIONS - 1);
    assert_int_equal(index.parts[0].count, POSITIONS - 1);
    for (uint32_t slot = 0; slot < count; slot++)
        assert_int_equal(sector_index_find(&index, slot), slot);
    assert_int_equal(sector_index_find(&index, count), SECTOR_INDEX_NONE); /* and look-ups end */
    put(&index, count, count);
    assert_int_equal(sector_index_find(&index, count), count);
    sector_index_free(&index);
}

static void keys_differ_from_index_to_index(void **state)
{
    struct sector_index a, b;

    (void)state;
    assert_int_equal(sector_index_init(&a, 1), 0);
    assert_int_equal(sector_index_init(&b, 1), 0);
    assert_memory_not_equal(a.key, b.key, sizeof(a.key));
    sector_index_free(&a);
    sector_index_free(&b);
}

static void absurd_capacities_are_refused(void **state)
{
    struct sector_index index;

    (void)state;
    assert_int_equal(sector_index_init(&index, (UINT32_C(1) << 30) + 1), -ENOMEM);
    sector_index_free(&index); /* harmless */
}

static int make(void *unused)
{
    struct sector_index index;
    (void)unused;
    int rc = sector_index_init(&index, 100);
    sector_index_free(&index);
    return rc;
}

static void without_memory_there_is_no_index(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(make, NULL), 2);
}

/* Early in boot: a worse key, but one that differs and works. */
static void without_entropy_keys_differ_all_the_same(void **state)
{
    struct sector_index a, b;
    (void)state;
    fault_arm_call("getrandom", 0, EAGAIN);
    assert_int_equal(sector_index_init(&a, 100), 0);
    assert_int_equal(sector_index_init(&b, 100), 0);
    fault_disarm();
    assert_memory_not_equal(a.key, b.key, sizeof(a.key));
    assert_true(a.key[0] != 0 && a.key[1] > 1 && a.key[1] % 2 == 1);
    put(&a, 5, 50);
    put(&a, 6, 60);
    assert_int_equal(sector_index_find(&a, 5), 50);
    assert_int_equal(sector_index_find(&a, 6), 60);
    sector_index_free(&a);
    sector_index_free(&b);
}

/* A look-up's cost is bounded for any set of sectors, also for those that differ far up alone. */
static void sectors_that_differ_far_up_spread(void **state)
{
    enum { CAPACITY = 4096 };
    struct sector_index index;
    (void)state;
    assert_int_equal(sector_index_init(&index, CAPACITY), 0);
    for (uint32_t slot = 0; slot < CAPACITY; slot++)
        put(&index, (uint64_t)slot << 40, slot);
    for (uint32_t i = 0; i < index.part_count; i++)
        assert_in_range(index.parts[i].count, CAPACITY / index.part_count / 2,
                        2 * CAPACITY / index.part_count);
    sector_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_survives_clusters),
        cmocka_unit_test(memory_follows_what_is_in),
        cmocka_unit_test(tables_stay_small_when_all_slots_are_in),
        cmocka_unit_test(without_memory_tables_fill_up),
        cmocka_unit_test(keys_differ_from_index_to_index),
        cmocka_unit_test(absurd_capacities_are_refused),
        cmocka_unit_test(without_memory_there_is_no_index),
        cmocka_unit_test(without_entropy_keys_differ_all_the_same),
        cmocka_unit_test(sectors_that_differ_far_up_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
