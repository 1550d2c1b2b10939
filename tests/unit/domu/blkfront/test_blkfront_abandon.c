/* SPDX-License-Identifier: MIT */
/* blkfront_abandon: reads that time out, and what becomes of their answers. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "fakes/fake_disk.h"

#include "unit/domu/blkfront/abandon_fixture.h"

static void a_read_ends_when_its_time_is_up(void **state)
{
    (void)state;
    connect_to(30 * MS);
    uint64_t begin_ns = clock_monotonic_ns();
    assert_int_equal(blkfront_read(bf, 5, 1, bytes[0]), -ETIMEDOUT);
    assert_true(clock_monotonic_ns() - begin_ns >= 30 * MS);
    assert_string_equal(blkfront_failure(bf), "");
}

static void *read_in_vain(void *opaque)
{
    (void)opaque;
    return (void *)(intptr_t)blkfront_read(bf, 5, 1, bytes[0]);
}

/* Neither an answer nor the end touches what a thread had on its stack, which is not there any
 * more: one of this size is unmapped when its thread has ended. */
static void nothing_is_left_of_who_gave_up(void **state)
{
    enum { STACK_BYTES = 64 << 20 };
    pthread_attr_t large;
    pthread_t reader;
    void *rc;
    (void)state;
    connect_as(30 * MS, false);
    assert_int_equal(pthread_attr_init(&large), 0);
    assert_int_equal(pthread_attr_setstacksize(&large, STACK_BYTES), 0);
    for (int round = 0; round < 2; round++) {
        store_full_u32(&keeper.answers, 0);
        assert_int_equal(pthread_create(&reader, &large, read_in_vain, NULL), 0);
        pthread_join(reader, &rc);
        assert_int_equal((int)(intptr_t)rc, -ETIMEDOUT);
        if (round == 0) {
            let_it_answer();
            take_all_answers();
        }
    }
    pthread_attr_destroy(&large);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    int end;
    while ((end = blkfront_read(bf, 6, 1, bytes[1])) == -ETIMEDOUT)
        continue;
    assert_int_equal(end, -ENOTCONN);
    assert_int_equal(bf->queue[0].shadow.free_count, DEPTH);
}

/* The late answer is nobody's; the next read has its slot and its own data. */
static void what_comes_too_late_is_dropped(void **state)
{
    (void)state;
    connect_to(30 * MS);
    assert_int_equal(blkfront_read(bf, 5, 1, bytes[0]), -ETIMEDOUT);
    let_it_answer();
    int rc;
    while ((rc = blkfront_read(bf, 6, 1, bytes[1])) == -ETIMEDOUT) /* on a slow machine */
        continue;
    assert_int_equal(rc, 0);
    assert_true(fake_disk_holds(bytes[1], 6, 1));
    take_all_answers();
    assert_true(is_untouched(bytes[0]));
}

static int statuses[READERS];

static void *read_one(void *arg)
{
    uint32_t i = (uint32_t)(uintptr_t)arg;
    statuses[i] = blkfront_read(bf, i, 1, bytes[i]);
    return NULL;
}

static void read_by_all(pthread_t threads[READERS])
{
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_one, (void *)i), 0);
    for (uint32_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* The one that sleeps for all, those that sleep beside it, and those that wait for a slot. */
static void every_thread_that_waits_has_its_time_out(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    connect_to(50 * MS);
    read_by_all(threads);
    for (uint32_t i = 0; i < READERS; i++)
        assert_int_equal(statuses[i], -ETIMEDOUT);
    assert_int_equal(bf->queue[0].shadow.free_count, 0);
    assert_null(bf->queue[0].sleepers.head);
    assert_null(bf->queue[0].answered.head);
    let_it_answer();
    while (blkfront_read(bf, 7, 1, bytes[0]) == -ETIMEDOUT)
        continue;
    take_all_answers();
    for (uint32_t i = 1; i < READERS; i++)
        assert_true(is_untouched(bytes[i]));
}

static void *wait_for_ever(void *unused)
{
    struct blkfront_completion done;
    (void)unused;
    (void)blkfront_reap(bf, &done, 1, 1);
    return NULL;
}

/* Beside one who leads and has no end: the time of those that sleep on their own words. */
static void a_sleeper_has_a_time_of_its_own(void **state)
{
    (void)state;
    pthread_t leader;
    bool leads;
    connect_to(30 * MS);
    assert_int_equal(blkfront_submit(bf, 5, 1, bytes[0], NULL), 0);
    assert_int_equal(pthread_create(&leader, NULL, wait_for_ever, NULL), 0);
    do {
        sched_yield();
        pthread_mutex_lock(&bf->queue[0].lock);
        leads = bf->queue[0].leader;
        pthread_mutex_unlock(&bf->queue[0].lock);
    } while (!leads);
    assert_int_equal(blkfront_read(bf, 6, 1, bytes[1]), -ETIMEDOUT);
    let_it_answer();
    assert_int_equal(pthread_join(leader, NULL), 0);
}

static void who_is_answered_in_time_is_not_late(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    connect_to(UINT64_MAX - 1);
    let_it_answer();
    for (uint32_t round = 0; round < 20; round++) {
        read_by_all(threads);
        for (uint32_t i = 0; i < READERS; i++) {
            assert_int_equal(statuses[i], 0);
            assert_true(fake_disk_holds(bytes[i], i, 1));
        }
    }
}

/* Answers that come just when time is up: each read is the one or the other. */
static void an_answer_and_the_end_of_time_may_meet(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    connect_to(MS / 10);
    store_full_u32(&keeper.answers, 1);
    for (uint32_t round = 0; round < 200; round++) {
        memset(bytes, UNTOUCHED, sizeof(bytes));
        read_by_all(threads);
        assert_null(bf->queue[0].sleepers.head);
        assert_null(bf->queue[0].answered.head);
        for (uint32_t i = 0; i < READERS; i++) {
            if (statuses[i] == 0)
                assert_true(fake_disk_holds(bytes[i], i, 1));
            else
                assert_int_equal(statuses[i], -ETIMEDOUT);
            assert_true(statuses[i] == 0 || is_untouched(bytes[i]));
        }
    }
}

static void time_runs_while_dom0_is_away(void **state)
{
    (void)state;
    connect_to(30 * MS);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    assert_int_equal(blkfront_read(bf, 5, 1, bytes[0]), -ETIMEDOUT);
    keeper.count = 0;
    store_full_u32(&keeper.answers, 1);
    start();
    int rc;
    while ((rc = blkfront_read(bf, 6, 1, bytes[1])) == -ETIMEDOUT)
        continue;
    assert_int_equal(rc, 0);
    assert_true(fake_disk_holds(bytes[1], 6, 1));
    assert_true(is_untouched(bytes[0]));
    assert_int_equal(bf->queue[0].shadow.free_count,
                     DEPTH); /* the next Dom0 was not asked for the first */
}

int main(void)
{
#define ABANDON_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ABANDON_TEST(a_read_ends_when_its_time_is_up),
        ABANDON_TEST(nothing_is_left_of_who_gave_up),
        ABANDON_TEST(what_comes_too_late_is_dropped),
        ABANDON_TEST(every_thread_that_waits_has_its_time_out),
        ABANDON_TEST(a_sleeper_has_a_time_of_its_own),
        ABANDON_TEST(who_is_answered_in_time_is_not_late),
        ABANDON_TEST(an_answer_and_the_end_of_time_may_meet),
        ABANDON_TEST(time_runs_while_dom0_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
