/* SPDX-License-Identifier: MIT */
/* line_rate: the TDF that a page tells is the one that was published, whatever the counter's rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tdf/line_rate.h"
#include "tdf/pvclock.h"

#define GHZ_TICK (UINT64_C(1) << 32) /* a nanosecond */

static struct vcpu_time_info line_of(uint64_t tick_ns_fp, struct tdf tdf)
{
    struct vcpu_time_info line = {0};

    /* Virtual nanoseconds per tick; rational.h has 64 fractional bits. */
    pvclock_set_rate(&line, ((u128)tick_ns_fp << 32) * tdf.den / tdf.num);
    return line;
}

static void published_rates_are_told(void **state)
{
    static const struct tdf tdfs[] = {{1, 1},  {2, 1},   {1, 2},    {5, 2},
                                      {10, 1}, {1, 100}, {1000, 1}, {1, 1000}};
    static const uint64_t ticks[] = {GHZ_TICK, GHZ_TICK / 3, GHZ_TICK * 40};

    (void)state;
    for (size_t i = 0; i < sizeof(tdfs) / sizeof(tdfs[0]); i++)
        for (size_t k = 0; k < sizeof(ticks) / sizeof(ticks[0]); k++) {
            const struct vcpu_time_info line = line_of(ticks[k], tdfs[i]);
            struct tdf found;
            assert_true(line_rate(&line, ticks[k], &found));
            assert_true(line_rate_agrees(found, tdfs[i]));
        }
}

static void a_tilted_line_is_the_same_rate_and_real_time_is_one(void **state)
{
    struct vcpu_time_info line = line_of(GHZ_TICK, (struct tdf){2048, 2049});
    struct tdf found;

    (void)state;
    assert_true(line_rate(&line, GHZ_TICK, &found));
    assert_int_equal(found.num, 1);
    assert_int_equal(found.den, 1);
    assert_false(line_rate_agrees((struct tdf){1, 1}, (struct tdf){1001, 1000}) &&
                 line_rate_agrees((struct tdf){1, 1}, (struct tdf){1003, 1000}));
}

static void a_pause_agrees_with_pauses_alone(void **state)
{
    const struct vcpu_time_info line = {0};
    struct tdf found;

    (void)state;
    assert_true(line_rate(&line, GHZ_TICK, &found));
    assert_int_equal(found.num, 0);
    assert_true(line_rate_agrees(found, (struct tdf){0, 1}));
    assert_false(line_rate_agrees(found, (struct tdf){1000, 1}));
}

/* Who measures may be stopped meanwhile. */
static void a_tick_is_as_long_however_long_it_is_measured(void **state)
{
    static const uint64_t spans_ns[] = {1000000, 5000000000, UINT64_C(1000000000000)};

    (void)state;
    for (size_t i = 0; i < sizeof(spans_ns) / sizeof(spans_ns[0]); i++)
        assert_true(line_rate_tick_fp(spans_ns[i], spans_ns[i] * 2) == GHZ_TICK / 2);
    assert_true(line_rate_tick_fp(1000000, 0) == 0);
    assert_true(line_rate_tick_fp(UINT64_MAX, 1) == 0);
}

static void what_nobody_publishes_is_no_rate(void **state)
{
    struct vcpu_time_info line = line_of(GHZ_TICK, (struct tdf){1, 1});
    struct tdf found;

    (void)state;
    line.tsc_shift = 127;
    assert_false(line_rate(&line, GHZ_TICK, &found));
    line.tsc_shift = -128;
    assert_false(line_rate(&line, GHZ_TICK, &found));
    line.tsc_shift = 0;
    assert_false(line_rate(&line, 0, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_rates_are_told),
        cmocka_unit_test(a_tilted_line_is_the_same_rate_and_real_time_is_one),
        cmocka_unit_test(a_pause_agrees_with_pauses_alone),
        cmocka_unit_test(a_tick_is_as_long_however_long_it_is_measured),
        cmocka_unit_test(what_nobody_publishes_is_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
