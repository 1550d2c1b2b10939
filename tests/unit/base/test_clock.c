/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

/* Between two readings by hand, which are of the same clock and the same unit. */
static void test_the_monotonic_clock_in_nanoseconds(void **state)
{
    struct timespec before, after;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &before);
    uint64_t now_ns = clock_monotonic_ns(), again_ns = clock_monotonic_fn(NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true((uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec <= now_ns);
    assert_true(now_ns <= again_ns);
    assert_true(again_ns <= (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec);
}

static void test_each_clock_is_read_by_its_id(void **state)
{
    struct timespec wall;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t seconds = clock_ns(CLOCK_REALTIME) / CLOCK_NS_PER_SEC;
    assert_in_range(seconds, (uint64_t)wall.tv_sec, (uint64_t)wall.tv_sec + 60);
}

static void test_a_timespec_has_its_nanoseconds_below_a_second(void **state)
{
    const struct {
        uint64_t ns;
        long seconds, rest;
    } rows[] = {
        {0, 0, 0}, {999999999, 0, 999999999}, {1000000000, 1, 0}, {7200000000123, 7200, 123}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct timespec ts = clock_timespec(rows[i].ns);
        assert_int_equal(ts.tv_sec, rows[i].seconds);
        assert_int_equal(ts.tv_nsec, rows[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_monotonic_clock_in_nanoseconds),
        cmocka_unit_test(test_each_clock_is_read_by_its_id),
        cmocka_unit_test(test_a_timespec_has_its_nanoseconds_below_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
