/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/stopwatch.h"

static uint64_t read_clock(void *clock)
{
    return *(uint64_t *)clock;
}

static void assert_times(const struct stopwatch *watch, uint64_t running_ns, uint64_t standstill_ns)
{
    assert_int_equal(stopwatch_running_ns(watch), running_ns);
    assert_int_equal(stopwatch_standstill_ns(watch), standstill_ns);
}

static void one_thread_alone_stops_the_watch(void **state)
{
    struct stopwatch watch;
    uint64_t now_ns = 100;

    (void)state;
    stopwatch_init(&watch, read_clock, &now_ns);
    stopwatch_start(&watch, 1);
    now_ns = 110;
    stopwatch_enter(&watch);
    now_ns = 160;
    stopwatch_leave(&watch);
    now_ns = 200;
    stopwatch_retire(&watch);
    assert_times(&watch, 50, 50);
    stopwatch_destroy(&watch);
}

static void one_of_two_does_not(void **state)
{
    struct stopwatch watch;
    uint64_t now_ns = 0;

    (void)state;
    stopwatch_init(&watch, read_clock, &now_ns);
    stopwatch_start(&watch, 2);
    stopwatch_enter(&watch);
    now_ns = 10;
    stopwatch_enter(&watch); /* from here both */
    now_ns = 13;
    stopwatch_leave(&watch); /* to here */
    now_ns = 20;
    stopwatch_leave(&watch);
    stopwatch_retire(&watch);
    now_ns = 30;
    stopwatch_retire(&watch);
    assert_times(&watch, 27, 3);
    stopwatch_destroy(&watch);
}

static void the_last_reader_retiring_leaves_the_others_standing(void **state)
{
    struct stopwatch watch;
    uint64_t now_ns = 0;

    (void)state;
    stopwatch_init(&watch, read_clock, &now_ns);
    stopwatch_start(&watch, 2);
    stopwatch_enter(&watch);
    now_ns = 10;
    stopwatch_retire(&watch); /* the other one: now only the one that records is left */
    now_ns = 17;
    stopwatch_leave(&watch);
    now_ns = 20;
    stopwatch_retire(&watch);
    assert_times(&watch, 13, 7);
    stopwatch_destroy(&watch);
}

static void time_before_the_start_and_after_the_end_does_not_count(void **state)
{
    struct stopwatch watch;
    uint64_t now_ns = 5;

    (void)state;
    stopwatch_init(&watch, read_clock, &now_ns);
    now_ns = 1000;
    stopwatch_start(&watch, 1);
    now_ns = 1001;
    stopwatch_retire(&watch);
    now_ns = 5000;
    assert_times(&watch, 1, 0);
    stopwatch_destroy(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_alone_stops_the_watch),
        cmocka_unit_test(one_of_two_does_not),
        cmocka_unit_test(the_last_reader_retiring_leaves_the_others_standing),
        cmocka_unit_test(time_before_the_start_and_after_the_end_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
