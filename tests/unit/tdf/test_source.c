/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "faults/fault.h"
#include "tdf/counter.h"
#include "tdf/source.h"

static void test_manual_refuses_odd_rates(void **state)
{
    struct tdf_source source;

    (void)state;
    assert_int_equal(tdf_source_manual(&source, 0, 0, 0), -EINVAL);
    assert_int_equal(tdf_source_manual(&source, 999, 0, 0), -EINVAL);
    assert_int_equal(tdf_source_manual(&source, 8000000001, 0, 0), -EINVAL);
    assert_int_equal(tdf_source_manual(&source, 1000, 0, 0), 0);
    assert_int_equal(tdf_source_manual(&source, 8000000000, 0, 0), 0);
}

static void test_manual_moves_only_when_told(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    assert_int_equal(tdf_source_manual(&source, 1000000000, 5000, 0), 0);
    tdf_source_sample(&source, &sample);
    assert_int_equal(sample.counter, 5000);
    assert_int_equal(sample.monotonic_ns, 5000);
    tdf_source_sample(&source, &sample);
    assert_int_equal(sample.monotonic_ns, 5000);
    tdf_source_advance_ns(&source, 7);
    tdf_source_sample(&source, &sample);
    assert_int_equal(sample.monotonic_ns, 5007);
    assert_int_equal(tdf_source_counter(&source), 5007);
    assert_int_equal(tdf_source_counter_ordered(&source), 5007);
}

static void test_manual_counts_at_its_own_rate(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    assert_int_equal(tdf_source_manual(&source, 2400000000, 0, 0), 0);
    tdf_source_advance_ns(&source, 1000000000);
    assert_int_equal(tdf_source_counter(&source), 2400000000);
    tdf_source_sample(&source, &sample);
    assert_int_equal(sample.monotonic_ns, 1000000000);
}

static void test_manual_never_stands_before_the_instant_it_was_set_to(void **state)
{
    static const uint64_t rates[] = {1000, 24000000, 999999937, 2249999999};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct tdf_source source;
        struct tdf_sample sample;
        assert_int_equal(tdf_source_manual(&source, rates[i], 0, 0), 0);
        for (uint64_t at_ns = 1; at_ns < 1000000000000; at_ns = at_ns * 3 + 1) {
            tdf_source_set_ns(&source, at_ns);
            tdf_source_sample(&source, &sample);
            assert_true(sample.monotonic_ns >= at_ns);
            assert_true(sample.monotonic_ns - at_ns <= 1000000000 / rates[i] + 1);
        }
    }
}

static void test_manual_wall_clock_moves_along(void **state)
{
    struct tdf_source source;

    (void)state;
    assert_int_equal(tdf_source_manual(&source, 1000000000, 123, 1000000), 0);
    assert_int_equal(tdf_source_wall_ns(&source), 1000000);
    tdf_source_advance_ns(&source, 50);
    assert_int_equal(tdf_source_wall_ns(&source), 1000050);
}

static void test_monotonic_at_extrapolates_from_a_sample(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample = {.counter = 24000, .monotonic_ns = 1000000};

    (void)state;
    assert_int_equal(tdf_source_manual(&source, 24000000, 0, 0), 0);
    assert_int_equal(tdf_source_monotonic_at(&source, &sample, 24000), 1000000);
    assert_int_equal(tdf_source_monotonic_at(&source, &sample, 24024), 1001000);
    assert_int_equal(tdf_source_monotonic_at(&source, &sample, 23999), 1000000);
}

static void test_monotonic_is_clock_monotonic(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    tdf_source_monotonic(&source);
    assert_int_equal(source.counter, PVCLOCK_COUNTER_MONOTONIC);
    uint64_t before = clock_monotonic_ns();
    tdf_source_sample(&source, &sample);
    uint64_t read = tdf_source_counter(&source);
    uint64_t after = clock_monotonic_ns();
    assert_true(before <= sample.monotonic_ns && sample.monotonic_ns <= read && read <= after);
    assert_int_equal(sample.counter, sample.monotonic_ns);
}

/* The measured rate predicts CLOCK_MONOTONIC. The bound is far above what calibration achieves and
 * far below what a wrong unit or a wrong rate would give. */
static bool predicts_once(struct tdf_source *source)
{
    struct tdf_sample first, second;

    tdf_source_sample(source, &first);
    uint64_t rate_ticks = source->rate_ticks, rate_ns = source->rate_ns;
    do
        tdf_source_sample(source, &second);
    while (second.monotonic_ns - first.monotonic_ns < 20000000);
    uint64_t elapsed_ns = second.monotonic_ns - first.monotonic_ns;
    uint64_t predicted_ns =
        (uint64_t)((double)(second.counter - first.counter) * (double)rate_ns / (double)rate_ticks);
    int64_t error_ns = (int64_t)(predicted_ns - elapsed_ns);
    int64_t bound_ns = (int64_t)(elapsed_ns / 1000);
    return error_ns >= -bound_ns && error_ns <= bound_ns;
}

/* A sample that was interrupted is worse: a few tries. */
static void predicts_clock_monotonic(struct tdf_source *source)
{
    bool right = false;
    for (int i = 0; i < 10 && !right; i++)
        right = predicts_once(source);
    assert_true(right);
}

/* Whatever counter was chosen. */
static void test_real_predicts_clock_monotonic(void **state)
{
    struct tdf_source source;

    (void)state;
    tdf_source_real(&source);
    predicts_clock_monotonic(&source);
}

