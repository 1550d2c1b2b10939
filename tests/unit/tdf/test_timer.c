/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fakes/dies.h"
#include "unit/tdf/timer_fixture.h"

static void test_one_shot_fires_once_at_its_time(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 100);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 100);
    tdf_source_advance_ns(&f->source, 99);
    assert_int_equal(timers_run(&f->timers), 0);
    tdf_source_advance_ns(&f->source, 1);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_ptr_equal(f->log[0], &f->timer);
    tdf_source_advance_ns(&f->source, 1000);
    assert_int_equal(timers_run(&f->timers), 0);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
}

static void test_zero_cancels(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 100);
    timer_set(&f->timer, 0);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
    tdf_source_advance_ns(&f->source, 1000);
    assert_int_equal(timers_run(&f->timers), 0);
}

static void test_past_deadline_fires_in_the_next_run(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, 1);
    assert_int_equal(f->fired, 0);
    assert_true(timers_next_deadline(&f->timers) <= START_NS);
    assert_int_equal(timers_run(&f->timers), 1);
}

static void test_setting_again_replaces(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 100);
    timer_set(&f->timer, START_NS + 500);
    tdf_source_advance_ns(&f->source, 200);
    assert_int_equal(timers_run(&f->timers), 0);
    tdf_source_advance_ns(&f->source, 300);
    assert_int_equal(timers_run(&f->timers), 1);
}

static void test_timers_fire_in_the_order_of_deadlines(void **state)
{
    struct fixture *f = *state;
    struct timer many[10];

    for (int i = 0; i < 10; i++) {
        timer_init(&many[i], &f->member, record, f);
        timer_set(&many[i], START_NS + 100 - (uint64_t)(i / 2));
    }
    tdf_source_advance_ns(&f->source, 100);
    assert_int_equal(timers_run(&f->timers), 10);
    for (int i = 0; i < 10; i += 2) { /* pairs backwards, within a pair as set */
        assert_ptr_equal(f->log[i], &many[8 - i]);
        assert_ptr_equal(f->log[i + 1], &many[9 - i]);
    }
}

static void test_period_below_a_millisecond_is_refused(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 5);
    assert_int_equal(timer_set_periodic(&f->timer, MS - 1), -EINVAL);
    assert_int_equal(timer_set_periodic(&f->timer, 0), -EINVAL);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 5);
    assert_int_equal(timer_set_periodic(&f->timer, MS), 0);
}

static void test_periodic_keeps_its_grid_when_late(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(timer_set_periodic(&f->timer, MS), 0);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(timers_next_deadline(&f->timers), START_NS + i * MS);
        tdf_source_set_ns(&f->source, START_NS + i * MS + 300000);
        assert_int_equal(timers_run(&f->timers), 1);
    }
    assert_int_equal(f->timer.missed, 0);
}

static void test_missed_ticks_are_counted_and_not_replayed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(timer_set_periodic(&f->timer, MS), 0);
    tdf_source_set_ns(&f->source, START_NS + 5 * MS + MS / 2);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_int_equal(timers_run(&f->timers), 0);
    assert_int_equal(f->timer.missed, 4);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 6 * MS);
}

static void test_periodic_can_be_stopped_and_made_one_shot(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(timer_set_periodic(&f->timer, MS), 0);
    timer_stop(&f->timer);
    timer_stop(&f->timer);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
    assert_int_equal(timer_set_periodic(&f->timer, MS), 0);
    timer_set(&f->timer, START_NS + 7);
    tdf_source_advance_ns(&f->source, 10 * MS);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
}

static void rearm_to_the_past(struct timer *timer, void *opaque)
{
    struct fixture *f = opaque;

    record(timer, f);
    timer_set(timer, 1);
}

static void test_callback_that_sets_the_past_does_not_hold_up_the_run(void **state)
{
    struct fixture *f = *state;

    timer_init(&f->timer, &f->member, rearm_to_the_past, f);
    timer_set(&f->timer, 1);
    timer_set(&f->second, START_NS);
    assert_int_equal(timers_run(&f->timers), 2);
    assert_int_equal(timers_run(&f->timers), 1);
    timer_stop(&f->timer);
}

static void stop_the_others(struct timer *timer, void *opaque)
{
    struct fixture *f = opaque;

    record(timer, f);
    timer_stop(&f->timer);
    timer_stop(&f->second);
}

static void test_callback_can_stop_timers_that_are_due(void **state)
{
    struct fixture *f = *state;

    timer_init(&f->timer, &f->member, stop_the_others, f);
    timer_init(&f->second, &f->member, stop_the_others, f);
    assert_int_equal(timer_set_periodic(&f->timer, MS), 0);
    assert_int_equal(timer_set_periodic(&f->second, MS), 0);
    tdf_source_advance_ns(&f->source, MS);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
}

static void drop_both_clocks(struct timer *timer, void *opaque)
{
    struct fixture *f = opaque;

    record(timer, f);
    timers_drop_clock(&f->timers, &f->member);
    timers_drop_clock(&f->timers, &f->other_member);
    timers_drop_clock(&f->timers, &f->member);
}

static void test_callback_can_drop_its_clock_and_the_next(void **state)
{
    struct fixture *f = *state;

    timer_init(&f->timer, &f->member, drop_both_clocks, f);
    timer_init(&f->second, &f->member, drop_both_clocks, f);
    timer_init(&f->third, &f->other_member, drop_both_clocks, f);
    timer_set(&f->timer, START_NS);
    timer_set(&f->second, START_NS);
    timer_set(&f->third, START_NS);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
    assert_int_equal(f->timer.state, TIMER_STOPPED);
    assert_int_equal(f->second.state, TIMER_STOPPED);
    assert_int_equal(f->third.state, TIMER_STOPPED);
}

static void run_again(struct timer *timer, void *opaque)
{
    struct fixture *f = opaque;
    (void)timer;
    timers_run(&f->timers);
}

static void run_in_a_callback(void *arg)
{
    struct fixture *f = arg;
    timer_init(&f->timer, &f->member, run_again, f);
    timer_set(&f->timer, START_NS);
    timers_run(&f->timers);
}

static void test_a_callback_must_not_run_timers(void **state)
{
    assert_true(dies(run_in_a_callback, *state));
}

static void set_without_a_loop(void *arg)
{
    struct fixture *f = arg;
    timers_drop_clock(&f->timers, &f->member);
    timer_set(&f->timer, START_NS);
}

/* It would never fire. */
static void test_a_timer_of_a_dropped_clock_must_not_be_set(void **state)
{
    assert_true(dies(set_without_a_loop, *state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_shot_fires_once_at_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zero_cancels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_past_deadline_fires_in_the_next_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_setting_again_replaces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timers_fire_in_the_order_of_deadlines, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_period_below_a_millisecond_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_periodic_keeps_its_grid_when_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missed_ticks_are_counted_and_not_replayed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_periodic_can_be_stopped_and_made_one_shot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_callback_that_sets_the_past_does_not_hold_up_the_run,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback_can_stop_timers_that_are_due, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_callback_can_drop_its_clock_and_the_next, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_callback_must_not_run_timers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_timer_of_a_dropped_clock_must_not_be_set, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
