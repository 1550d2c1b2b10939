/* SPDX-License-Identifier: MIT */
/* place_trial: a machine whose rate and cost in each place are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/place_trial.h"

#define MS UINT64_C(1000000)

struct machine {
    uint64_t rate[3];     /* reads a second in each place */
    uint64_t cpu_ns[3];   /* of one read */
    uint64_t changes;     /* of the place */
    uint64_t spent_ns[3]; /* in each place */
    struct place_sample now;
};

/* From one due time to the next, each step late_ns too late, for a while. */
static void run(struct machine *m, struct place_trial *trial, uint64_t run_ns, uint64_t late_ns)
{
    uint64_t end_ns = m->now.now_ns + run_ns;
    while (m->now.now_ns < end_ns && trial->due_ns != UINT64_MAX) {
        uint64_t next_ns = trial->due_ns + late_ns < end_ns ? trial->due_ns + late_ns : end_ns;
        uint64_t took_ns = next_ns > m->now.now_ns ? next_ns - m->now.now_ns : 0;
        uint64_t reads = took_ns * m->rate[trial->place] / 1000000000u;
        m->spent_ns[trial->place] += took_ns;
        m->now.answered_count += reads;
        m->now.cpu_ns += reads * m->cpu_ns[trial->place];
        m->now.now_ns += took_ns;
        if (m->now.now_ns >= trial->due_ns && place_trial_step(trial, &m->now))
            m->changes++;
    }
}

static struct machine machine_of(uint64_t anywhere, uint64_t with, uint64_t anywhere_cpu_ns,
                                 uint64_t with_cpu_ns)
{
    return (struct machine){.rate = {anywhere, with, 1},
                            .cpu_ns = {anywhere_cpu_ns, with_cpu_ns, 1},
                            .now = {.now_ns = 5000 * MS, .answered_count = 99, .alone = true}};
}

static enum place settled_in(struct machine m, uint64_t *changes)
{
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 200 * MS, 0);
    *changes = m.changes;
    return trial.place;
}

static void the_faster_one_is_kept(void **state)
{
    (void)state;
    uint64_t changes;
    assert_int_equal(settled_in(machine_of(15000, 18000, 9000, 9000), &changes), PLACE_WITH_DOM0);
    assert_int_equal(changes, 3);
    assert_int_equal(settled_in(machine_of(18000, 15000, 9000, 9000), &changes), PLACE_ANYWHERE);
    assert_int_equal(changes, 4);
}

static void of_equals_the_cheaper_one_is_kept(void **state)
{
    (void)state;
    uint64_t changes;
    assert_int_equal(settled_in(machine_of(60000, 60000, 9000, 6000), &changes), PLACE_WITH_DOM0);
    assert_int_equal(settled_in(machine_of(60000, 60000, 6000, 9000), &changes), PLACE_ANYWHERE);
}

/* A client does not see what a wake-up of another CPU costs Dom0. */
static void what_is_left_to_noise_goes_to_the_other_place(void **state)
{
    (void)state;
    uint64_t changes;
    assert_int_equal(settled_in(machine_of(61500, 60000, 6000, 6000), &changes), PLACE_WITH_DOM0);
    assert_int_equal(settled_in(machine_of(63000, 60000, 6000, 6000), &changes), PLACE_ANYWHERE);
}

/* An asynchronous client's own time is so short that its doubling is no reason. */
static void a_cost_that_is_small_beside_dom0s_counts_little(void **state)
{
    (void)state;
    uint64_t changes;
    assert_int_equal(settled_in(machine_of(99000, 99000, 500, 1000), &changes), PLACE_WITH_DOM0);
}

/* A machine that stood still for a while in one leg of a place. */
static void a_standstill_in_one_leg_does_not_count(void **state)
{
    (void)state;
    struct machine m = machine_of(18000, 20000, 9000, 9000);
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 40 * MS, 0); /* now it measures with Dom0 */
    assert_int_equal(trial.place, PLACE_WITH_DOM0);
    m.now.now_ns += 25 * MS;
    run(&m, &trial, 200 * MS, 0);
    assert_int_equal(trial.place, PLACE_WITH_DOM0);
}

static void cheapness_does_not_make_up_for_slowness(void **state)
{
    (void)state;
    uint64_t changes;
    assert_int_equal(settled_in(machine_of(60000, 50000, 9000, 6000), &changes), PLACE_ANYWHERE);
}

static void answers_from_the_cache_are_left_alone(void **state)
{
    (void)state;
    uint64_t changes;
    assert_int_equal(settled_in(machine_of(3000000, 9000000, 300, 100), &changes), PLACE_ANYWHERE);
    assert_int_equal(changes, 0);
}

static void nothing_is_tried_where_nothing_can_be_chosen(void **state)
{
    (void)state;
    struct place_trial trial;
    place_trial_init(&trial, PLACE_ANYWHERE, 77);
    assert_true(trial.due_ns == UINT64_MAX);
}

