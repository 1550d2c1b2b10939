/* SPDX-License-Identifier: MIT */
/* blkfront_ring: answers that are held back until their stamp. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"
#include "ring/barrier.h"
#include "splitdom/blkfront.h"

#define MS UINT64_C(1000000)

enum { DEPTH = 8, HANG_S = 60 };

/* A Dom0 that keeps DEPTH requests, and then answers all at once, the last one first. */
struct holder {
    struct blkif_request kept[DEPTH];
    uint64_t asked_ns[DEPTH];
    uint32_t count;
    uint64_t step_ns;  /* request i is stamped with its time of submission + (i + 1) * step_ns */
    bool answer_twice; /* the second one, which is held, in place of the first */
    uint32_t
        shown; /* atomic: kept is filled; the ring itself orders that, out of a sanitizer's sight */
};

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;
static uint8_t bytes[DEPTH][512];
static struct holder holder; /* the thread of Dom0 outlives the test's function */

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    bf = NULL;
    dom0 = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-blkfront-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static void answer_backwards(struct fake_dom0 *d)
{
    struct holder *h = fake_dom0_ctx(d);
    store_release_u32(&h->shown, 1);
    for (uint32_t i = h->count; i-- > 0;) {
        const struct blkif_request *req = &h->kept[i];
        fake_dom0_fill(d, req);
        uint64_t id = h->answer_twice && i == 0 ? h->kept[1].id : req->id;
        fake_dom0_respond(d, id, req->operation, BLKIF_RSP_OKAY);
        blkif_put_response_stamp(fake_dom0_ring(d), h->asked_ns[i] + (i + 1) * h->step_ns);
    }
    h->count = 0;
    fake_dom0_flush(d);
}

static void hold(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct holder *h = fake_dom0_ctx(d);
    h->kept[h->count] = *req;
    h->asked_ns[h->count++] = blkif_take_request_stamp(fake_dom0_ring(d));
    if (h->count == DEPTH)
        answer_backwards(d);
}

static void start_dom0(void)
{
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){
                                     .request = hold, .virtual_completion = true, .ctx = &holder});
    assert_non_null(dom0);
}

static void connect_to(void)
{
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = DEPTH,
                                       .reconnect = true};
    start_dom0();
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

static void submit(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(blkfront_submit(bf, 100 + i, 1, bytes[i], bytes[i]), 0);
}

/* All answers are there. False: one of them was due already. */
static bool all_are_held(void)
{
    struct blkfront_completion done;
    struct blkfront_stats stats;
    do {
        if (blkfront_reap(bf, &done, 1, 0) != 0)
            return false;
        blkfront_stats(bf, &stats);
    } while (stats.responses < DEPTH);
    return true;
}

/* On a busy machine answers come late: then once more, with stamps that are further ahead. */
static void connect_until_all_are_held(void)
{
    for (uint64_t step_ns = 25 * MS;; step_ns *= 4) {
        holder = (struct holder){.step_ns = step_ns};
        connect_to();
        submit(DEPTH);
        if (all_are_held())
            return;
        blkfront_close(bf);
        bf = NULL;
        fake_dom0_stop(dom0);
    }
}

static void answers_come_in_the_order_of_their_stamps(void **state)
{
    (void)state;
    struct blkfront_completion done;
    connect_until_all_are_held();
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
        assert_int_equal(load_acquire_u32(&holder.shown), 1);
        assert_int_equal(holder.kept[i].handle, 51712);
        assert_int_equal(holder.kept[i].operation, BLKIF_OP_READ);
        assert_int_equal(holder.kept[i].nr_segments, 1);
        assert_true(blkfront_now_ns(bf) >= done.completed_ns);
        assert_int_equal(done.sector, 100 + i);
        assert_int_equal(done.completed_ns - done.submitted_ns, (i + 1) * holder.step_ns);
        assert_true(fake_disk_holds(bytes[i], 100 + i, 1));
    }
}

/* It came late: what it says of the time holds all the same. */
static void an_answer_whose_stamp_has_passed_is_delivered_at_once(void **state)
{
    (void)state;
    holder = (struct holder){.step_ns = 1};
    struct blkfront_completion done[DEPTH];
    connect_to();
    submit(DEPTH);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, DEPTH), DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_true(done[i].completed_ns - done[i].submitted_ns <= DEPTH * holder.step_ns);
}

/* A Dom0 that lies: no latency is below 0. */
static void an_answer_whose_stamp_is_before_the_question_counts_from_there(void **state)
{
    (void)state;
    holder = (struct holder){.step_ns = -MS};
    struct blkfront_completion done[DEPTH];
    connect_to();
    submit(DEPTH);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, DEPTH), DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(done[i].completed_ns, done[i].submitted_ns);
}

