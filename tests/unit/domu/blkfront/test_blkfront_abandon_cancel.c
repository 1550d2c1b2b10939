/* SPDX-License-Identifier: MIT */
/* blkfront_abandon: reads that are cancelled, and what becomes of their answers. */
#include <errno.h>
#include <sched.h>

#include "fakes/fake_disk.h"

#include "unit/domu/blkfront/abandon_fixture.h"

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
        ABANDON_TEST(a_cancelled_read_comes_back_once),
        ABANDON_TEST(all_that_have_the_cookie_are_cancelled),
        ABANDON_TEST(what_is_answered_is_not_cancelled),
        ABANDON_TEST(what_was_cancelled_is_not_asked_of_the_next_dom0),
        ABANDON_TEST(one_who_finds_no_slot_has_the_next_that_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
