/* SPDX-License-Identifier: MIT */
/* zipf: frequencies for theta below, at and above 1; extremes. */
#include "client/zipf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* How far the counts are from the expected ones, in standard deviations of chi-square. */
static double chi_square_sigmas(const uint32_t *counts, const double *expected, uint32_t cells)
{
    double chi_square = 0;

    for (uint32_t i = 0; i < cells; i++) {
        double distance = counts[i] - expected[i];

        chi_square += distance * distance / expected[i];
    }
    return (chi_square - (cells - 1)) / sqrt(2.0 * (cells - 1));
}

static void zipf_ranks_have_their_frequencies(void **state)
{
    static const double thetas[] = {0.3, 0.99, 1, 1.0000001, 1.5, 3};
    enum { RANKS = 60, DRAWS = 400000 };

    (void)state;
    for (size_t t = 0; t < sizeof(thetas) / sizeof(thetas[0]); t++) {
        uint32_t counts[RANKS] = {0}, cells;
        double expected[RANKS], sum = 0;
        struct zipf zipf;
        struct prng prng;

        prng_init(&prng, 8, 0);
        zipf_init(&zipf, thetas[t], RANKS);
        for (int i = 0; i < DRAWS; i++) {
            uint64_t rank = zipf_next(&zipf, &prng);

            assert_in_range(rank, 1, RANKS);
            counts[rank - 1]++;
        }
        for (int k = 0; k < RANKS; k++)
            sum += pow(k + 1, -thetas[t]);
        for (int k = 0; k < RANKS; k++)
            expected[k] = DRAWS * pow(k + 1, -thetas[t]) / sum;
        for (cells = RANKS; cells > 2 && expected[cells - 1] < 10; cells--) {
            expected[cells - 2] += expected[cells - 1]; /* chi-square wants full cells */
            counts[cells - 2] += counts[cells - 1];
        }
        assert_true(chi_square_sigmas(counts, expected, cells) < 4);
    }
}

static void extreme_thetas_end(void **state)
{
    static const double thetas[] = {1e-300, 1e-9, 50, 1e6, 1e300};
    struct prng prng;

    (void)state;
    prng_init(&prng, 8, 0);
    for (size_t t = 0; t < sizeof(thetas) / sizeof(thetas[0]); t++) {
        struct zipf zipf;

        zipf_init(&zipf, thetas[t], UINT64_C(1) << 53);
        for (int i = 0; i < 1000; i++) {
            uint64_t rank = zipf_next(&zipf, &prng);

            assert_true(rank >= 1 && rank <= UINT64_C(1) << 53);
            if (thetas[t] >= 50)
                assert_int_equal(rank, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zipf_ranks_have_their_frequencies),
        cmocka_unit_test(extreme_thetas_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
