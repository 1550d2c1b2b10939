/* SPDX-License-Identifier: MIT */
/* pattern: parsing, bounds, distributions, reproducibility. All seeds are fixed. */
#include "client/pattern.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const all_patterns[] = {
    "uniform",      "sequential", "zipf:0.2",  "zipf:0.99",  "zipf:1",       "zipf:1.3",  "zipf:40",
    "hotset:0.001", "hotset:1",   "hotset:50", "hotset:100", "hotset:1:100", "hotset:1:5"};
enum { PATTERNS = sizeof(all_patterns) / sizeof(all_patterns[0]) };

static struct pattern make(const char *text, uint64_t first, uint64_t last, uint32_t sectors,
                           uint64_t seed, uint32_t thread, uint32_t threads)
{
    struct pattern_spec spec;
    struct pattern pattern;

    assert_int_equal(pattern_parse(text, &spec), 0);
    assert_int_equal(pattern_init(&pattern, &spec, first, last, sectors, seed, thread, threads), 0);
    return pattern;
}

/* How far the counts are from the expected ones, in standard deviations of chi-square, which for
 * many cells is nearly normal with mean n - 1 and variance 2 (n - 1). */
static double chi_square_sigmas(const uint32_t *counts, const double *expected, uint32_t cells)
{
    double chi_square = 0;

    for (uint32_t i = 0; i < cells; i++) {
        double distance = counts[i] - expected[i];

        chi_square += distance * distance / expected[i];
    }
    return (chi_square - (cells - 1)) / sqrt(2.0 * (cells - 1));
}

static void good_texts_are_parsed(void **state)
{
    struct pattern_spec spec;

    (void)state;
    assert_int_equal(pattern_parse("uniform", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_UNIFORM);
    assert_int_equal(pattern_parse("sequential", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_SEQUENTIAL);
    assert_int_equal(pattern_parse("zipf:0.99", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_ZIPF);
    assert_true(spec.parameter == 0.99);
    assert_int_equal(pattern_parse("hotset:1e-1", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_HOTSET);
    assert_true(spec.parameter == 0.1);
    assert_true(spec.hot_share_percent == 90);
    assert_int_equal(pattern_parse("hotset:0.5:100", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_HOTSET);
    assert_true(spec.parameter == 0.5);
    assert_true(spec.hot_share_percent == 100);
}

static void bad_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Uniform",
        "uniform ",
        "uniform:1",
        "sequential:",
        "zipf",
        "zipf:",
        "zipf:0",
        "zipf:-1",
        "zipf: 1",
        "zipf:1x",
        "zipf:nan",
        "zipf:inf",
        "zipf:1e999",
        "zipf:0x1",
        "zipf:1,5",
        "zipf:1:2",
        "zipf:+1",
        "zipf:.",
        "hotset",
        "hotset:",
        "hotset:0",
        "hotset:-5",
        "hotset:100.1",
        "random",
        "zipf:1e",
        "zipf:1.2.3",
        "hotset:1:",
        "hotset::1",
        "hotset:1:0",
        "hotset:1:101",
        "hotset:101:1",
        "hotset:1:2:3",
        "hotset:1:-2",
    };
    struct pattern_spec spec = {.kind = PATTERN_ZIPF, .parameter = 7, .hot_share_percent = 8},
                        before = spec;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pattern_parse(bad[i], &spec) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(spec.kind == before.kind && spec.parameter == before.parameter &&
                    spec.hot_share_percent == before.hot_share_percent);
    }
}

static void impossible_ranges_are_refused(void **state)
{
    struct pattern_spec spec = {.kind = PATTERN_UNIFORM}, odd = {.kind = (enum pattern_kind)9};
    struct pattern p;

    (void)state;
    assert_int_equal(pattern_init(&p, &spec, 5, 4, 1, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 4, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 0, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 1, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 0), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 0, UINT64_MAX, 1, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &odd, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_ZIPF};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_HOTSET, .parameter = 101, .hot_share_percent = 90};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_HOTSET, .parameter = 1, .hot_share_percent = 0};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_UNIFORM};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 3, 0, 0, 1), 0);
}

static void requests_stay_inside(void **state)
{
    static const struct {
        uint64_t first, last;
        uint32_t sectors;
    } ranges[] = {
        {0, 0, 1},
        {7, 7, 1},
        {10, 11, 1},
        {10, 12, 2},
        {100, 187, 88},
        {3, 1002, 7},
        {UINT64_MAX - 99, UINT64_MAX, 3},
        {0, (UINT64_C(1) << 53) - 1, 1},
    };

    (void)state;
    for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
        for (int i = 0; i < PATTERNS; i++)
            for (uint32_t thread = 0; thread < 3; thread++) {
                struct pattern p = make(all_patterns[i], ranges[r].first, ranges[r].last,
                                        ranges[r].sectors, 1, thread, 3);

                for (int k = 0; k < 500; k++) {
                    uint64_t sector = pattern_next(&p);

                    assert_true(sector >= ranges[r].first && sector <= ranges[r].last);
                    assert_true(ranges[r].last - sector >= ranges[r].sectors - 1);
                }
            }
}