/* Also where the kernel keeps its time by something else, as below a hypervisor or in QEMU. */
static void test_tsc_predicts_clock_monotonic(void **state)
{
    struct tdf_source source;

    (void)state;
    if (tdf_source_tsc(&source) == -ENOTSUP)
        skip();
    assert_int_equal(source.counter, PVCLOCK_COUNTER_TSC);
    predicts_clock_monotonic(&source);
    struct tdf_source exact; /* whose time needs no samples, and settles the sooner */
    tdf_source_monotonic(&exact);
    assert_true(source.settle_ns > exact.settle_ns);
}

/* What the rate is measured over begins with the calibration, and ends when it has grown long. */
static void test_tsc_measures_from_its_first_sample(void **state)
{
    struct tdf_source source;

    (void)state;
    memset(&source, 0xff, sizeof(source));
    uint64_t before_ns = clock_monotonic_ns();
    int rc = tdf_source_tsc(&source);
    if (rc == -ENOTSUP)
        skip();
    assert_int_equal(rc, 0);
    assert_in_range(source.older.monotonic_ns, before_ns, clock_monotonic_ns());
    if (clock_monotonic_ns() - before_ns > 1000000000)
        skip(); /* the machine stood still */
    assert_int_equal(source.newer.monotonic_ns, source.older.monotonic_ns);
    assert_int_equal(source.newer.counter, source.older.counter);
    assert_int_equal(source.manual_hz, 0); /* nothing of before */
}

/* Where nothing vouches for the processor's counter, nobody reads it. */
static void test_real_is_clock_monotonic_where_the_kernel_hides_its_clock(void **state)
{
    struct tdf_source source;

    (void)state;
    fault_arm_call("fopen", 1, EACCES);
    tdf_source_real(&source);
    assert_string_equal(fault_disarm(), "fopen");
    assert_int_equal(source.counter, PVCLOCK_COUNTER_MONOTONIC);
    assert_int_equal(source.rate_ticks, source.rate_ns);
}

/* A suspend to disk sets the processor's counter back: the rate stays, and is measured anew. */
static void test_tsc_that_was_set_back_keeps_its_rate(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    if (tdf_source_tsc(&source) == -ENOTSUP)
        skip();
    const uint64_t rate_ticks = source.rate_ticks, rate_ns = source.rate_ns;
    source.newer.counter = UINT64_MAX;
    tdf_source_sample(&source, &sample);
    assert_int_equal(source.rate_ticks, rate_ticks);
    assert_int_equal(source.rate_ns, rate_ns);
    assert_memory_equal(&source.older, &sample, sizeof(sample));
    assert_memory_equal(&source.newer, &sample, sizeof(sample));
}

/* After a long time the rate is no longer measured from the first sample on. */
static void test_tsc_measures_over_a_bounded_span(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    if (tdf_source_tsc(&source) == -ENOTSUP)
        skip();
    const struct tdf_sample first = source.newer;
    source.newer.monotonic_ns -= 3600 * UINT64_C(1000000000);
    source.newer.counter /= 2;
    const struct tdf_sample newer = source.newer;
    tdf_source_sample(&source, &sample);
    assert_true(sample.monotonic_ns >= first.monotonic_ns);
    assert_memory_equal(&source.older, &newer, sizeof(newer));
    assert_memory_equal(&source.newer, &sample, sizeof(sample));
}

/* So long ago that the numbers of the rate must be shortened: the quotient stays. */
static void test_tsc_rate_over_a_long_time_is_the_same(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    if (tdf_source_tsc(&source) == -ENOTSUP)
        skip();
    const uint64_t hour_ns = 3600 * UINT64_C(1000000000);
    tdf_source_sample(&source, &sample);
    source.older = (struct tdf_sample){sample.counter - 3 * hour_ns, sample.monotonic_ns - hour_ns};
    source.newer = sample;
    tdf_source_sample(&source, &sample);
    assert_true(source.rate_ns < UINT64_C(1) << 34);
    assert_in_range(source.rate_ticks * 1000 / source.rate_ns, 2999, 3001);
}

/* As when the counter stood still in a sleep: no rate, which somebody would divide by. */
static void test_tsc_that_hardly_moved_keeps_its_rate(void **state)
{
    struct tdf_source source;
    struct tdf_sample sample;

    (void)state;
    if (tdf_source_tsc(&source) == -ENOTSUP)
        skip();
    tdf_source_sample(&source, &sample);
    const uint64_t rate_ticks = source.rate_ticks, rate_ns = source.rate_ns;
    source.older = (struct tdf_sample){sample.counter, sample.monotonic_ns - (UINT64_C(1) << 63)};
    source.newer = sample;
    tdf_source_sample(&source, &sample);
    assert_int_equal(source.rate_ticks, rate_ticks);
    assert_int_equal(source.rate_ns, rate_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manual_refuses_odd_rates),
        cmocka_unit_test(test_manual_moves_only_when_told),
        cmocka_unit_test(test_manual_counts_at_its_own_rate),
        cmocka_unit_test(test_manual_never_stands_before_the_instant_it_was_set_to),
        cmocka_unit_test(test_manual_wall_clock_moves_along),
        cmocka_unit_test(test_monotonic_at_extrapolates_from_a_sample),
        cmocka_unit_test(test_monotonic_is_clock_monotonic),
        cmocka_unit_test(test_real_predicts_clock_monotonic),
        cmocka_unit_test(test_tsc_predicts_clock_monotonic),
        cmocka_unit_test(test_tsc_measures_from_its_first_sample),
        cmocka_unit_test(test_real_is_clock_monotonic_where_the_kernel_hides_its_clock),
        cmocka_unit_test(test_tsc_that_was_set_back_keeps_its_rate),
        cmocka_unit_test(test_tsc_measures_over_a_bounded_span),
        cmocka_unit_test(test_tsc_rate_over_a_long_time_is_the_same),
        cmocka_unit_test(test_tsc_that_hardly_moved_keeps_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