static void too_few_reads_change_nothing(void **state)
{
    (void)state;
    struct machine m = machine_of(100, 1000, 9000, 1000);
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 2000 * MS, 0);
    assert_int_equal(m.changes, 0);
    m.rate[PLACE_ANYWHERE] = 0; /* a paused clock, a dead disk */
    run(&m, &trial, 60000 * MS, 0);
    assert_int_equal(m.changes, 0);
}

static void a_change_of_the_load_is_noticed(void **state)
{
    (void)state;
    struct machine m = machine_of(15000, 18000, 9000, 9000);
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 20000 * MS, 0);
    assert_int_equal(trial.place, PLACE_WITH_DOM0);
    m.rate[PLACE_ANYWHERE] = 3000000; /* now all is cached: they can spin where they are apart */
    m.rate[PLACE_WITH_DOM0] = 150000;
    run(&m, &trial, 4300 * MS, 0);
    assert_int_equal(trial.place, PLACE_ANYWHERE);
}

static void trying_takes_little_of_the_time(void **state)
{
    (void)state;
    struct machine m = machine_of(18000, 9000, 9000, 9000);
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 60000 * MS, 0);
    assert_true(m.spent_ns[PLACE_WITH_DOM0] * 100 < m.spent_ns[PLACE_ANYWHERE] * 2);
}

static void whoever_is_not_alone_leaves_dom0s_cpu(void **state)
{
    (void)state;
    struct machine m = machine_of(15000, 18000, 9000, 9000);
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 20000 * MS, 0);
    assert_int_equal(trial.place, PLACE_WITH_DOM0);
    m.now.alone = false;
    run(&m, &trial, 101 * MS, 0);
    assert_int_equal(trial.place, PLACE_ANYWHERE);
    m.spent_ns[PLACE_WITH_DOM0] = 0;
    run(&m, &trial, 20000 * MS, 0);
    assert_int_equal(m.spent_ns[PLACE_WITH_DOM0], 0);
    m.now.alone = true;
    run(&m, &trial, 300 * MS, 0);
    assert_int_equal(trial.place, PLACE_WITH_DOM0);
}

static void many_threads_that_are_not_alone_use_all_cpus(void **state)
{
    (void)state;
    struct machine m = machine_of(15000, 0, 9000, 9000);
    struct place_trial trial;
    m.rate[PLACE_WITHOUT_DOM0] = 18000;
    m.cpu_ns[PLACE_WITHOUT_DOM0] = 9000;
    place_trial_init(&trial, PLACE_WITHOUT_DOM0, m.now.now_ns);
    run(&m, &trial, 200 * MS, 0);
    assert_int_equal(trial.place, PLACE_WITHOUT_DOM0);
    m.now.alone = false;
    run(&m, &trial, 101 * MS, 0);
    assert_int_equal(trial.place, PLACE_ANYWHERE);
}

/* SIGSTOP: the time that it was stopped says nothing of either place. */
static void a_measurement_that_was_held_up_is_made_again(void **state)
{
    (void)state;
    struct machine m = machine_of(18000, 16800, 9000, 9000);
    struct place_trial trial;
    place_trial_init(&trial, PLACE_WITH_DOM0, m.now.now_ns);
    run(&m, &trial, 12 * MS, 0); /* now it measures anywhere */
    uint64_t stopped_until_ns = m.now.now_ns + 10000 * MS;
    m.now.now_ns = stopped_until_ns;
    m.now.answered_count += 400;
    assert_false(place_trial_step(&trial, &m.now));
    assert_int_equal(trial.due_ns - stopped_until_ns, 20 * MS);
    run(&m, &trial, 200 * MS, 0);
    assert_int_equal(trial.place, PLACE_ANYWHERE); /* the stop has not spoken against it */
}

static void each_place_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(place_name(PLACE_WITH_DOM0), "with dom0");
    assert_string_equal(place_name(PLACE_WITHOUT_DOM0), "without dom0");
    assert_string_equal(place_name(PLACE_ANYWHERE), "anywhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_faster_one_is_kept),
        cmocka_unit_test(of_equals_the_cheaper_one_is_kept),
        cmocka_unit_test(what_is_left_to_noise_goes_to_the_other_place),
        cmocka_unit_test(a_cost_that_is_small_beside_dom0s_counts_little),
        cmocka_unit_test(a_standstill_in_one_leg_does_not_count),
        cmocka_unit_test(cheapness_does_not_make_up_for_slowness),
        cmocka_unit_test(answers_from_the_cache_are_left_alone),
        cmocka_unit_test(nothing_is_tried_where_nothing_can_be_chosen),
        cmocka_unit_test(too_few_reads_change_nothing),
        cmocka_unit_test(a_change_of_the_load_is_noticed),
        cmocka_unit_test(trying_takes_little_of_the_time),
        cmocka_unit_test(whoever_is_not_alone_leaves_dom0s_cpu),
        cmocka_unit_test(many_threads_that_are_not_alone_use_all_cpus),
        cmocka_unit_test(a_measurement_that_was_held_up_is_made_again),
        cmocka_unit_test(each_place_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
