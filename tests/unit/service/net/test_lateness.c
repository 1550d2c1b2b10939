/* SPDX-License-Identifier: MIT */
/* lateness: means and percentiles, and that nothing is divided by nothing. */
#include "service/net/lateness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void without_frames_all_is_0(void **state)
{
    (void)state;
    const struct net_lateness none = {.frames = 0};
    assert_int_equal(net_lateness_mean_ns(&none), 0);
    assert_int_equal(net_lateness_percentile_ns(&none, 50), 0);
    assert_int_equal(net_lateness_percentile_ns(&none, 100), 0);
}

static void percentiles_are_those_of_a_sorted_list(void **state)
{
    (void)state;
    static struct net_lateness lateness;
    for (uint64_t i = 1; i <= 1000; i++)
        net_lateness_add(&lateness, i * 1000);
    assert_int_equal(net_lateness_mean_ns(&lateness), 500500);
    for (uint32_t percent = 1; percent <= 100; percent++) {
        uint64_t exact_ns = percent * UINT64_C(10000);
        assert_in_range(net_lateness_percentile_ns(&lateness, percent), exact_ns,
                        exact_ns + exact_ns / 8);
    }
    assert_int_equal(net_lateness_percentile_ns(&lateness, 100), 1000000);
}

static void one_of_hundred_is_beyond_the_99th(void **state)
{
    (void)state;
    static struct net_lateness lateness;
    for (int i = 0; i < 99; i++)
        net_lateness_add(&lateness, 0);
    net_lateness_add(&lateness, UINT64_MAX);
    assert_int_equal(net_lateness_percentile_ns(&lateness, 99), 0);
    assert_true(net_lateness_percentile_ns(&lateness, 100) == UINT64_MAX);
    assert_true(lateness.max_ns == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_frames_all_is_0),
        cmocka_unit_test(percentiles_are_those_of_a_sorted_list),
        cmocka_unit_test(one_of_hundred_is_beyond_the_99th),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
