/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/tdf/clock_fixture.h"

static void test_init_refuses_what_it_cannot_do(void **state)
{
    struct fixture *f = *state;
    struct tdf one = {1, 1};

    assert_int_equal(tdf_clock_init(&f->clock, &f->source, &f->shared, 0, one), -EINVAL);
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, &f->shared, 33, one), -EINVAL);
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, NULL, 0, (struct tdf){1, 0}), -EINVAL);
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, NULL, 0, (struct tdf){1001, 1}),
                     -ERANGE);
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, NULL, 0, one), 0);
}

static void test_factor_one_changes_nothing(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){1, 1});
    for (int i = 0; i < 10000; i++) {
        uint64_t real_ns = START_NS + (uint64_t)i * 999999937;
        tdf_source_set_ns(&f->source, real_ns);
        assert_true(tdf_clock_now_ns(&f->clock) == real_ns);
        if (i % 3 == 0)
            tdf_clock_reanchor(&f->clock);
        assert_true(tdf_clock_now_ns(&f->clock) == real_ns);
    }
}

static void test_time_runs_at_the_rate(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < NR_FACTORS; i++) {
        struct tdf tdf = factors[i];
        tdf_source_set_ns(&f->source, START_NS);
        start(f, tdf);
        assert_true(tdf_clock_now_ns(&f->clock) == START_NS);
        tdf_source_advance_ns(&f->source, NS_PER_SEC / 1000 * 7);
        uint64_t expected_ns = START_NS + tdf_virtual_ns(tdf, NS_PER_SEC / 1000 * 7);
        assert_in_range(tdf_clock_now_ns(&f->clock), expected_ns - 8, expected_ns);
    }
}

/* The exact reading, rounded to a whole nanosecond, by nothing but integers. */
static uint64_t exact_ns(struct tdf tdf, uint64_t real_ns)
{
    return START_NS + (uint64_t)((u128)real_ns * tdf.den / tdf.num);
}

static void assert_within(uint64_t value, uint64_t expected, uint64_t bound)
{
    uint64_t off = value > expected ? value - expected : expected - value;

    if (off > bound)
        fail_msg("%llu is %llu away from %llu", (unsigned long long)value, (unsigned long long)off,
                 (unsigned long long)expected);
}

/*
 * One virtual day, re-anchored every real second (a thousand real seconds where a virtual day takes
 * too many of them), read just before and after each re-anchoring, when the error is largest:
 * within 1 us of exact rational arithmetic all the time, whatever the counter's frequency.
 */
static void run_virtual_day(struct fixture *f, uint64_t hz, struct tdf tdf)
{
    const uint64_t day_ns = 86400 * NS_PER_SEC;
    const uint64_t real_ns = tdf_real_ns(tdf, day_ns);
    const uint64_t step_ns = real_ns > 20 * day_ns ? 1000 * NS_PER_SEC : NS_PER_SEC;
    uint64_t last_ns = 0;

    assert_int_equal(tdf_source_manual(&f->source, hz, START_NS, WALL_NS), 0);
    start(f, tdf);
    for (uint64_t at_ns = step_ns; at_ns <= real_ns; at_ns += step_ns) {
        tdf_source_set_ns(&f->source, START_NS + at_ns);
        uint64_t before_ns = tdf_clock_now_ns(&f->clock);
        tdf_clock_reanchor(&f->clock);
        uint64_t after_ns = tdf_clock_now_ns(&f->clock);
        assert_true(before_ns >= last_ns);
        assert_true(after_ns >= before_ns && after_ns - before_ns <= 1);
        assert_within(before_ns, exact_ns(tdf, at_ns), 999);
        last_ns = after_ns;
    }
}

static void test_a_virtual_day_is_off_by_less_than_a_microsecond(void **state)
{
    static const uint64_t rates[] = {1000000000, 2400000000, 2249999999, 24000000};

    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
        for (int i = 0; i < NR_FACTORS; i++)
            run_virtual_day(*state, rates[r], factors[i]);
}

/* Late and irregular calls: the error stays that of the 32-bit multiplier over the longest gap, and
 * does not build up by overshooting. */
