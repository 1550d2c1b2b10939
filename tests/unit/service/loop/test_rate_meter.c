/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/loop/rate_meter.h"

#define S RATE_METER_SECOND_NS

/* Adds one at each step_ns from begin_ns to end_ns; returns the count. */
static uint64_t add(struct rate_meter *m, uint64_t count, uint64_t begin_ns, uint64_t end_ns,
                    uint64_t step_ns)
{
    for (uint64_t now_ns = begin_ns; now_ns < end_ns; now_ns += step_ns) {
        rate_meter_note(m, now_ns, count);
        count++;
    }
    return count;
}

static void the_last_complete_second_counts(void **state)
{
    struct rate_meter m = {0};
    (void)state;
    uint64_t count = add(&m, 0, 10 * S, 11 * S, S / 1000);
    assert_int_equal(rate_meter_read(&m, 11 * S - 1, count), 0); /* not complete yet */
    assert_int_equal(rate_meter_read(&m, 11 * S, count), 1000);
    count = add(&m, count, 11 * S, 12 * S, S / 10);
    assert_int_equal(rate_meter_read(&m, 12 * S - 1, count), 1000);
    assert_int_equal(rate_meter_read(&m, 12 * S, count), 10);
}

static void a_burst_of_the_past_is_no_rate_of_now(void **state)
{
    struct rate_meter m = {0};
    (void)state;
    uint64_t count = add(&m, 0, 10 * S, 11 * S, S / 1000);
    assert_int_equal(rate_meter_read(&m, 12 * S - 1, count), 1000);
    assert_int_equal(rate_meter_read(&m, 12 * S, count), 0);
    assert_int_equal(rate_meter_read(&m, 100 * S, count), 0);
    count = add(&m, count, 100 * S, 100 * S + 2, 1);
    assert_int_equal(rate_meter_read(&m, 100 * S + 2, count), 0);
    assert_int_equal(rate_meter_read(&m, 101 * S, count), 2);
}

static void a_reading_changes_nothing(void **state)
{
    struct rate_meter m = {0}, before;
    (void)state;
    uint64_t count = add(&m, 0, 10 * S, 11 * S, S / 100);
    before = m;
    assert_int_equal(rate_meter_read(&m, 11 * S, count), 100);
    assert_memory_equal(&m, &before, sizeof(m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_complete_second_counts),
        cmocka_unit_test(a_burst_of_the_past_is_no_rate_of_now),
        cmocka_unit_test(a_reading_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
