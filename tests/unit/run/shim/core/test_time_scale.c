/* SPDX-License-Identifier: MIT */
#include "run/shim/core/time_scale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t tdf(uint32_t num, uint32_t den)
{
    return (uint64_t)num << 32 | den;
}

static void test_spans_are_multiplied(void **state)
{
    (void)state;
    assert_int_equal(scale_to_real_ns(tdf(10, 1), 60000000), 600000000);
    assert_int_equal(scale_to_real_ns(tdf(1, 2), 60000000), 30000000);
    assert_int_equal(scale_to_real_ns(tdf(1, 1), 123456789), 123456789);
}

static void test_a_span_is_never_cut_short(void **state)
{
    (void)state;
    assert_int_equal(scale_to_real_ns(tdf(1, 3), 1), 1);
    assert_int_equal(scale_to_real_ns(tdf(2, 3), 2), 2);
    assert_int_equal(scale_to_virtual_ns(tdf(10, 1), 1, true), 1);
    assert_int_equal(scale_to_virtual_ns(tdf(10, 1), 19, false), 1);
}

static void test_nothing_is_nothing_even_when_paused(void **state)
{
    (void)state;
    assert_int_equal(scale_to_real_ns(tdf(0, 1), 0), 0);
    assert_int_equal(scale_to_real_ns(tdf(0, 1), 1), SCALE_FOREVER_NS);
    assert_int_equal(scale_to_virtual_ns(tdf(0, 1), 1000, true), 0);
}

static void test_large_spans_end_at_forever(void **state)
{
    (void)state;
    assert_int_equal(scale_to_real_ns(tdf(1000, 1), SCALE_FOREVER_NS - 1), SCALE_FOREVER_NS);
    assert_int_equal(scale_to_real_ns(tdf(1, 1000), SCALE_FOREVER_NS), SCALE_FOREVER_NS);
    assert_int_equal(scale_to_real_ns(tdf(1, 1000), UINT64_MAX), SCALE_FOREVER_NS);
}

static void test_large_terms_do_not_overflow(void **state)
{
    (void)state;
    /* A year by a factor next to 1. */
    const uint64_t year_ns = UINT64_C(31536000) * SCALE_NS_PER_SEC;
    const uint64_t real_ns = scale_to_real_ns(tdf(999999999, 1000000000), year_ns);
    assert_int_equal(real_ns, year_ns - year_ns / 1000000000);
}

static void test_there_and_back_is_the_same_but_for_rounding(void **state)
{
    (void)state;
    const uint64_t factors[] = {tdf(1, 1), tdf(10, 1),   tdf(1, 10),
                                tdf(7, 3), tdf(1000, 1), tdf(1, 1000)};
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++)
        for (uint64_t ns = 1; ns < UINT64_C(1) << 40; ns = ns * 3 + 1) {
            const uint64_t back =
                scale_to_virtual_ns(factors[i], scale_to_real_ns(factors[i], ns), false);
            const uint64_t step = (uint32_t)factors[i] / (factors[i] >> 32) + 1;
            assert_true(back >= ns && back - ns <= step);
        }
}

static void test_times_that_are_none_are_refused(void **state)
{
    uint64_t ns = 7;

    (void)state;
    assert_false(scale_from_timespec(&(struct timespec){.tv_sec = -1}, &ns));
    assert_false(scale_from_timespec(&(struct timespec){.tv_nsec = -1}, &ns));
    assert_false(scale_from_timespec(&(struct timespec){.tv_nsec = 1000000000}, &ns));
    assert_int_equal(ns, 7);
    assert_true(scale_from_timespec(&(struct timespec){.tv_sec = INT64_MAX}, &ns));
    assert_int_equal(ns, SCALE_FOREVER_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_are_multiplied),
        cmocka_unit_test(test_a_span_is_never_cut_short),
        cmocka_unit_test(test_nothing_is_nothing_even_when_paused),
        cmocka_unit_test(test_large_spans_end_at_forever),
        cmocka_unit_test(test_large_terms_do_not_overflow),
        cmocka_unit_test(test_there_and_back_is_the_same_but_for_rounding),
        cmocka_unit_test(test_times_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