static void test_irregular_reanchoring_does_not_build_up(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 11;
    uint64_t at_ns = 0;

    assert_int_equal(tdf_source_manual(&f->source, 2400000000, START_NS, WALL_NS), 0);
    start(f, (struct tdf){1, 1});
    for (int i = 0; i < 100000; i++) {
        bool late = rand_r(&seed) % 8 == 0;
        at_ns += late ? 100 * NS_PER_SEC : (1 + (uint64_t)rand_r(&seed) % 4) * NS_PER_SEC;
        tdf_source_set_ns(&f->source, START_NS + at_ns);
        tdf_clock_reanchor(&f->clock);
        assert_within(tdf_clock_now_ns(&f->clock), START_NS + at_ns, 50);
    }
}

static void test_change_of_rate_is_continuous(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 12;

    assert_int_equal(tdf_source_manual(&f->source, 2249999999, START_NS, WALL_NS), 0);
    start(f, (struct tdf){1, 1});
    for (int i = 0; i < 20000; i++) {
        uint64_t before_ns = tdf_clock_now_ns(&f->clock);
        assert_int_equal(tdf_clock_set_tdf(&f->clock, factors[rand_r(&seed) % NR_FACTORS]), 0);
        uint64_t after_ns = tdf_clock_now_ns(&f->clock);
        assert_true(after_ns >= before_ns && after_ns - before_ns <= 1);
        tdf_source_advance_ns(&f->source, (uint64_t)rand_r(&seed) % 3000000);
        assert_true(tdf_clock_now_ns(&f->clock) >= after_ns);
    }
}

/* Many changes, and the sum of the exact pieces: nothing is lost at the joints. */
static void test_changes_of_rate_lose_nothing(void **state)
{
    struct fixture *f = *state;
    const struct tdf thirds[] = {{3, 1}, {3, 2}};
    uint64_t real_ns = 0;

    start(f, thirds[0]);
    for (int i = 0; i < 30000; i++) {
        uint64_t step_ns = 1000001;
        tdf_source_advance_ns(&f->source, step_ns);
        real_ns += step_ns;
        assert_int_equal(tdf_clock_set_tdf(&f->clock, thirds[(i + 1) % 2]), 0);
    }
    /* half of the time at 1/3, half at 2/3: half in all */
    assert_within(tdf_clock_now_ns(&f->clock), START_NS + real_ns / 2, 1);
}

static void test_refused_rate_changes_nothing(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){10, 1});
    uint32_t version = f->clock.time.version;
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 0}), -EINVAL);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 1001}), -ERANGE);
    assert_int_equal(f->clock.tdf.num, 10);
    assert_int_equal(f->clock.time.version, version);
}

static uint32_t announced(struct fixture *f)
{
    return pvclock_slower(&f->shared.vcpu_info[0].time, f->clock.time.version);
}

static void test_an_announcement_changes_no_time_and_ends_with_the_change(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){3, 1});
    const uint64_t before_ns = tdf_clock_now_ns(&f->clock);
    assert_int_equal(announced(f), 0);
    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){10, 1}), 0);
    assert_int_equal(announced(f), (PVCLOCK_SLOWER_UNIT * 10 + 2) / 3);
    tdf_source_advance_ns(&f->source, 3 * NS_PER_SEC);
    tdf_clock_reanchor(&f->clock);
    assert_int_equal(announced(f), (PVCLOCK_SLOWER_UNIT * 10 + 2) / 3);
    assert_in_range(tdf_clock_now_ns(&f->clock) - before_ns, NS_PER_SEC - 8, NS_PER_SEC);
    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){0, 1}), 0);
    assert_true(announced(f) == PVCLOCK_STANDSTILL);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){10, 1}), 0);
    assert_int_equal(announced(f), 0);
    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){10, 1}), -EINVAL);
    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){1, 2}), -EINVAL);
    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){2000, 1}), -ERANGE);
    assert_int_equal(announced(f), 0);
}

