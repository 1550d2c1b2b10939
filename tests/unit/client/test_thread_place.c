/* SPDX-License-Identifier: MIT */
/* thread_place: where threads go, and that they never leave what the process may use. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/thread_place.h"

#define MS UINT64_C(1000000)

static cpu_set_t before;
enum { NO_CPU = CPU_SETSIZE, DISK = 15, CACHE = 150 }; /* reads a millisecond */
static uint32_t first_cpu, second_cpu;                 /* of those that we may use */

static int setup(void **state)
{
    (void)state;
    first_cpu = second_cpu = NO_CPU;
    if (sched_getaffinity(0, sizeof(before), &before) < 0)
        return -1;
    for (uint32_t cpu = CPU_SETSIZE; cpu-- > 0;)
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

static void needs_two_cpus(void)
{
    if (second_cpu == NO_CPU) {
        print_message("one CPU: there is nothing to choose\n");
        skip();
    }
}

static struct thread_place client_with(uint32_t thread_count)
{
    struct thread_place place;
    needs_two_cpus();
    thread_place_init(&place, thread_count, false, 5000 * MS);
    return place;
}

/* The next step, after some reads a millisecond. */
static bool look(struct thread_place *place, uint64_t reads, uint32_t dom0_cpu, bool alone)
{
    uint64_t took_ns = place->due_ns - place->looked_ns;
    struct place_sample sample = {.now_ns = place->due_ns,
                                  .answered_count = place->answered_count + reads * took_ns / MS,
                                  .dom0_cpu = dom0_cpu,
                                  .alone = alone};
    bool changed = thread_place_step(place, &sample);
    assert_int_equal(place->due_ns, sample.now_ns + took_ns);
    return changed;
}

static void few_threads_of_the_disk_follow_dom0(void **state)
{
    (void)state;
    struct thread_place place = client_with(4);
    assert_int_equal(place.place, PLACE_ANYWHERE);
    look(&place, DISK, second_cpu, true);
    assert_int_equal(place.place, PLACE_WITHOUT_DOM0); /* to see whether the disk answers */
    assert_true(look(&place, DISK, second_cpu, true));
    assert_int_equal(place.place, PLACE_WITH_DOM0);
    assert_true(CPU_COUNT(&place.cpus) == 1 && CPU_ISSET(second_cpu, &place.cpus));
    assert_false(look(&place, DISK, second_cpu, true));
    assert_true(look(&place, DISK, first_cpu, true)); /* Dom0 moved */
    assert_true(CPU_COUNT(&place.cpus) == 1 && CPU_ISSET(first_cpu, &place.cpus));
}

static void few_threads_of_the_cache_leave_dom0_its_cpu(void **state)
{
    (void)state;
    struct thread_place place = client_with(1);
    look(&place, CACHE, first_cpu, true);
    assert_false(look(&place, CACHE, first_cpu, true));
    assert_int_equal(place.place, PLACE_WITHOUT_DOM0);
    assert_int_equal(CPU_COUNT(&place.cpus), CPU_COUNT(&before) - 1);
    assert_false(CPU_ISSET(first_cpu, &place.cpus));
}

/* On Dom0's CPU hits may be as slow as the disk. */
static void few_threads_ask_again_whether_the_disk_answers(void **state)
{
    (void)state;
    struct thread_place place = client_with(1);
    uint32_t looks_with_dom0 = 0;
    look(&place, DISK, first_cpu, true);
    for (look(&place, DISK, first_cpu, true); place.place == PLACE_WITH_DOM0; looks_with_dom0++)
        look(&place, DISK, first_cpu, true);
    assert_int_equal(looks_with_dom0, 10);
    assert_false(look(&place, CACHE, first_cpu, true)); /* now all is cached */
    assert_int_equal(place.place, PLACE_WITHOUT_DOM0);
}

static void many_threads_leave_dom0_its_cpu(void **state)
{
    (void)state;
    struct thread_place place = client_with(5);
    assert_true(look(&place, DISK, first_cpu, true));
    assert_int_equal(place.place, PLACE_WITHOUT_DOM0);
    assert_int_equal(CPU_COUNT(&place.cpus), CPU_COUNT(&before) - 1);
    assert_false(CPU_ISSET(first_cpu, &place.cpus));
    assert_false(look(&place, CACHE, first_cpu, true));
}

static void whoever_is_not_alone_runs_anywhere(void **state)
{
    (void)state;
    for (uint32_t thread_count = 1; thread_count <= 64; thread_count += 63) {
        struct thread_place place = client_with(thread_count);
        assert_true(look(&place, DISK, first_cpu, true));
        assert_true(look(&place, DISK, first_cpu, false));
        assert_int_equal(place.place, PLACE_ANYWHERE);
        assert_true(CPU_EQUAL(&place.cpus, &before));
        assert_true(look(&place, DISK, first_cpu, true));
    }
}

/* Unknown, out of range, or a CPU that we may not use. */
static void a_cpu_that_is_not_ours_is_no_choice(void **state)
{
    (void)state;
    static const uint32_t strange[] = {UINT32_MAX, CPU_SETSIZE, CPU_SETSIZE - 1};
    struct thread_place place = client_with(1);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        if (strange[i] < CPU_SETSIZE && CPU_ISSET(strange[i], &before))
            continue;
        assert_false(look(&place, DISK, strange[i], true));
        assert_int_equal(place.place, PLACE_ANYWHERE);
    }
}

static void whoever_is_bound_to_one_cpu_stays_there(void **state)
{
    (void)state;
    cpu_set_t one;
    struct thread_place place;
    CPU_ZERO(&one);
    CPU_SET(first_cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    thread_place_init(&place, 1, false, 77);
    assert_true(place.due_ns == UINT64_MAX);
}

static void a_free_choice_is_left_free(void **state)
{
    (void)state;
    struct thread_place place;
    thread_place_init(&place, 1, true, 77);
    assert_true(place.due_ns == UINT64_MAX);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(few_threads_of_the_disk_follow_dom0),
        PLACE_TEST(few_threads_of_the_cache_leave_dom0_its_cpu),
        PLACE_TEST(few_threads_ask_again_whether_the_disk_answers),
        PLACE_TEST(many_threads_leave_dom0_its_cpu),
        PLACE_TEST(whoever_is_not_alone_runs_anywhere),
        PLACE_TEST(a_cpu_that_is_not_ours_is_no_choice),
        PLACE_TEST(whoever_is_bound_to_one_cpu_stays_there),
        PLACE_TEST(a_free_choice_is_left_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
