/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/traffic/traffic_times.h"

static struct traffic_times times;

static int setup(void **state)
{
    (void)state;
    memset(&times, 0, sizeof(times));
    return 0;
}

static void nothing_has_no_quantiles(void **state)
{
    (void)state;
    assert_int_equal(traffic_times_quantile(&times, 0.5), 0);
}

static void quantiles_are_right_to_a_1024th(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100000; i++)
        traffic_times_add(&times, i * 10);
    assert_int_equal(times.count, 100000);
    assert_int_equal(times.least_ns, 10);
    assert_int_equal(times.most_ns, 1000000);
    assert_in_range(traffic_times_quantile(&times, 0.5), 500000, 500000 + 500000 / 1024);
    assert_in_range(traffic_times_quantile(&times, 0.99), 990000, 1000000);
    assert_int_equal(traffic_times_quantile(&times, 1), 1000000);
}

static void every_time_has_a_place(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        setup(NULL);
        traffic_times_add(&times, UINT64_C(1) << bit);
        traffic_times_add(&times, (UINT64_C(1) << bit) - 1);
        assert_int_equal(traffic_times_quantile(&times, 1), UINT64_C(1) << bit);
    }
    traffic_times_add(&times, UINT64_MAX);
    assert_int_equal(traffic_times_quantile(&times, 1), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_has_no_quantiles, setup),
        cmocka_unit_test_setup(quantiles_are_right_to_a_1024th, setup),
        cmocka_unit_test_setup(every_time_has_a_place, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
