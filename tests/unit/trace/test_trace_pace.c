/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trace/trace_pace.h"

enum { SECOND_NS = 1000000000, COARSE_NS = 4000000 };

struct run {
    struct trace_pace pace;
    uint64_t now_ns, requests, weights;
    uint64_t chosen, wanted; /* of those: of the sample `threshold` */
    uint32_t threshold, heaviest;
};

/* `count` requests, one each gap_ns. */
static void come(struct run *run, uint64_t count, uint64_t gap_ns)
{
    for (uint64_t i = 0; i < count; i++) {
        run->now_ns += gap_ns;
        run->requests++;
        if (!trace_pace_is_due(&run->pace)) {
            if (trace_pace_pass(&run->pace, 1))
                trace_pace_look(&run->pace, run->now_ns - run->now_ns % COARSE_NS);
            continue;
        }
        uint32_t weight;
        uint32_t rank = trace_pace_choose(&run->pace, run->now_ns, &weight);
        assert_in_range(rank, 1, TRACE_RANK_NEVER - 1);
        uint64_t id = 5 | (uint64_t)rank << TRACE_RANK_SHIFT | UINT64_C(77) << 32;
        assert_true(trace_wants(run->pace.threshold, id));
        run->chosen++;
        run->wanted += trace_wants(run->threshold, id);
        run->weights += weight;
        run->heaviest = weight > run->heaviest ? weight : run->heaviest;
    }
}

static struct run start(uint32_t sample)
{
    struct run run = {.now_ns = SECOND_NS, .threshold = UINT32_MAX};
    trace_pace_init(&run.pace, trace_threshold(sample));
    return run;
}

static void test_a_sample_is_each_nth(void **state)
{
    const uint32_t samples[] = {1, 2, 3, 10, 1000, 65535};
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct run run = start(samples[i]);
        come(&run, UINT64_C(10) * samples[i], 10);
        assert_int_equal(run.chosen, 10);
        assert_int_equal(run.heaviest, samples[i]);
    }
}

/* Who traces with a smaller sample than another one finds his share among the other's. */
static void test_a_sample_has_smaller_ones_in_it(void **state)
{
    (void)state;
    struct run run = start(2);
    run.threshold = trace_threshold(20);
    come(&run, 200000, 10);
    assert_int_equal(run.chosen, 100000);
    assert_in_range(run.wanted, 9900, 10100);
}

static void test_a_moderate_rate_is_chosen_whole(void **state)
{
    (void)state;
    struct run run = start(TRACE_SAMPLE_AUTO);
    for (int burst = 0; burst < 1000; burst++) { /* 40,000 a second, 40 at once */
        come(&run, 39, 100);
        come(&run, 1, SECOND_NS / 1000 - 39 * 100);
    }
    assert_int_equal(run.chosen, run.requests);
    assert_int_equal(run.weights, run.requests);
}

static void test_of_a_high_rate_so_many_are_chosen(void **state)
{
    const uint64_t rates[] = {60000, 100000, 1000000, 4000000, 20000000};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct run run = start(TRACE_SAMPLE_AUTO);
        come(&run, rates[i], SECOND_NS / rates[i]);
        assert_in_range(run.chosen, TRACE_PACE_SAMPLE_PER_SECOND / 2 - 256,
                        TRACE_PACE_SAMPLE_PER_SECOND + 512);
        assert_in_range(run.weights, run.requests - run.heaviest, run.requests);
    }
}

/* Paces that share the rate between them choose a part each. */
static void test_who_shares_the_rate_chooses_less(void **state)
{
    (void)state;
    struct run run = start(TRACE_SAMPLE_AUTO);
    run.pace.sharers = 10;
    come(&run, 1000000, SECOND_NS / 1000000);
    assert_in_range(run.chosen, TRACE_PACE_SAMPLE_PER_SECOND / 20 - 256,
                    TRACE_PACE_SAMPLE_PER_SECOND / 10 + 512);
}