/* Nobody is told a time that the clock has not reached, though all are answered already. */
static void an_answer_that_is_held_keeps_its_time_when_dom0_dies(void **state)
{
    (void)state;
    struct blkfront_completion done;
    struct blkfront_stats stats;
    connect_until_all_are_held();
    fake_dom0_stop(dom0);
    start_dom0();
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
        assert_true(blkfront_now_ns(bf) >= done.completed_ns);
        assert_int_equal(done.completed_ns - done.submitted_ns, (i + 1) * holder.step_ns);
        assert_true(fake_disk_holds(done.buffer, done.sector, 1));
    }
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.reconnects, 1);
    assert_int_equal(stats.requests, DEPTH); /* none was asked for again */
}

static void *read_last(void *arg)
{
    int *rc = arg;
    uint8_t own[512];
    *rc = blkfront_read(bf, 100 + DEPTH - 1, 1, own);
    return NULL;
}

/* That one wakes threads when it answers, and this answer it never gives. */
static void who_waits_for_a_held_answer_goes_on_beside_a_dom0_without_stamps(void **state)
{
    (void)state;
    holder = (struct holder){.step_ns = 60 * MS};
    struct blkfront_completion done[DEPTH];
    struct blkfront_stats stats;
    pthread_t reader;
    int rc = -1;
    connect_to();
    submit(DEPTH - 1);
    assert_int_equal(pthread_create(&reader, NULL, read_last, &rc), 0);
    do {
        sched_yield();
        blkfront_stats(bf, &stats);
    } while (stats.responses < DEPTH);
    fake_dom0_stop(dom0);
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    pthread_join(reader, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, DEPTH - 1), DEPTH - 1);
}

static void an_answer_that_is_held_cannot_be_given_again(void **state)
{
    (void)state;
    holder = (struct holder){.step_ns = 10000 * MS, .answer_twice = true};
    struct blkfront_completion done[DEPTH];
    connect_to();
    submit(DEPTH);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), DEPTH); /* the held ones, too */
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(done[i].status, -EPROTO);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), -EPROTO);
}

static void *read_one(void *opaque)
{
    return (void *)(intptr_t)blkfront_read(bf, (uint64_t)(intptr_t)opaque, 1,
                                           bytes[(intptr_t)opaque]);
}

/* One thread sleeps for all until the first stamp; the others are answered by whoever leads. */
static void threads_are_answered_at_their_stamps(void **state)
{
    (void)state;
    holder = (struct holder){.step_ns = 2 * MS};
    pthread_t threads[DEPTH];
    connect_to();
    uint64_t begin_ns = blkfront_now_ns(bf);
    for (intptr_t i = 0; i < DEPTH; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_one, (void *)i), 0);
    for (uint32_t i = 0; i < DEPTH; i++) {
        void *rc;
        assert_int_equal(pthread_join(threads[i], &rc), 0);
        assert_int_equal((intptr_t)rc, 0);
        assert_true(fake_disk_holds(bytes[i], i, 1));
    }
    assert_true(blkfront_now_ns(bf) - begin_ns >= DEPTH * holder.step_ns);
}

/* After a restart our clock is ahead of what Dom0 publishes: requests and answers tell Dom0's. */
static void stamps_are_of_dom0s_clock(void **state)
{
    (void)state;
    const uint64_t ahead_ns = 3600 * 1000 * MS;
    struct blkfront_completion done[DEPTH];
    holder = (struct holder){.step_ns = MS};
    connect_to();
    store_full_u64(&bf->clock->offset_ns, ahead_ns);
    submit(DEPTH);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, DEPTH), DEPTH);
    assert_int_equal(load_acquire_u32(&holder.shown), 1); /* asked_ns was written before */
    for (uint32_t i = 0; i < DEPTH; i++) {
        uint64_t which =
            done[i].sector - 100; /* those whose time has passed come as they were sent */
        assert_true(done[i].submitted_ns == holder.asked_ns[which] + ahead_ns);
        assert_true(done[i].completed_ns == done[i].submitted_ns + (which + 1) * holder.step_ns);
        assert_true(blkfront_now_ns(bf) >= done[i].completed_ns);
    }
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RING_TEST(answers_come_in_the_order_of_their_stamps),
        RING_TEST(an_answer_whose_stamp_has_passed_is_delivered_at_once),
        RING_TEST(an_answer_whose_stamp_is_before_the_question_counts_from_there),
        RING_TEST(an_answer_that_is_held_keeps_its_time_when_dom0_dies),
        RING_TEST(who_waits_for_a_held_answer_goes_on_beside_a_dom0_without_stamps),
        RING_TEST(an_answer_that_is_held_cannot_be_given_again),
        RING_TEST(threads_are_answered_at_their_stamps),
        RING_TEST(stamps_are_of_dom0s_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
