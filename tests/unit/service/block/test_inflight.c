/* SPDX-License-Identifier: MIT */
/* inflight: joining reads in flight, by the rule of inflight.h. */
#include "service/block/inflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"

static void same_sector_is_joined_until_the_read_is_over(void **state)
{
    struct inflight table;
    struct inflight_read read;

    (void)state;
    inflight_init(&table, 42);
    assert_null(inflight_find(&table, 1000, 1));
    inflight_add(&table, &read, 1000, 1);
    assert_ptr_equal(inflight_find(&table, 1000, 1), &read);
    assert_null(inflight_find(&table, 1001, 1));
    assert_null(inflight_find(&table, 999, 1));
    assert_null(inflight_find(&table, 1000, 2));
    inflight_remove(&table, &read);
    assert_null(inflight_find(&table, 1000, 1));
    assert_int_equal(table.count, 0);
}

static void block_serves_all_its_sectors(void **state)
{
    struct inflight table;
    struct inflight_read read;

    (void)state;
    inflight_init(&table, 0);
    inflight_add(&table, &read, 800, 8);
    for (uint64_t sector = 790; sector < 820; sector++)
        for (uint32_t count = 1; count < 12; count++) {
            bool covered = sector >= 800 && sector + count <= 808;

            assert_ptr_equal(inflight_find(&table, sector, count), covered ? &read : NULL);
        }
}

static void long_reads_serve_what_starts_in_their_first_granule(void **state)
{
    struct inflight table;
    struct inflight_read read;

    (void)state;
    inflight_init(&table, UINT64_MAX);
    inflight_add(&table, &read, 803, 88);
    assert_ptr_equal(inflight_find(&table, 803, 88), &read);
    assert_ptr_equal(inflight_find(&table, 807, 84), &read);
    assert_null(inflight_find(&table, 807, 85));
    assert_null(inflight_find(&table, 802, 1));
    assert_null(inflight_find(&table, 808, 1)); /* covered, but in the next granule */
}

static void odd_spans_find_nothing(void **state)
{
    struct inflight table;
    struct inflight_read last, first;

    (void)state;
    inflight_init(&table, 7);
    inflight_add(&table, &last, UINT64_MAX - 7, 7);
    inflight_add(&table, &first, 0, 8);
    assert_null(inflight_find(&table, 0, 0));
    assert_null(inflight_find(&table, UINT64_MAX - 7, 0));
    assert_ptr_equal(inflight_find(&table, UINT64_MAX - 3, 3), &last);
    assert_null(inflight_find(&table, UINT64_MAX - 3, 4));
    assert_null(inflight_find(&table, UINT64_MAX - 3, UINT32_MAX));
    assert_null(inflight_find(&table, UINT64_MAX, 1));
    assert_null(inflight_find(&table, 3, UINT32_MAX));
}

static void random_traces_agree_with_a_search(void **state)
{
    enum { READS = 300 };
    static struct inflight_read read[READS];
    static bool used[READS];
    struct inflight table;
    uint64_t seed = 11;

    (void)state;
    inflight_init(&table, 1234567);
    for (int step = 0; step < 60000; step++) {
        uint64_t i = prng_splitmix64(&seed) % READS;
        uint64_t sector = prng_splitmix64(&seed) % 600;
        uint32_t count = (uint32_t)(1 + prng_splitmix64(&seed) % 16);
        const struct inflight_read *got = inflight_find(&table, sector, count);
        bool findable = false;

        for (int k = 0; k < READS; k++)
            findable =
                findable || (used[k] && read[k].sector <= sector &&
                             read[k].sector / INFLIGHT_GRANULE == sector / INFLIGHT_GRANULE &&
                             sector + count <= read[k].sector + read[k].sector_count);
        assert_int_equal(got != NULL, findable);
        if (got) {
            assert_true(used[got - read]);
            assert_true(got->sector <= sector && sector + count <= got->sector + got->sector_count);
        }
        if (used[i])
            inflight_remove(&table, &read[i]);
        else
            inflight_add(&table, &read[i], sector, count);
        used[i] = !used[i];
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_sector_is_joined_until_the_read_is_over),
        cmocka_unit_test(block_serves_all_its_sectors),
        cmocka_unit_test(long_reads_serve_what_starts_in_their_first_granule),
        cmocka_unit_test(odd_spans_find_nothing),
        cmocka_unit_test(random_traces_agree_with_a_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