static void test_pause_stands_still_and_resume_goes_on(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){10, 1});
    tdf_source_advance_ns(&f->source, 1000);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){0, 1}), 0);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 100);
    tdf_source_advance_ns(&f->source, 3600 * NS_PER_SEC);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 100);
    tdf_clock_reanchor(&f->clock);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 100);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){10, 1}), 0);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 100);
    assert_int_equal(f->clock.tdf.num, 10);
    tdf_source_advance_ns(&f->source, 1000);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 200);
}

static void test_factor_zero_pauses_and_any_other_resumes(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){0, 1});
    tdf_source_advance_ns(&f->source, NS_PER_SEC);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 2}), 0);
    tdf_source_advance_ns(&f->source, 500);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 1000);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){0, 1}), 0);
    tdf_source_advance_ns(&f->source, 500);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 1000);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 2}), 0);
    tdf_source_advance_ns(&f->source, 500);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 2000);
}

/* A clock whose counter is the time of another one: their factors multiply. */
static void test_a_clock_on_a_dilated_clock_multiplies(void **state)
{
    struct fixture *f = *state;
    struct tdf_source inner;
    struct tdf_clock nested, direct;

    start(f, (struct tdf){5, 2});
    assert_int_equal(tdf_source_manual(&inner, NS_PER_SEC, START_NS, WALL_NS), 0);
    assert_int_equal(tdf_clock_init(&nested, &inner, NULL, 0, (struct tdf){4, 1}), 0);
    assert_int_equal(tdf_clock_init(&direct, &f->source, NULL, 0, (struct tdf){10, 1}), 0);
    for (int i = 0; i < 5000; i++) {
        tdf_source_advance_ns(&f->source, 123456789);
        tdf_source_set_ns(&inner, tdf_clock_now_ns(&f->clock));
        assert_within(tdf_clock_now_ns(&nested), tdf_clock_now_ns(&direct), 1);
        tdf_clock_reanchor(&f->clock);
        tdf_clock_reanchor(&nested);
        tdf_clock_reanchor(&direct);
    }
}

/* After a suspend the counter may start from zero again: time stands until the next re-anchoring
 * and then goes on; it never goes back. */
static void test_counter_set_back_does_not_set_time_back(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){1, 1});
    tdf_source_advance_ns(&f->source, 5 * NS_PER_SEC);
    tdf_clock_reanchor(&f->clock);
    uint64_t before_ns = tdf_clock_now_ns(&f->clock);
    tdf_source_set_ns(&f->source, 1);
    assert_true(tdf_clock_now_ns(&f->clock) == before_ns);
    tdf_clock_reanchor(&f->clock);
    assert_true(tdf_clock_now_ns(&f->clock) == before_ns);
    tdf_source_advance_ns(&f->source, 1000);
    assert_true(tdf_clock_now_ns(&f->clock) >= before_ns);
    assert_true(tdf_clock_now_ns(&f->clock) <= before_ns + 1000);
}

/* A counter that runs 100 parts in a million slower than was measured: the error stays small and
 * there is no step. */
static void test_wrong_rate_is_worked_off(void **state)
{
    struct fixture *f = *state;
    uint64_t last_ns = 0;

    assert_int_equal(tdf_source_manual(&f->source, 1000000000, START_NS, WALL_NS), 0);
    start(f, (struct tdf){1, 1});
    f->source.rate_ticks = 1000100000;
    for (uint64_t s = 1; s <= 60; s++) {
        tdf_source_set_ns(&f->source, START_NS + s * NS_PER_SEC);
        uint64_t before_ns = tdf_clock_now_ns(&f->clock);
        tdf_clock_reanchor(&f->clock);
        uint64_t now_ns = tdf_clock_now_ns(&f->clock);
        assert_true(before_ns >= last_ns && now_ns - before_ns <= 1);
        assert_within(now_ns, START_NS + s * NS_PER_SEC, 250000);
        last_ns = now_ns;
    }
}

