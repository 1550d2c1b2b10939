/* SPDX-License-Identifier: MIT */
/* blkfront_sleep: threads that Dom0 wakes by their words, and by nothing else where it can. */
#include <errno.h>
#include <sched.h>

#include "domu/blkfront/blkfront_private.h"
#include "ring/sleeper.h"
#include "unit/domu/blkfront/blkfront_call_fixture.h"

enum { MS = 1000000, CALLERS_MAX = 24, FEW = 16, CALLS = 200, KEPT = 4 };

static const struct blkfront_options no_spin = {
    .depth = 32, .sectors_per_request = 1, .no_spin = true};

static void *read_often(void *arg)
{
    struct caller *caller = arg;
    uint8_t own[512];
    for (uint32_t i = 0; i < CALLS && caller->rc == 0; i++) {
        uint32_t sector = (caller->sector + i * 97) % SECTORS;
        caller->rc = blkfront_read(bf, sector, 1, own);
        if (caller->rc == 0 && memcmp(own, data + sector * 512, 512) != 0)
            caller->rc = -EILSEQ;
    }
    return NULL;
}

static void read_by(uint32_t count)
{
    static struct caller callers[CALLERS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        callers[i] = (struct caller){.sector = i * 64};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, read_often, &callers[i]), 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].rc, 0);
    }
    assert_int_equal(bf->queue[0].lying, 0);
    assert_int_equal(bf->queue[0].shadow.free_count, bf->queue[0].shadow.nr_entries);
}

static void a_few_threads_are_woken_by_their_words(void **state)
{
    (void)state;
    memcpy(disk, data, sizeof(disk));
    meet((struct fake_dom0_script){.disk = disk}, no_spin);
    read_by(FEW);
    assert_true(fake_dom0_woken(dom0) > 0);
}

static void a_dom0_that_wakes_nobody_sends_events(void **state)
{
    (void)state;
    memcpy(disk, data, sizeof(disk));
    meet((struct fake_dom0_script){.disk = disk, .wakes_nobody = true}, no_spin);
    assert_null(bf->queue[0].words);
    read_by(CALLERS_MAX);
}

static void more_threads_wait_in_both_ways(void **state)
{
    (void)state;
    memcpy(disk, data, sizeof(disk));
    meet((struct fake_dom0_script){.disk = disk}, no_spin);
    read_by(CALLERS_MAX);
}

static struct {
    struct blkif_request kept[KEPT];
    uint32_t count;   /* atomic */
    uint32_t answers; /* atomic: from now on */
} keeper;

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (load_full_u32(&keeper.answers) != 0) {
        fake_dom0_serve(d, req);
        return;
    }
    keeper.kept[keeper.count] = *req;
    store_full_u32(&keeper.count, keeper.count + 1);
}

static void answer_kept(struct fake_dom0 *d)
{
    if (load_full_u32(&keeper.answers) == 0)
        return;
    for (uint32_t i = 0; i < keeper.count; i++)
        fake_dom0_serve(d, &keeper.kept[i]);
    store_full_u32(&keeper.count, 0);
}

static void let_it_answer(void)
{
    store_full_u32(&keeper.answers, 1);
    fake_dom0_wake(dom0);
}

static void meet_keeper(uint64_t timeout_ns)
{
    struct blkfront_options options = no_spin;
    options.timeout_ns = timeout_ns;
    memset(&keeper, 0, sizeof(keeper));
    meet((struct fake_dom0_script){.disk = disk, .request = keep, .idle = answer_kept}, options);
}

static void *read_once(void *arg)
{
    struct caller *caller = arg;
    uint8_t own[512];
    caller->rc = blkfront_read(bf, caller->sector, 1, own);
    return NULL;
}

static void await_lying(uint32_t count)
{
    uint32_t lying = UINT32_MAX;
    while (lying != count) {
        sched_yield();
        pthread_mutex_lock(&bf->queue[0].lock);
        lying = bf->queue[0].lying;
        pthread_mutex_unlock(&bf->queue[0].lock);
    }
}

static void start_readers(struct caller *callers)
{
    for (uint32_t i = 0; i < KEPT; i++) {
        callers[i] = (struct caller){.sector = i};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, read_once, &callers[i]), 0);
    }
    await_lying(KEPT - 1); /* the first one, alone at first, leads */
}

static void end_readers(struct caller *callers, int expected)
{
    for (uint32_t i = 0; i < KEPT; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].rc, expected);
    }
}

