/* SPDX-License-Identifier: MIT */
/* process_place: all threads of the process go where the trial says, and back. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "bridge/process_place.h"

enum { NO_CPU = CPU_SETSIZE };

static cpu_set_t before;
static uint32_t first_cpu, second_cpu; /* of those that we may use */
static struct process_place place;
static const int a_disk, another_disk; /* their addresses are names of disks */

static const struct blkfront *disk(const int *name)
{
    return (const struct blkfront *)(const void *)name;
}

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
    process_place_init(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    process_place_fini(&place);
    return sched_setaffinity(0, sizeof(before), &before);
}

static void needs_two_cpus(void)
{
    if (second_cpu == NO_CPU) {
        print_message("one CPU: there is nothing to choose\n");
        skip();
    }
}

/* Takes the trial's decision away from it. */
static void decide(enum place where)
{
    place.trial.place = where;
    place.trial.phase = TRIAL_KEEP;
    place.trial.keep_until_ns = UINT64_MAX;
}

static void step(const int *name, uint64_t responses, uint32_t dom0_cpu, uint32_t busy_domains)
{
    const struct blkfront_stats stats = {
        .responses = responses, .dom0_cpu = dom0_cpu, .busy_domains = busy_domains};

    process_place_step(&place, disk(name), &stats, 1);
}

static bool is_only_on(const cpu_set_t *cpus, uint32_t cpu)
{
    return CPU_COUNT(cpus) == 1 && CPU_ISSET(cpu, cpus);
}

static cpu_set_t mine(void)
{
    cpu_set_t cpus;

    assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    return cpus;
}

struct other_thread {
    int asks[2], answers[2]; /* pipes */
};

/* Tells where it may run, each time it is asked. */
static void *other_main(void *arg)
{
    const struct other_thread *other = arg;
    cpu_set_t cpus;
    char byte;

    while (read(other->asks[0], &byte, 1) == 1)
        if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ||
            write(other->answers[1], &cpus, sizeof(cpus)) != sizeof(cpus))
            break;
    return NULL;
}

static cpu_set_t others(const struct other_thread *other)
{
    cpu_set_t cpus;

    assert_int_equal(write(other->asks[1], "?", 1), 1);
    assert_int_equal(read(other->answers[0], &cpus, sizeof(cpus)), sizeof(cpus));
    return cpus;
}

static void all_threads_go_to_dom0s_cpu_and_follow_it_and_return(void **state)
{
    struct other_thread other;
    pthread_t thread;

    (void)state;
    needs_two_cpus();
    assert_int_equal(pipe(other.asks), 0);
    assert_int_equal(pipe(other.answers), 0);
    assert_int_equal(thread_start(&thread, other_main, &other), 0);
    step(&a_disk, 1, first_cpu, 1);
    decide(PLACE_WITH_DOM0);
    step(&a_disk, 2, second_cpu, 1);
    cpu_set_t here = mine(), there = others(&other);
    assert_true(is_only_on(&here, second_cpu));
    assert_true(is_only_on(&there, second_cpu));
    step(&a_disk, 3, first_cpu, 1);
    there = others(&other);
    assert_true(is_only_on(&there, first_cpu));
    step(&a_disk, 4, first_cpu, 2); /* not alone any more */
    here = mine();
    there = others(&other);
    assert_true(CPU_EQUAL(&here, &before));
    assert_true(CPU_EQUAL(&there, &before));
    close(other.asks[1]);
    pthread_join(thread, NULL);
    close(other.asks[0]);
    close(other.answers[0]);
    close(other.answers[1]);
}

static void a_cpu_that_dom0_made_up_is_not_followed(void **state)
{
    (void)state;
    needs_two_cpus();
    step(&a_disk, 1, first_cpu, 1);
    decide(PLACE_WITH_DOM0);
    step(&a_disk, 2, UINT32_MAX, 1);
    cpu_set_t cpus = mine();
    assert_true(CPU_EQUAL(&cpus, &before));
}

static void a_second_busy_disk_ends_it(void **state)
{
    (void)state;
    needs_two_cpus();
    step(&a_disk, 1, first_cpu, 1);
    decide(PLACE_WITH_DOM0);
    step(&a_disk, 2, second_cpu, 1);
    step(&another_disk, 1, second_cpu, 1);
    cpu_set_t cpus = mine();
    assert_true(CPU_EQUAL(&cpus, &before));
}

static void a_process_on_one_cpu_tries_nothing(void **state)
{
    cpu_set_t one;

    (void)state;
    needs_two_cpus();
    CPU_ZERO(&one);
    CPU_SET(first_cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    process_place_fini(&place);
    process_place_init(&place);
    assert_int_equal(place.trial.due_ns, UINT64_MAX);
}

static uint32_t asked; /* times that the disk was asked for its numbers */

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out)
{
    (void)bf;
    asked++;
    *out = (struct blkfront_stats){.dom0_cpu = first_cpu, .busy_domains = 1};
}

static void look(void)
{
    process_place_look(&place, (struct blkfront *)(uintptr_t)&a_disk);
}

static void a_look_is_a_step_when_one_is_due(void **state)
{
    (void)state;
    asked = 0;
    place.trial.due_ns = clock_monotonic_ns() + 3600 * UINT64_C(1000000000);
    look();
    assert_int_equal(asked, 0);
    place.trial.due_ns = UINT64_MAX; /* never */
    look();
    assert_int_equal(asked, 0);
    place.trial.due_ns = clock_monotonic_ns();
    look();
    assert_int_equal(asked, 1);
    assert_ptr_equal(place.bf, disk(&a_disk));
    place.trial.due_ns = 0;
    look();
    assert_int_equal(asked, 2);
}

static void another_thread_that_looks_will_do(void **state)
{
    (void)state;
    asked = 0;
    place.trial.due_ns = 0;
    pthread_mutex_lock(&place.lock);
    look();
    pthread_mutex_unlock(&place.lock);
    assert_int_equal(asked, 0);
    look();
    assert_int_equal(asked, 1);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(all_threads_go_to_dom0s_cpu_and_follow_it_and_return),
        PLACE_TEST(a_cpu_that_dom0_made_up_is_not_followed),
        PLACE_TEST(a_second_busy_disk_ends_it),
        PLACE_TEST(a_process_on_one_cpu_tries_nothing),
        cmocka_unit_test_setup_teardown(a_look_is_a_step_when_one_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(another_thread_that_looks_will_do, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
