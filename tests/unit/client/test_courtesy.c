/* SPDX-License-Identifier: MIT */
/* courtesy: threads let others go on, but not where that makes them wait for long. */
#include "client/courtesy.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

/* A thread that is courteous has taken so long for each of its requests since its last look. */
static void judge(struct courtesy *courtesy, uint64_t now_ns, uint64_t request_ns)
{
    courtesy->on = true;
    courtesy->begin_ns = now_ns - COURTESY_LOOK_REQUESTS * request_ns;
    courtesy_judge(courtesy, now_ns);
}

static void short_requests_change_nothing(void **state)
{
    (void)state;
    struct courtesy_shared shared = {.until_ns = 0};
    struct courtesy courtesy = {.shared = &shared};
    assert_true(courtesy_is_due(&shared, 1000 * MS));
    for (uint64_t i = 0; i < 100; i++)
        judge(&courtesy, (1000 + 16 * i) * MS, MS / 5);
    assert_true(courtesy_is_due(&shared, 3000 * MS));
}

static void time_counts_from_look_to_look(void **state)
{
    (void)state;
    struct courtesy_shared shared = {.until_ns = 0};
    struct courtesy courtesy = {.shared = &shared, .on = true, .begin_ns = 1000 * MS};
    courtesy_judge(&courtesy, 1012 * MS);
    courtesy_judge(&courtesy, 1024 * MS);
    assert_true(courtesy_is_due(&shared, 1024 * MS));
    courtesy_judge(&courtesy, 1040 * MS);
    assert_false(courtesy_is_due(&shared, 1040 * MS));
}

static void what_takes_one_long_makes_all_impatient_for_a_while(void **state)
{
    (void)state;
    struct courtesy_shared shared = {.until_ns = 0};
    struct courtesy one = {.shared = &shared}, other = one;
    judge(&one, 1000 * MS, MS);
    judge(&other, 1001 * MS, MS); /* has heard it, and makes it no longer */
    assert_false(courtesy_is_due(&shared, 1001 * MS));
    assert_false(courtesy_is_due(&shared, 1249 * MS));
    assert_true(courtesy_is_due(&shared, 1250 * MS));
}

static void who_is_impatient_may_take_long(void **state)
{
    (void)state;
    struct courtesy_shared shared = {.until_ns = 0};
    struct courtesy courtesy = {.shared = &shared, .on = false};
    courtesy_judge(&courtesy, 1000 * MS);
    assert_true(courtesy_is_due(&shared, 1000 * MS));
}

static void each_time_is_twice_as_long_until_all_is_well(void **state)
{
    (void)state;
    struct courtesy_shared shared = {.until_ns = 0};
    struct courtesy courtesy = {.shared = &shared};
    uint64_t now_ns = 1000 * MS, pause_ns = 250 * MS;
    for (int i = 0; i < 10; i++) {
        judge(&courtesy, now_ns, MS);
        assert_false(courtesy_is_due(&shared, now_ns + pause_ns - 1));
        assert_true(courtesy_is_due(&shared, now_ns + pause_ns));
        now_ns += pause_ns + 16 * MS;
        pause_ns = pause_ns < 16000 * MS ? 2 * pause_ns : pause_ns;
    }
    now_ns += 20000 * MS; /* well for longer than the last time */
    judge(&courtesy, now_ns, MS);
    assert_false(courtesy_is_due(&shared, now_ns + 249 * MS));
    assert_true(courtesy_is_due(&shared, now_ns + 250 * MS));
}

static int policy_now(void)
{
    struct sched_param param;
    int policy = -1;
    assert_int_equal(pthread_getschedparam(pthread_self(), &policy, &param), 0);
    return policy;
}

static void *begin_and_end(void *arg)
{
    struct courtesy_shared shared = {.until_ns = UINT64_MAX};
    struct courtesy courtesy;
    int *policy = arg;
    courtesy_begin(&courtesy, &shared, 2);
    policy[0] = policy_now();
    courtesy_begin(&courtesy, &shared, 8);
    policy[1] = policy_now();
    courtesy.left = 1;
    courtesy_step(&courtesy);
    policy[2] = policy_now();
    return NULL;
}

static void a_thread_does_as_all_do_where_there_are_several(void **state)
{
    (void)state;
    pthread_t thread;
    int policy[3];
    if (policy_now() != SCHED_OTHER)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, begin_and_end, policy), 0);
    pthread_join(thread, NULL);
    assert_int_equal(policy[0], SCHED_OTHER);
    assert_int_equal(policy[1], SCHED_BATCH);
    assert_int_equal(policy[2], SCHED_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_requests_change_nothing),
        cmocka_unit_test(time_counts_from_look_to_look),
        cmocka_unit_test(what_takes_one_long_makes_all_impatient_for_a_while),
        cmocka_unit_test(who_is_impatient_may_take_long),
        cmocka_unit_test(each_time_is_twice_as_long_until_all_is_well),
        cmocka_unit_test(a_thread_does_as_all_do_where_there_are_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