/* Anybody may write to a word: it is no answer. */
static void who_is_woken_for_nothing_lies_down_again(void **state)
{
    (void)state;
    struct caller callers[KEPT];
    meet_keeper(0);
    start_readers(callers);
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < bf->nr_entries; i++)
            (void)sleeper_wake(&bf->queue[0].words[i]);
        await_lying(KEPT - 1);
    }
    let_it_answer();
    end_readers(callers, 0);
}

static void who_lies_is_told_when_dom0_dies(void **state)
{
    (void)state;
    struct caller callers[KEPT];
    meet_keeper(0);
    start_readers(callers);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    end_readers(callers, -ENOTCONN);
}

/* It has stored AWAKE, and never gets to wake the threads. (Who does not sleep yet lies down again;
 * that is why more than once.) */
static void who_lies_is_told_when_dom0_dies_before_it_wakes(void **state)
{
    (void)state;
    struct caller callers[KEPT];
    meet_keeper(0);
    start_readers(callers);
    for (uint32_t round = 0; round < 1000; round++) {
        for (uint32_t i = 0; i < bf->nr_entries; i++)
            sleeper_rise(&bf->queue[0].words[i]);
        sched_yield();
    }
    fake_dom0_stop(dom0);
    dom0 = NULL;
    end_readers(callers, -ENOTCONN);
}

/* What was taken off by others does not pass the time on to the next answer. */
static void a_waking_is_of_the_answers_it_takes_off(void **state)
{
    (void)state;
    struct caller callers[KEPT];
    meet_keeper(0);
    start_readers(callers);
    store_relaxed_u32(&bf->queue[0].traced, 1); /* so that threads look at the clock */
    let_it_answer();
    end_readers(callers, 0);
    assert_int_equal(bf->queue[0].woken_ns, 0);
    bf->queue[0].traced = 0;
}

static void who_lies_gets_up_when_the_time_is_up(void **state)
{
    (void)state;
    uint8_t own[512];
    meet_keeper(20 * MS);
    assert_int_equal(blkfront_read(bf, 5, 1, own), -ETIMEDOUT);
    assert_int_equal(bf->queue[0].lying, 0);
    let_it_answer();
    int rc;
    while ((rc = blkfront_read(bf, 6, 1, own)) == -ETIMEDOUT) /* on a slow machine */
        continue;
    assert_int_equal(rc, 0);
}

/* When several wait; it sends no event either. */
static void answer_another(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (++keeper.count < KEPT)
        return;
    fake_dom0_respond(d, req->id + KEPT, req->operation, BLKIF_RSP_OKAY);
    (void)back_ring_push(&fake_dom0_ring(d)->half);
}

static void a_dom0_that_answers_another_request_is_found_out(void **state)
{
    (void)state;
    struct caller callers[KEPT];
    memset(&keeper, 0, sizeof(keeper));
    meet((struct fake_dom0_script){.disk = disk, .request = answer_another}, no_spin);
    for (uint32_t i = 0; i < KEPT; i++) {
        callers[i] = (struct caller){.sector = i};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, read_once, &callers[i]), 0);
    }
    end_readers(callers, -EPROTO);
}

/* A large one is several requests: its thread waits for events of the ring. */
static void a_large_request_needs_events(void **state)
{
    (void)state;
    memcpy(disk, data, sizeof(disk));
    meet((struct fake_dom0_script){.disk = disk}, no_spin);
    assert_int_equal(blkfront_read(bf, 0, 1000, back), 0);
    assert_memory_equal(back, data, 1000 * 512);
}

int main(void)
{
#define SLEEP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SLEEP_TEST(a_few_threads_are_woken_by_their_words),
        SLEEP_TEST(a_dom0_that_wakes_nobody_sends_events),
        SLEEP_TEST(more_threads_wait_in_both_ways),
        SLEEP_TEST(who_is_woken_for_nothing_lies_down_again),
        SLEEP_TEST(who_lies_is_told_when_dom0_dies),
        SLEEP_TEST(who_lies_is_told_when_dom0_dies_before_it_wakes),
        SLEEP_TEST(a_waking_is_of_the_answers_it_takes_off),
        SLEEP_TEST(who_lies_gets_up_when_the_time_is_up),
        SLEEP_TEST(a_dom0_that_answers_another_request_is_found_out),
        SLEEP_TEST(a_large_request_needs_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
