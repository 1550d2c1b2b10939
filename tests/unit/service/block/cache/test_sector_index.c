/* SPDX-License-Identifier: MIT */
/* sector_index: removal in clusters, keys. */
#include "service/block/cache/sector_index.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_survives_clusters),
        cmocka_unit_test(keys_differ_from_index_to_index),
        cmocka_unit_test(absurd_capacities_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
