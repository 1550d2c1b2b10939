/* SPDX-License-Identifier: MIT */
/* bench/distance.h against values from tables, and against what its tests promise: the level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "bench/distance.h"

enum { SAMPLE = 400, RUNS = 2000 };

static void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.9g is not %.9g", a, b);
}

/* Smirnov, Annals of Mathematical Statistics 19 (1948): 1 - L(z). */
static void kolmogorovs_law(void **state)
{
    (void)state;
    assert_near(distance_kolmogorov(0.5), 1 - 0.036055, 1e-6);
    assert_near(distance_kolmogorov(1.0), 1 - 0.730000, 1e-6);
    assert_near(distance_kolmogorov(1.36), 1 - 0.950515, 1e-6);
    assert_near(distance_kolmogorov(1.63), 1 - 0.990154, 1e-6);
    assert_near(distance_kolmogorov(0.1), 1, 1e-10);
}

static void ks_is_the_largest_gap(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4}, b[] = {3, 4, 5, 6}, c[] = {2, 2, 2}, d[] = {2, 2};
    assert_near(distance_ks(a, 4, b, 4), 0.5, 1e-12);
    assert_near(distance_ks(a, 4, a, 4), 0, 1e-12);
    assert_near(distance_ks(c, 3, d, 2), 0, 1e-12);
    assert_near(distance_ks(a, 2, b, 4), 1, 1e-12);
}

static void wasserstein_is_the_mean_distance_of_ranks(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3}, b[] = {2, 3, 5};
    assert_near(distance_w1(a, b, 3), (1 + 1 + 2) / 3.0 / 2.0, 1e-12);
    assert_near(distance_w1(a, a, 3), 0, 1e-12);
}

static void draw(struct prng *random, double *v, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = scale * (1 + prng_unit(random));
    distance_sort(v, n);
}

/* Of one law: p is uniform, so that a twentieth is below 0.05. Of two laws: hardly any is above. */
static void ks_holds_its_level_and_finds_a_difference(void **state)
{
    (void)state;
    static double a[SAMPLE], b[SAMPLE], p[RUNS];
    struct prng random;
    prng_init(&random, 1, 0);
    uint32_t found = 0;
    for (uint32_t i = 0; i < RUNS; i++) {
        draw(&random, a, SAMPLE, 1);
        draw(&random, b, SAMPLE, 1);
        p[i] = distance_ks_two_p(a, SAMPLE, b, SAMPLE);
        draw(&random, b, SAMPLE, 1.2);
        found += distance_ks_two_p(a, SAMPLE, b, SAMPLE) < 0.05;
    }
    distance_sort(p, RUNS);
    uint32_t below = 0;
    while (p[below] < 0.05)
        below++;
    assert_near((double)below / RUNS, 0.05, 0.02);
    assert_true(distance_ks_uniform_p(p, RUNS) > 1e-4);
    assert_true(found > RUNS * 99 / 100);
}

/* Two laws that differ by just the margin pass for equivalent in a twentieth of cases, at most. */
static void tost_holds_its_level(void **state)
{
    (void)state;
    static double a[SAMPLE], b[SAMPLE];
    const double margin = 0.05;
    struct prng random;
    prng_init(&random, 2, 0);
    uint32_t wrong = 0, right = 0;
    for (uint32_t i = 0; i < RUNS; i++) {
        draw(&random, a, SAMPLE, 1);
        draw(&random, b, SAMPLE, 1 + margin);
        wrong += distance_tost(a, SAMPLE, b, SAMPLE, 0.5) <= margin;
        draw(&random, b, SAMPLE, 1);
        right += distance_tost(a, SAMPLE, b, SAMPLE, 0.5) <= 2 * margin;
    }
    assert_near((double)wrong / RUNS, 0.05, 0.03);
    assert_true(right > RUNS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kolmogorovs_law),
        cmocka_unit_test(ks_is_the_largest_gap),
        cmocka_unit_test(wasserstein_is_the_mean_distance_of_ranks),
        cmocka_unit_test(ks_holds_its_level_and_finds_a_difference),
        cmocka_unit_test(tost_holds_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
