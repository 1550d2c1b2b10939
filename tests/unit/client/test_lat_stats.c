/* SPDX-License-Identifier: MIT */
/* lat_stats: known values, exact percentiles of random ones, merging. */
#include "client/lat_stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"

static const double percents[] = {0, 0.01, 1, 25, 50, 90, 99, 99.9, 99.99, 100};
enum { PERCENTS = sizeof(percents) / sizeof(percents[0]) };

static struct lat_stats *new_stats(void)
{
    struct lat_stats *stats = malloc(sizeof(*stats));

    assert_non_null(stats);
    lat_stats_init(stats);
    return stats;
}

static void assert_close(double got, double want, double relative)
{
    double error = fabs(got - want);

    if (error > relative * fabs(want) + 1e-300)
        fail_msg("got %.17g, want %.17g", got, want);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void nothing_gives_zeros(void **state)
{
    struct lat_stats *stats = new_stats();

    (void)state;
    assert_int_equal(lat_stats_min(stats), 0);
    assert_int_equal(lat_stats_max(stats), 0);
    assert_true(lat_stats_mean(stats) == 0 && lat_stats_stddev(stats) == 0);
    for (int i = 0; i < PERCENTS; i++)
        assert_int_equal(lat_stats_percentile(stats, percents[i]), 0);
    free(stats);
}

static void known_values(void **state)
{
    static const uint64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct lat_stats *stats = new_stats();

    (void)state;
    for (size_t i = 0; i < 8; i++)
        lat_stats_add(stats, values[i]);
    assert_int_equal(stats->count, 8);
    assert_int_equal(lat_stats_min(stats), 2);
    assert_int_equal(lat_stats_max(stats), 9);
    assert_close(lat_stats_mean(stats), 5, 1e-15);
    assert_close(lat_stats_stddev(stats), 2, 1e-15); /* of the population; a sample's is 2.138 */
    assert_int_equal(lat_stats_percentile(stats, 0), 2);
    assert_int_equal(lat_stats_percentile(stats, 12.5), 2);
    assert_int_equal(lat_stats_percentile(stats, 12.6), 4);
    assert_int_equal(lat_stats_percentile(stats, 50), 4);
    assert_int_equal(lat_stats_percentile(stats, 51), 5);
    assert_int_equal(lat_stats_percentile(stats, 99), 9);
    assert_int_equal(lat_stats_percentile(stats, 100), 9);
    free(stats);
}

static void one_value_is_everything(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 123456789, UINT64_MAX};

    (void)state;
    for (size_t v = 0; v < 6; v++) {
        struct lat_stats *stats = new_stats();

        lat_stats_add(stats, values[v]);
        assert_close(lat_stats_mean(stats), (double)values[v], 0);
        assert_true(lat_stats_stddev(stats) == 0);
        for (int i = 0; i < PERCENTS; i++)
            assert_int_equal(lat_stats_percentile(stats, percents[i]), values[v]);
        free(stats);
    }
}

/* A sum of squares would lose all digits here. */
static void deviation_survives_a_large_mean(void **state)
{
    struct lat_stats *stats = new_stats();

    (void)state;
    for (int i = 0; i < 100000; i++)
        lat_stats_add(stats, UINT64_C(1000000000000000) + (i % 2 ? 3 : 0));
    assert_close(lat_stats_stddev(stats), 1.5, 1e-6);
    free(stats);
}

/* Of every magnitude and in every order, so that blocks of all lengths are merged, and one is open
 * at the end: against long double, in two passes. */
static void mean_and_deviation_are_those_of_all_values(void **state)
{
    enum { VALUES = 10007 };
    uint64_t *values = calloc(VALUES, sizeof(*values)), seed = 11;

    (void)state;
    assert_non_null(values);
    for (int bits = 1; bits < 60; bits += 7) {
        struct lat_stats *stats = new_stats();
        long double sum = 0, squares = 0;

        for (int i = 0; i < VALUES; i++) {
            values[i] = prng_splitmix64(&seed) >> (64 - bits);
            lat_stats_add(stats, values[i]);
            sum += (long double)values[i];
        }
        for (int i = 0; i < VALUES; i++) {
            long double distance = (long double)values[i] - sum / VALUES;
            squares += distance * distance;
        }
        assert_close(lat_stats_mean(stats), (double)(sum / VALUES), 1e-12);
        assert_close(lat_stats_stddev(stats), (double)sqrtl(squares / VALUES), 1e-9);
        free(stats);
    }
    free(values);
}

static void ranks_are_exact_where_buckets_are(void **state)
{
    struct lat_stats *stats = new_stats();

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        lat_stats_add(stats, i <= 990 ? 10 : i <= 999 ? 20 : 30);
    assert_int_equal(lat_stats_percentile(stats, 99), 10);
    assert_int_equal(lat_stats_percentile(stats, 99.05), 20);
    assert_int_equal(lat_stats_percentile(stats, 99.9), 20);
    assert_int_equal(lat_stats_percentile(stats, 99.91), 30);
    free(stats);
}

