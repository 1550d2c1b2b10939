/* SPDX-License-Identifier: MIT */
/* blkfront_abandon: reads that time out or are cancelled, and what becomes of their answers. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "unit/domu/blkfront/scene.h"

#define MS UINT64_C(1000000)

enum { DEPTH = 32, READERS = 40, HANG_S = 60, UNTOUCHED = 0xa5 };

/* A Dom0 that keeps all requests until it is told to answer them. */
struct keeper {
    struct blkif_request kept[DEPTH];
    uint32_t count;    /* atomic */
    uint32_t answers;  /* atomic: it does */
    uint32_t answered; /* atomic: how many */
};

static struct keeper keeper; /* the thread of Dom0 outlives the test's function */
static uint8_t bytes[READERS][512];

static int setup(void **state)
{
    (void)state;
    keeper = (struct keeper){.count = 0};
    memset(bytes, UNTOUCHED, sizeof(bytes));
    return scene_open(HANG_S);
}

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    uint32_t count = load_full_u32(&k->count);
    k->kept[count] = *req;
    store_full_u32(&k->count, count + 1);
}

static void answer_kept(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    uint32_t count = load_full_u32(&k->count);
    if (load_full_u32(&k->answers) == 0)
        return;
    store_full_u32(&k->count, 0);
    for (uint32_t i = count; i-- > 0;)
        fake_dom0_serve(d, &k->kept[i]);
    store_full_u32(&k->answered, load_full_u32(&k->answered) + count);
}

static void start(void)
{
    dom0 = fake_dom0_start(
        base, &(struct fake_dom0_script){.request = keep, .idle = answer_kept, .ctx = &keeper});
    assert_non_null(dom0);
}

static void connect_as(uint64_t timeout_ns, bool reconnect)
{
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = DEPTH,
                                       .sectors_per_request = 1,
                                       .reconnect = reconnect,
                                       .timeout_ns = timeout_ns};
    start();
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

static void connect_to(uint64_t timeout_ns)
{
    connect_as(timeout_ns, true);
}

static void let_it_answer(void)
{
    store_full_u32(&keeper.answers, 1);
    fake_dom0_wake(dom0);
}

/* Until all that were abandoned are answered, too. */
static void take_all_answers(void)
{
    struct blkfront_completion none;
    while (bf->queue[0].shadow.free_count < DEPTH)
        assert_int_equal(blkfront_reap(bf, &none, 0, 0), 0);
}

static bool is_untouched(const uint8_t *buffer)
{
    for (uint32_t i = 0; i < 512; i++) {
        if (buffer[i] != UNTOUCHED)
            return false;
    }
    return true;
}

/* ---- time-outs ---- */

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

/* ---- cancelled reads ---- */

static void submit(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(blkfront_submit(bf, i, 1, bytes[i], bytes[i]), 0);
    assert_int_equal(blkfront_kick(bf), 0);
}

static void a_cancelled_read_comes_back_once(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(0);
    submit(4);
    assert_int_equal(blkfront_cancel(bf, bytes[2]), 1);
    assert_int_equal(blkfront_cancel(bf, bytes[2]), 0);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), 1);
    assert_int_equal(done[0].status, -ECANCELED);
    assert_ptr_equal(done[0].cookie, bytes[2]);
    assert_ptr_equal(done[0].buffer, bytes[2]);
    let_it_answer();
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 3), 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(done[i].status, 0);
        assert_true(done[i].cookie != bytes[2]);
    }
    assert_true(is_untouched(bytes[2]));
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), 0);
}

static void all_that_have_the_cookie_are_cancelled(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(blkfront_submit(bf, i, 1, bytes[i], bytes[i % 2]), 0);
    assert_int_equal(blkfront_cancel(bf, NULL), 0);
    assert_int_equal(blkfront_cancel(bf, bytes[1]), 3);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 3), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(done[i].sector % 2, 1);
}

/* One was reaped, one waits to be reaped, one lies on the ring. */
static void what_is_answered_is_not_cancelled(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(0);
    let_it_answer();
    submit(2);
    assert_int_equal(blkfront_reap(bf, done, 1, 1), 1);
    while (bf->queue[0].stats.responses < 2)
        assert_int_equal(blkfront_reap(bf, done, 0, 0), 0);
    assert_int_equal(blkfront_submit(bf, 2, 1, bytes[2], bytes[2]), 0);
    assert_int_equal(blkfront_kick(bf), 0);
    while (load_full_u32(&keeper.answered) < 3)
        sched_yield();
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(blkfront_cancel(bf, bytes[i]), 0);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 2), 2);
    assert_int_equal(done[0].status, 0);
    assert_int_equal(done[1].status, 0);
}

static void what_was_cancelled_is_not_asked_of_the_next_dom0(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(0);
    submit(4);
    assert_int_equal(blkfront_cancel(bf, bytes[0]), 1);
    fake_dom0_stop(dom0);
    keeper.count = 0;
    start();
    while (load_full_u32(&keeper.count) < 3)
        sched_yield();
    assert_int_equal(blkfront_cancel(bf, bytes[1]), 1);
    let_it_answer();
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 4), 4);
    assert_int_equal(done[0].status, -ECANCELED);
    assert_int_equal(done[1].status, -ECANCELED);
    assert_int_equal(bf->queue[0].stats.requests, 7);
    take_all_answers();
}

/* All slots are taken by reads for which nobody waits: the next one is asked when one is free. */
static void one_who_finds_no_slot_has_the_next_that_is_free(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(0);
    submit(DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(blkfront_cancel(bf, bytes[i]), 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, DEPTH), DEPTH);
    assert_int_equal(blkfront_submit(bf, 1, 1, bytes[0], NULL), 0);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 0);
    let_it_answer();
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), 1);
    assert_int_equal(done[0].status, 0);
    assert_true(fake_disk_holds(bytes[0], 1, 1));
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
        ABANDON_TEST(a_cancelled_read_comes_back_once),
        ABANDON_TEST(all_that_have_the_cookie_are_cancelled),
        ABANDON_TEST(what_is_answered_is_not_cancelled),
        ABANDON_TEST(what_was_cancelled_is_not_asked_of_the_next_dom0),
        ABANDON_TEST(one_who_finds_no_slot_has_the_next_that_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
