/* SPDX-License-Identifier: MIT */
/* prng: the published numbers, no bias. */
#include "base/prng.h"

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

/* The published outputs of splitmix64 for seed 1234567, and of xoshiro256** for state 1, 2, 3, 4.
 */
static void generators_give_the_published_numbers(void **state)
{
    static const uint64_t splitmix[] = {UINT64_C(6457827717110365317),
                                        UINT64_C(3203168211198807973),
                                        UINT64_C(9817491932198370423)};
    static const uint64_t xoshiro[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240),
                                       UINT64_C(1215971899390074240)};
    struct prng prng = {{1, 2, 3, 4}};
    uint64_t seed = 1234567;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(prng_splitmix64(&seed), splitmix[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(prng_next(&prng), xoshiro[i]);
}

/* With 3 * 2^62 numbers a remainder would make the first third twice as likely. */
static void bounds_near_the_word_size_have_no_bias(void **state)
{
    const uint64_t quarter = UINT64_C(1) << 62;
    uint32_t counts[3] = {0};
    double expected[3] = {20000, 20000, 20000};
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, 1);
    for (int i = 0; i < 60000; i++)
        counts[prng_below(&prng, 3 * quarter) / quarter]++;
    assert_true(fabs(chi_square_sigmas(counts, expected, 3)) < 4);
    /* The same at a finer grain, where a multiplication without rejection would show. */
    counts[0] = counts[1] = counts[2] = 0;
    for (int i = 0; i < 60000; i++)
        counts[prng_below(&prng, 3 * quarter) % 3]++;
    assert_true(fabs(chi_square_sigmas(counts, expected, 3)) < 4);
    assert_int_equal(prng_below(&prng, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generators_give_the_published_numbers),
        cmocka_unit_test(bounds_near_the_word_size_have_no_bias),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
