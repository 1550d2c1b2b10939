/* SPDX-License-Identifier: MIT */
/* thread_place: threads go where they are told, and never out of what the process may use. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/thread_place.h"

static cpu_set_t before;
enum { NO_CPU = CPU_SETSIZE };
static size_t first_cpu, second_cpu; /* of those that we may use */

static int setup(void **state)
{
    (void)state;
    first_cpu = second_cpu = NO_CPU;
    if (sched_getaffinity(0, sizeof(before), &before) < 0)
        return -1;
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;)
        if (CPU_ISSET(cpu, &before)) {
            second_cpu = first_cpu;
            first_cpu = cpu;
        }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return sched_setaffinity(0, sizeof(before), &before);
}

/* Takes the trial's decision away from it. */
static void put(struct thread_place *place, enum place where, uint32_t dom0_cpu)
{
    place->trial.place = where;
    place->trial.phase = TRIAL_KEEP;
    place->dom0_cpu = ~dom0_cpu; /* so that it looks */
    place->trial.keep_until_ns = UINT64_MAX;
    thread_place_step(place, 0, dom0_cpu, true);
}

static cpu_set_t mine(void)
{
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    return cpus;
}

static void needs_two_cpus(void)
{
    if (second_cpu == NO_CPU) {
        print_message("one CPU: there is nothing to choose\n");
        skip();
    }
}

static void threads_follow_dom0(void **state)
{
    (void)state;
    needs_two_cpus();
    struct thread_place place;
    uint32_t seen = 0;
    thread_place_init(&place, 1, false);
    assert_false(thread_place_moved(&place, seen));
    put(&place, PLACE_WITH_DOM0, (uint32_t)second_cpu);
    assert_true(thread_place_moved(&place, seen));
    thread_place_follow(&place, &seen);
    assert_false(thread_place_moved(&place, seen));
    cpu_set_t now = mine();
    assert_true(CPU_COUNT(&now) == 1 && CPU_ISSET(second_cpu, &now));
    put(&place, PLACE_WITH_DOM0, (uint32_t)first_cpu); /* Dom0 moved */
    thread_place_follow(&place, &seen);
    now = mine();
    assert_true(CPU_COUNT(&now) == 1 && CPU_ISSET(first_cpu, &now));
    thread_place_fini(&place);
}

static void many_threads_leave_dom0_its_cpu(void **state)
{
    (void)state;
    needs_two_cpus();
    struct thread_place place;
    uint32_t seen = 0;
    thread_place_init(&place, 64, false);
    assert_int_equal(place.trial.other, PLACE_WITHOUT_DOM0);
    put(&place, PLACE_WITHOUT_DOM0, (uint32_t)first_cpu);
    thread_place_follow(&place, &seen);
    cpu_set_t now = mine();
    assert_int_equal(CPU_COUNT(&now), CPU_COUNT(&before) - 1);
    assert_false(CPU_ISSET(first_cpu, &now));
    put(&place, PLACE_ANYWHERE, (uint32_t)first_cpu);
    thread_place_follow(&place, &seen);
    now = mine();
    assert_true(CPU_EQUAL(&now, &before));
    thread_place_fini(&place);
}

/* Unknown, out of range, or a CPU that we may not use. */
static void a_cpu_that_is_not_ours_is_no_choice(void **state)
{
    (void)state;
    needs_two_cpus();
    static const uint32_t strange[] = {UINT32_MAX, CPU_SETSIZE, CPU_SETSIZE - 1};
    struct thread_place place;
    uint32_t seen = 0;
    thread_place_init(&place, 1, false);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        if (strange[i] < CPU_SETSIZE && CPU_ISSET(strange[i], &before))
            continue;
        put(&place, PLACE_WITH_DOM0, strange[i]);
        assert_false(thread_place_moved(&place, seen));
    }
    thread_place_fini(&place);
}

static void whoever_is_bound_to_one_cpu_stays_there(void **state)
{
    (void)state;
    cpu_set_t one;
    struct thread_place place;
    CPU_ZERO(&one);
    CPU_SET(first_cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    thread_place_init(&place, 1, false);
    assert_true(thread_place_due_ns(&place) == UINT64_MAX);
    thread_place_fini(&place);
}

static void a_free_choice_is_left_free(void **state)
{
    (void)state;
    struct thread_place place;
    thread_place_init(&place, 1, true);
    assert_true(thread_place_due_ns(&place) == UINT64_MAX);
    thread_place_fini(&place);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(threads_follow_dom0),
        PLACE_TEST(many_threads_leave_dom0_its_cpu),
        PLACE_TEST(a_cpu_that_is_not_ours_is_no_choice),
        PLACE_TEST(whoever_is_bound_to_one_cpu_stays_there),
        PLACE_TEST(a_free_choice_is_left_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
