/* SPDX-License-Identifier: MIT */
/* sleeper: a thread of the test sleeps on a word, and is woken. */
#include "ring/sleeper.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { HANG_S = 60, ROUNDS = 2000 };

static void who_sleeps_is_woken_once(void **state)
{
    (void)state;
    uint32_t word = SLEEPER_AWAKE;
    sleeper_lie_down(&word);
    assert_true(sleeper_is_asleep(&word));
    assert_true(sleeper_wake(&word));
    assert_false(sleeper_is_asleep(&word));
    assert_false(sleeper_wake(&word));
}

static void who_has_risen_is_not_woken(void **state)
{
    (void)state;
    uint32_t word = SLEEPER_AWAKE;
    sleeper_lie_down(&word);
    sleeper_rise(&word);
    assert_false(sleeper_is_asleep(&word));
    assert_false(sleeper_wake(&word));
}

/* The word is the domain's to write. */
static void what_is_no_state_is_left_alone(void **state)
{
    (void)state;
    for (uint32_t value = 2; value != 0; value <<= 1) {
        uint32_t word = value;
        assert_false(sleeper_wake(&word));
        assert_int_equal(word, value);
    }
}

static void nobody_sleeps_on_a_word_that_is_awake(void **state)
{
    (void)state;
    uint32_t word = SLEEPER_AWAKE;
    sleeper_sleep(&word, -1); /* would be for ever */
}

static void a_sleep_ends_when_its_time_is_up(void **state)
{
    (void)state;
    uint32_t word = SLEEPER_AWAKE;
    sleeper_lie_down(&word);
    sleeper_sleep(&word, 1000000);
    assert_true(sleeper_is_asleep(&word));
}

static uint32_t shared_word, turns;

static void *sleep_often(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        sleeper_lie_down(&shared_word);
        while (sleeper_is_asleep(&shared_word))
            sleeper_sleep(&shared_word, -1);
        fetch_add_relaxed_u32(&turns, 1);
    }
    return NULL;
}

/* Each sleep ends by one waking, whatever comes first. */
static void no_waking_is_lost(void **state)
{
    (void)state;
    pthread_t thread;
    uint32_t woken = 0;
    shared_word = SLEEPER_AWAKE;
    turns = 0;
    alarm(HANG_S);
    assert_int_equal(pthread_create(&thread, NULL, sleep_often, NULL), 0);
    while (woken < ROUNDS) {
        if (sleeper_wake(&shared_word))
            woken++;
        else
            sched_yield();
    }
    pthread_join(thread, NULL);
    alarm(0);
    assert_int_equal(turns, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sleeps_is_woken_once),
        cmocka_unit_test(who_has_risen_is_not_woken),
        cmocka_unit_test(what_is_no_state_is_left_alone),
        cmocka_unit_test(nobody_sleeps_on_a_word_that_is_awake),
        cmocka_unit_test(a_sleep_ends_when_its_time_is_up),
        cmocka_unit_test(no_waking_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