static void same_seed_same_sequence(void **state)
{
    (void)state;
    for (int i = 0; i < PATTERNS; i++) {
        struct pattern a = make(all_patterns[i], 0, 999999, 1, 42, 3, 8);
        struct pattern b = make(all_patterns[i], 0, 999999, 1, 42, 3, 8);

        for (int k = 0; k < 1000; k++)
            assert_int_equal(pattern_next(&a), pattern_next(&b));
    }
}

static void threads_and_seeds_differ(void **state)
{
    static const uint64_t seeds[][2] = {{1, 2}, {2, 1}, {0, 0}, {0, 1}, {1, 0}, {2, 2}, {3, 1}};
    enum { SEEDS = sizeof(seeds) / sizeof(seeds[0]) };
    struct pattern p[SEEDS];
    int same = 0;

    (void)state;
    for (int i = 0; i < SEEDS; i++)
        p[i] = make("uniform", 0, 999999, 1, seeds[i][0], (uint32_t)seeds[i][1], 8);
    for (int k = 0; k < 1000; k++) {
        uint64_t sector[SEEDS];

        for (int i = 0; i < SEEDS; i++)
            sector[i] = pattern_next(&p[i]);
        for (int i = 0; i < SEEDS; i++)
            for (int j = 0; j < i; j++)
                same += sector[i] == sector[j];
    }
    assert_true(same <= 3);
}

static void uniform_is_uniform(void **state)
{
    enum { CELLS = 1000, PER_CELL = 500 };
    uint32_t counts[CELLS] = {0};
    double expected[CELLS];
    struct pattern p = make("uniform", 50, 50 + CELLS - 1 + 3, 4, 3, 0, 1);

    (void)state;
    for (int i = 0; i < CELLS * PER_CELL; i++)
        counts[pattern_next(&p) - 50]++;
    for (int i = 0; i < CELLS; i++)
        expected[i] = PER_CELL;
    assert_true(fabs(chi_square_sigmas(counts, expected, CELLS)) < 4);
}

static void threads_together_walk_over_the_disk(void **state)
{
    enum { THREADS = 5 };
    static const uint32_t sectors[] = {1, 8, 7};

    (void)state;
    for (size_t s = 0; s < 3; s++) {
        struct pattern p[THREADS];
        uint64_t range = 1000, blocks = (range + sectors[s] - 1) / sectors[s], n = 0;

        for (uint32_t t = 0; t < THREADS; t++)
            p[t] = make("sequential", 40, 40 + range - 1, sectors[s], 9, t, THREADS);
        for (int round = 0; round < 1000; round++)
            for (int t = 0; t < THREADS; t++, n++) {
                uint64_t want = n % blocks * sectors[s];

                if (want + sectors[s] > range)
                    want = range - sectors[s];
                assert_int_equal(pattern_next(&p[t]), 40 + want);
            }
    }
}

/* On the disk: the hottest sectors have rank frequencies, lie apart, and are the same for all. */
static void zipf_is_spread_over_the_disk(void **state)
{
    enum { SECTORS = 10000, DRAWS = 500000, HOT = 20 };
    uint32_t *counts = calloc(SECTORS, sizeof(*counts));
    uint64_t hot[HOT];
    struct pattern a = make("zipf:0.99", 0, SECTORS - 1, 1, 1, 0, 1);
    struct pattern b = make("zipf:0.99", 0, SECTORS - 1, 1, 2, 0, 1);
    double sum = 0;

    (void)state;
    assert_non_null(counts);
    for (int k = 1; k <= SECTORS; k++)
        sum += pow(k, -0.99);
    for (int i = 0; i < DRAWS; i++)
        counts[pattern_next(i % 2 ? &a : &b)]++;
    for (int h = 0; h < HOT; h++) {
        double want = DRAWS * pow(h + 1, -0.99) / sum;

        hot[h] = 0;
        for (uint64_t s = 0; s < SECTORS; s++)
            if (counts[s] > counts[hot[h]])
                hot[h] = s;
        assert_true(fabs(counts[hot[h]] - want) < 0.1 * want);
        counts[hot[h]] = 0;
        for (int g = 0; g < h; g++)
            assert_true(hot[h] - hot[g] + 1 > 2); /* neighbours in neither direction */
    }
    free(counts);
}

/* The permutation is one-to-one: with theta near 0 every sector is met. */
static void permutation_misses_no_sector(void **state)
{
    (void)state;
    for (uint64_t sectors = 1; sectors <= 70; sectors++) {
        bool met[70] = {false};
        struct pattern p = make("zipf:0.001", 0, sectors - 1, 1, 5, 0, 1);
        uint64_t met_count = 0;

        for (int i = 0; i < 2000; i++) {
            uint64_t sector = pattern_next(&p);

            met_count += !met[sector];
            met[sector] = true;
        }
        assert_int_equal(met_count, sectors);
    }
}