/* A clock that is late by more than a second does not crawl back over hours. */
static void test_large_delay_is_caught_up_at_once(void **state)
{
    struct fixture *f = *state;

    f->source.rate_ticks = 10000000000;
    start(f, (struct tdf){2, 1});
    f->source.rate_ticks = 1000000000;
    tdf_source_advance_ns(&f->source, 4 * NS_PER_SEC);
    assert_within(tdf_clock_now_ns(&f->clock), START_NS + NS_PER_SEC / 5, 1);
    tdf_clock_reanchor(&f->clock);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 2 * NS_PER_SEC);
}

static void test_an_instant_of_the_clock_is_one_of_real_time(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < NR_FACTORS; i++) {
        uint64_t real_ns = NS_PER_SEC / 1000 * 7, virtual_ns = tdf_virtual_ns(factors[i], real_ns);
        tdf_source_set_ns(&f->source, START_NS);
        start(f, factors[i]);
        assert_true(tdf_clock_to_monotonic_ns(&f->clock, START_NS) == START_NS);
        assert_true(tdf_clock_to_monotonic_ns(&f->clock, 0) == START_NS); /* long past */
        uint64_t at_ns = tdf_clock_to_monotonic_ns(&f->clock, START_NS + virtual_ns);
        assert_within(at_ns, START_NS + real_ns, 2000);
        tdf_source_set_ns(&f->source, at_ns); /* not too early */
        assert_true(tdf_clock_now_ns(&f->clock) >= START_NS + virtual_ns);
    }
    start(f, (struct tdf){0, 1});
    assert_true(tdf_clock_to_monotonic_ns(&f->clock, UINT64_MAX) == UINT64_MAX);
}

/* Both ways by one line; a time before the last change of rate is that change. */
static void test_what_the_clock_showed_at_a_real_time(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < NR_FACTORS; i++) {
        tdf_source_set_ns(&f->source, START_NS);
        start(f, factors[i]);
        assert_true(tdf_clock_at_ns(&f->clock, 0) == START_NS);
        tdf_source_advance_ns(&f->source, 123456789);
        uint64_t virtual_ns = tdf_clock_now_ns(&f->clock);
        assert_within(tdf_clock_at_ns(&f->clock, START_NS + 123456789), virtual_ns, 1);
        for (uint64_t back_ns = 0; back_ns < 100000; back_ns += 12345) {
            uint64_t when_ns = tdf_clock_when_ns(&f->clock, virtual_ns - back_ns);
            assert_true(tdf_clock_at_ns(&f->clock, when_ns) >= virtual_ns - back_ns);
            assert_true(tdf_clock_at_ns(&f->clock, when_ns - 1) <= virtual_ns - back_ns);
        }
    }
    start(f, (struct tdf){0, 1});
    assert_true(tdf_clock_at_ns(&f->clock, UINT64_MAX) == tdf_clock_now_ns(&f->clock));
}

static void test_the_wall_clock_is_shown_as_it_was_set(void **state)
{
    struct fixture *f = *state;
    const uint64_t set_ns[] = {WALL_NS, 7 * NS_PER_SEC, WALL_NS + 1};
    uint64_t utc_ns;
    start(f, (struct tdf){1, 1});
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t version = f->shared.wc_version;
        tdf_clock_set_wall(&f->clock, set_ns[i]);
        assert_int_equal(f->shared.wc_version, version + 2);
        assert_int_equal(pvclock_read_wall_ns(&f->shared, 0, &utc_ns), 0);
        assert_int_equal(utc_ns, set_ns[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_init_refuses_what_it_cannot_do, setup, teardown),
        cmocka_unit_test_setup_teardown(test_factor_one_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_runs_at_the_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_virtual_day_is_off_by_less_than_a_microsecond, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_irregular_reanchoring_does_not_build_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_change_of_rate_is_continuous, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_of_rate_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_rate_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_an_announcement_changes_no_time_and_ends_with_the_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pause_stands_still_and_resume_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_factor_zero_pauses_and_any_other_resumes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_on_a_dilated_clock_multiplies, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_counter_set_back_does_not_set_time_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_wrong_rate_is_worked_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_delay_is_caught_up_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_instant_of_the_clock_is_one_of_real_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_the_clock_showed_at_a_real_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_wall_clock_is_shown_as_it_was_set, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
