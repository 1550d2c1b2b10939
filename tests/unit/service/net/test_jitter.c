/* SPDX-License-Identifier: MIT */
/* jitter: means, spreads and tails of the laws, and scaling. */
#include "service/net/jitter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DRAWS = 400000 };

#define JITTER_NS 1000000

/* Mean and variance in units of the jitter; the share beyond two of them. */
struct shape {
    double mean, variance, tail, least;
};

static struct shape shape_of(enum net_jitter_law law)
{
    struct prng prng;
    struct shape s = {0, 0, 0, 0};
    prng_init(&prng, 42, (uint64_t)law);
    for (int i = 0; i < DRAWS; i++) {
        double x = (double)net_jitter_draw(&prng, law, JITTER_NS) / JITTER_NS;
        s.mean += x / DRAWS;
        s.variance += x * x / DRAWS;
        s.tail += (x > 2) / (double)DRAWS;
        s.least = x < s.least ? x : s.least;
    }
    s.variance -= s.mean * s.mean;
    return s;
}

static void assert_near(double found, double wanted, double tolerance)
{
    assert_true(found > wanted - tolerance && found < wanted + tolerance);
}

static void uniform_spreads_evenly(void **state)
{
    (void)state;
    struct shape s = shape_of(NET_JITTER_UNIFORM);
    assert_near(s.mean, 0, 0.005);
    assert_near(s.variance, 1.0 / 3, 0.005);
    assert_true(s.tail == 0 && s.least >= -1 && s.least < -0.999);
}

static void normal_has_its_standard_deviation(void **state)
{
    (void)state;
    struct shape s = shape_of(NET_JITTER_NORMAL);
    assert_near(s.mean, 0, 0.008);
    assert_near(s.variance, 1, 0.015);
    assert_near(s.tail, 0.0228, 0.002);
}

static void exponential_has_its_mean_and_tail(void **state)
{
    (void)state;
    struct shape s = shape_of(NET_JITTER_EXPONENTIAL);
    assert_near(s.mean, 1, 0.01);
    assert_near(s.variance, 1, 0.03);
    assert_near(s.tail, 0.1353, 0.003); /* e^-2 */
    assert_true(s.least >= 0);
}

static void pareto_has_a_longer_tail(void **state)
{
    (void)state;
    struct shape s = shape_of(NET_JITTER_PARETO);
    assert_near(s.mean, 1, 0.02);
    assert_near(s.tail, 0.125, 0.003); /* 2 (x - 1) > 2: x^-3 < 1/8 */
    assert_true(s.least >= 0);
}

static void a_larger_jitter_changes_the_scale_alone(void **state)
{
    (void)state;
    for (int law = 0; law < NET_JITTER_LAWS; law++) {
        struct prng one, ten;
        prng_init(&one, 7, 7);
        prng_init(&ten, 7, 7);
        for (int i = 0; i < 1000; i++) {
            int64_t a = net_jitter_draw(&one, (enum net_jitter_law)law, 1000000);
            int64_t b = net_jitter_draw(&ten, (enum net_jitter_law)law, 10000000);
            assert_true(b - 10 * a < 10 && b - 10 * a > -10);
        }
    }
}

static void the_largest_jitter_overflows_nowhere(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 8, 0);
    for (int law = 0; law < NET_JITTER_LAWS; law++) {
        for (int i = 0; i < 10000; i++) {
            int64_t x = net_jitter_draw(&prng, (enum net_jitter_law)law, NET_JITTER_MAX_NS);
            assert_true(x > -7 * (int64_t)NET_JITTER_MAX_NS);
            assert_true(x < 4000 * (int64_t)NET_JITTER_MAX_NS);
        }
    }
}

static void laws_have_names(void **state)
{
    (void)state;
    enum net_jitter_law law;
    for (int i = 0; i < NET_JITTER_LAWS; i++) {
        assert_int_equal(net_jitter_parse(net_jitter_name((enum net_jitter_law)i), &law), 0);
        assert_int_equal(law, i);
    }
    assert_int_equal(net_jitter_parse("gauss", &law), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_spreads_evenly),
        cmocka_unit_test(normal_has_its_standard_deviation),
        cmocka_unit_test(exponential_has_its_mean_and_tail),
        cmocka_unit_test(pareto_has_a_longer_tail),
        cmocka_unit_test(a_larger_jitter_changes_the_scale_alone),
        cmocka_unit_test(the_largest_jitter_overflows_nowhere),
        cmocka_unit_test(laws_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
