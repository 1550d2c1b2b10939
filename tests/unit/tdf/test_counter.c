/* SPDX-License-Identifier: MIT */
/* counter: the processor's counter runs forward, at the rate that the processor states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tdf/counter.h"

enum { READINGS = 100000 };

static void readings_never_go_back(void **state)
{
    (void)state;
    uint64_t last = counter_tsc();
    if (last == 0 && counter_tsc_ordered() == 0)
        skip(); /* this processor has none that we know of */
    for (int i = 0; i < READINGS; i++) {
        uint64_t now = i % 2 == 0 ? counter_tsc() : counter_tsc_ordered();
        assert_true(now >= last);
        last = now;
    }
}

static void it_counts_while_time_passes(void **state)
{
    (void)state;
    uint64_t begin = counter_tsc_ordered(), begin_ns = clock_monotonic_ns(), ns;
    if (begin == 0 && counter_tsc_ordered() == 0)
        skip();
    do
        ns = clock_monotonic_ns() - begin_ns;
    while (ns < 5000000);
    uint64_t ticks = counter_tsc_ordered() - begin;
    /* 1 MHz to 10 GHz. */
    assert_in_range(ticks, ns / 1000, ns * 10);
#if defined(__aarch64__)
    uint64_t hz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    /* The two clocks are not read at one instant; a wrong register would be off by far more. */
    uint64_t expected = (uint64_t)((double)hz * (double)ns / 1e9);
    assert_in_range(ticks, expected - expected / 20, expected * 2);
#endif
}

static void a_dependency_is_zero_whatever_was_read(void **state)
{
    (void)state;
    static const uint64_t counters[] = {0, 1, 0xffffffff, 0x100000000, UINT64_MAX};
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        assert_int_equal(counter_dependency(counters[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings_never_go_back),
        cmocka_unit_test(it_counts_while_time_passes),
        cmocka_unit_test(a_dependency_is_zero_whatever_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