/* As soon as there are few again, all of them, though each 512th was chosen before. */
static void test_the_calm_after_a_storm_is_chosen_whole(void **state)
{
    const uint64_t gaps_ns[] = {SECOND_NS, SECOND_NS / 10, SECOND_NS / 100};
    (void)state;
    for (size_t i = 0; i < sizeof(gaps_ns) / sizeof(gaps_ns[0]); i++) {
        struct run run = start(TRACE_SAMPLE_AUTO);
        come(&run, 4000000, SECOND_NS / 4000000);
        assert_in_range(run.pace.every, 256, 512);
        come(&run, 2 * TRACE_PACE_LOOK_EVERY, gaps_ns[i]);
        uint64_t before = run.chosen;
        come(&run, 1000, gaps_ns[i]);
        assert_int_equal(run.chosen - before, 1000);
        assert_int_equal(run.weights, run.requests);
    }
}

/* A rate that is chosen whole is so again after one that was not. */
static void test_a_moderate_rate_after_a_storm_is_chosen_whole(void **state)
{
    (void)state;
    struct run run = start(TRACE_SAMPLE_AUTO);
    come(&run, 4000000, SECOND_NS / 4000000);
    come(&run, 1000, SECOND_NS / 45000);
    uint64_t before = run.chosen;
    come(&run, 45000, SECOND_NS / 45000);
    assert_int_equal(run.chosen - before, 45000);
}

/* Whatever order the times come in: they are of several threads. */
static void test_a_time_before_the_last_one_changes_nothing(void **state)
{
    (void)state;
    struct run run = start(TRACE_SAMPLE_AUTO);
    come(&run, 100, SECOND_NS / 1000);
    run.now_ns -= SECOND_NS / 10;
    come(&run, 50, SECOND_NS / 1000);
    assert_int_equal(run.chosen, 150);
    assert_int_equal(run.pace.every, 1);
}

/* One that came too early to be asked for its time is passed by: the next one is chosen. */
static void test_one_that_is_due_stays_due(void **state)
{
    uint32_t weight;
    (void)state;
    struct run run = start(4);
    come(&run, 4, 10);
    assert_true(trace_pace_is_due(&run.pace));
    assert_false(trace_pace_pass(&run.pace, 1));
    assert_true(trace_pace_is_due(&run.pace));
    (void)trace_pace_choose(&run.pace, run.now_ns, &weight);
    assert_int_equal(weight, 5);
}

/* Not before all have passed that may be passed by without one, and never where none is planned. */
static void test_a_look_comes_after_those_that_were_left(void **state)
{
    struct trace_pace pace = {.left = 3, .later = 5};
    (void)state;
    assert_false(trace_pace_pass(&pace, 1));
    assert_false(trace_pace_pass(&pace, 1));
    assert_true(trace_pace_pass(&pace, 1));
    assert_int_equal(pace.left, 0);
    assert_int_equal(pace.passed, 3);
    pace = (struct trace_pace){.left = 1};
    assert_false(trace_pace_pass(&pace, 1));
    assert_false(trace_pace_pass(&pace, 1));
    assert_int_equal(pace.left, 0);
    pace = (struct trace_pace){.left = 1, .later = 1};
    assert_true(trace_pace_pass(&pace, 1));
}

static void test_a_passed_one_is_of_no_sample(void **state)
{
    (void)state;
    uint64_t id = 5 | (uint64_t)TRACE_RANK_NEVER << TRACE_RANK_SHIFT;
    assert_false(trace_wants(UINT32_MAX, id));
    assert_false(trace_wants(UINT32_MAX, 5)); /* nobody has decided */
    assert_true(trace_wants(UINT32_MAX, 5 | 1 << TRACE_RANK_SHIFT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sample_is_each_nth),
        cmocka_unit_test(test_a_sample_has_smaller_ones_in_it),
        cmocka_unit_test(test_a_moderate_rate_is_chosen_whole),
        cmocka_unit_test(test_of_a_high_rate_so_many_are_chosen),
        cmocka_unit_test(test_who_shares_the_rate_chooses_less),
        cmocka_unit_test(test_the_calm_after_a_storm_is_chosen_whole),
        cmocka_unit_test(test_a_moderate_rate_after_a_storm_is_chosen_whole),
        cmocka_unit_test(test_a_time_before_the_last_one_changes_nothing),
        cmocka_unit_test(test_one_that_is_due_stays_due),
        cmocka_unit_test(test_a_look_comes_after_those_that_were_left),
        cmocka_unit_test(test_a_passed_one_is_of_no_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