/* Random values of all magnitudes, edges of buckets among them. */
static void percentiles_are_within_one_percent(void **state)
{
    enum { VALUES = 20000 };
    uint64_t *values = calloc(VALUES, sizeof(*values)), seed = 5;
    struct lat_stats *stats = new_stats();

    (void)state;
    assert_non_null(values);
    for (int i = 0; i < VALUES; i++) {
        uint64_t bits = prng_splitmix64(&seed) % 64;

        values[i] = (UINT64_C(1) << bits) +
                    (i % 4 ? prng_splitmix64(&seed) << 11 >> (63 - bits) : 0) -
                    (i % 4 == 0 && i % 8 ? 1 : 0);
        lat_stats_add(stats, values[i]);
    }
    qsort(values, VALUES, sizeof(*values), compare);
    assert_int_equal(lat_stats_min(stats), values[0]);
    assert_int_equal(lat_stats_max(stats), values[VALUES - 1]);
    for (int rank = 1; rank <= VALUES; rank++) {
        double got = (double)lat_stats_percentile(stats, 100.0 * rank / VALUES);

        if (rank % 37 == 0 || rank < 200 || rank > VALUES - 200)
            assert_close(got, (double)values[rank - 1], 1.0 / 128);
    }
    free(stats);
    free(values);
}

static void merged_parts_equal_the_whole(void **state)
{
    enum { PARTS = 7, VALUES = 30000 };
    struct lat_stats *whole = new_stats(), *merged = new_stats(), *part[PARTS];
    uint64_t seed = 9;

    (void)state;
    for (int i = 0; i < PARTS; i++)
        part[i] = new_stats();
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = 20000 + prng_splitmix64(&seed) % (UINT64_C(1000) << (i % 10));

        lat_stats_add(whole, value);
        lat_stats_add(part[i % 11 % (PARTS - 1)], value); /* unequal parts, the last one empty */
    }
    for (int i = 0; i < PARTS; i++)
        lat_stats_merge(merged, part[i]);
    assert_int_equal(merged->count, whole->count);
    assert_int_equal(merged->min_ns, whole->min_ns);
    assert_int_equal(merged->max_ns, whole->max_ns);
    assert_close(lat_stats_mean(merged), lat_stats_mean(whole), 1e-12);
    assert_close(lat_stats_stddev(merged), lat_stats_stddev(whole), 1e-11);
    assert_memory_equal(merged->bucket, whole->bucket, sizeof(whole->bucket));

    for (int i = 0; i < PARTS; i++)
        free(part[i]);
    free(merged);
    free(whole);
}

static void merging_nothing_changes_nothing(void **state)
{
    struct lat_stats *some = new_stats(), *none = new_stats(), *copy = new_stats();

    (void)state;
    lat_stats_add(some, 100);
    lat_stats_add(some, 200);
    lat_stats_merge(copy, some);
    assert_memory_equal(copy, some, sizeof(*some));
    lat_stats_merge(some, none);
    assert_memory_equal(copy, some, sizeof(*some));
    free(some);
    free(none);
    free(copy);
}

static void buckets_lie_side_by_side(void **state)
{
    (void)state;
    assert_int_equal(lat_stats_bucket_first(0), 0);
    for (uint32_t bucket = 0; bucket + 1 < LAT_STATS_BUCKETS; bucket++) {
        assert_true(lat_stats_bucket_first(bucket) <= lat_stats_bucket_last(bucket));
        assert_true(lat_stats_bucket_last(bucket) + 1 == lat_stats_bucket_first(bucket + 1));
    }
    assert_true(lat_stats_bucket_last(LAT_STATS_BUCKETS - 1) == UINT64_MAX);
}

static void a_bucket_counts_its_bounds(void **state)
{
    (void)state;
    for (uint32_t bucket = 0; bucket < LAT_STATS_BUCKETS; bucket++) {
        struct lat_stats *stats = new_stats();

        lat_stats_add(stats, lat_stats_bucket_first(bucket));
        lat_stats_add(stats, lat_stats_bucket_last(bucket));
        assert_int_equal(stats->bucket[bucket], 2);
        free(stats);
    }
}

/* Rounding makes the sum of squares negative here and there, of which there is no root. */
static void values_that_hardly_differ_have_a_deviation(void **state)
{
    (void)state;
    for (uint64_t ns = 1000000; ns < 8000000; ns += 9973) {
        struct lat_stats *stats = new_stats();
        for (int i = 0; i < 99; i++)
            lat_stats_add(stats, ns);
        lat_stats_add(stats, ns + 1);
        assert_true(lat_stats_stddev(stats) >= 0 && lat_stats_stddev(stats) < 1);
        free(stats);
    }
}

static void merging_finds_the_least_and_the_greatest(void **state)
{
    (void)state;
    struct lat_stats *one = new_stats(), *other = new_stats();
    lat_stats_add(one, 500);
    lat_stats_add(other, 100);
    lat_stats_add(other, 900);
    lat_stats_merge(one, other);
    assert_int_equal(lat_stats_min(one), 100);
    assert_int_equal(lat_stats_max(one), 900);
    free(one);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_zeros),
        cmocka_unit_test(known_values),
        cmocka_unit_test(one_value_is_everything),
        cmocka_unit_test(deviation_survives_a_large_mean),
        cmocka_unit_test(mean_and_deviation_are_those_of_all_values),
        cmocka_unit_test(ranks_are_exact_where_buckets_are),
        cmocka_unit_test(percentiles_are_within_one_percent),
        cmocka_unit_test(merged_parts_equal_the_whole),
        cmocka_unit_test(merging_nothing_changes_nothing),
        cmocka_unit_test(buckets_lie_side_by_side),
        cmocka_unit_test(a_bucket_counts_its_bounds),
        cmocka_unit_test(values_that_hardly_differ_have_a_deviation),
        cmocka_unit_test(merging_finds_the_least_and_the_greatest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