static void hot_set_gets_nine_tenths(void **state)
{
    enum { SECTORS = 2000, DRAWS = 400000, HOT = SECTORS / 100 };
    uint32_t counts[SECTORS] = {0}, sorted[SECTORS];
    double expected[SECTORS];
    struct pattern p = make("hotset:1", 0, SECTORS - 1, 1, 5, 0, 1);
    uint32_t hot = 0, cold = 0, neighbours = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        counts[pattern_next(&p)]++;
    for (int s = 0; s < SECTORS; s++) {
        bool is_hot = counts[s] > DRAWS * 0.9 / HOT / 2;

        neighbours += is_hot && s > 0 && counts[s - 1] > DRAWS * 0.9 / HOT / 2;
        if (is_hot) {
            expected[hot] = DRAWS * 0.9 / HOT;
            sorted[hot++] = counts[s];
        } else {
            cold++;
            expected[SECTORS - cold] = DRAWS * 0.1 / (SECTORS - HOT);
            sorted[SECTORS - cold] = counts[s];
        }
    }
    assert_int_equal(hot, HOT);
    assert_true(neighbours <= 2);
    assert_true(fabs(chi_square_sigmas(sorted, expected, SECTORS)) < 4);
}

/* Requests out of `draws` that go to the sectors which "hotset:1:100" reads. */
static uint32_t draws_in_hot_set(const char *text, uint32_t draws)
{
    enum { SECTORS = 2000 };
    bool hot[SECTORS] = {false};
    struct pattern pure = make("hotset:1:100", 0, SECTORS - 1, 1, 5, 0, 1);
    struct pattern p = make(text, 0, SECTORS - 1, 1, 6, 0, 1);
    uint32_t hot_count = 0, in_hot_set = 0;

    for (int i = 0; i < 20 * SECTORS; i++) {
        uint64_t sector = pattern_next(&pure);

        hot_count += !hot[sector];
        hot[sector] = true;
    }
    assert_int_equal(hot_count, SECTORS / 100);
    for (uint32_t i = 0; i < draws; i++)
        in_hot_set += hot[pattern_next(&p)];
    return in_hot_set;
}

static void the_hot_set_gets_the_share_asked_for(void **state)
{
    enum { DRAWS = 100000 };

    (void)state;
    assert_int_equal(draws_in_hot_set("hotset:1:100", DRAWS), DRAWS);
    assert_in_range(draws_in_hot_set("hotset:1:50", DRAWS), DRAWS * 0.49, DRAWS * 0.51);
    assert_in_range(draws_in_hot_set("hotset:1", DRAWS), DRAWS * 0.89, DRAWS * 0.91);
}

static void threads_share_out_a_trace(void **state)
{
    uint64_t sectors[] = {9, 5, 7, 5};
    struct sector_trace trace = {.sectors = sectors, .count = 4, .last = 9};
    struct pattern_spec spec;
    struct pattern one, two;

    (void)state;
    assert_int_equal(pattern_parse("trace:f", &spec), 0);
    assert_string_equal(spec.trace_path, "f");
    assert_int_equal(pattern_parse("trace:", &spec), -EINVAL);
    assert_int_equal(pattern_init(&one, &spec, 5, 9, 1, 0, 0, 3), -EINVAL);
    spec.trace = &trace;
    assert_int_equal(pattern_init(&one, &spec, 5, 9, 1, 0, 0, 3), 0);
    assert_int_equal(pattern_init(&two, &spec, 5, 9, 1, 0, 2, 3), 0);
    assert_int_equal(pattern_next(&one), 9);
    assert_int_equal(pattern_next(&one), 5);
    assert_int_equal(pattern_next(&one), 7);
    assert_int_equal(pattern_next(&two), 7);
    assert_int_equal(pattern_next(&two), 5);
}

static void a_trace_of_another_disk_is_refused(void **state)
{
    uint64_t sectors[] = {9, 5};
    struct sector_trace trace = {.sectors = sectors, .count = 2, .last = 9};
    struct pattern_spec spec = {.kind = PATTERN_TRACE, .trace = &trace};
    struct pattern pattern;

    (void)state;
    assert_int_equal(pattern_init(&pattern, &spec, 0, 8, 1, 0, 0, 1), -ERANGE);
    assert_int_equal(pattern_init(&pattern, &spec, 6, 9, 1, 0, 0, 1), -ERANGE);
    assert_int_equal(pattern_init(&pattern, &spec, 0, 9, 2, 0, 0, 1), -ERANGE);
    assert_int_equal(pattern_init(&pattern, &spec, 5, 9, 1, 0, 0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_parsed),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(impossible_ranges_are_refused),
        cmocka_unit_test(requests_stay_inside),
        cmocka_unit_test(same_seed_same_sequence),
        cmocka_unit_test(threads_and_seeds_differ),
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(threads_together_walk_over_the_disk),
        cmocka_unit_test(zipf_is_spread_over_the_disk),
        cmocka_unit_test(permutation_misses_no_sector),
        cmocka_unit_test(hot_set_gets_nine_tenths),
        cmocka_unit_test(the_hot_set_gets_the_share_asked_for),
        cmocka_unit_test(threads_share_out_a_trace),
        cmocka_unit_test(a_trace_of_another_disk_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
