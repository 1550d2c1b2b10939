/* SPDX-License-Identifier: MIT */
/* pattern: the distributions, by their counts. All seeds are fixed. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "unit/client/pattern_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(zipf_is_spread_over_the_disk),
        cmocka_unit_test(permutation_misses_no_sector),
        cmocka_unit_test(hot_set_gets_nine_tenths),
        cmocka_unit_test(the_hot_set_gets_the_share_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
