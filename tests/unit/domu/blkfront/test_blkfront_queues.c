/* SPDX-License-Identifier: MIT */
/* A disk with several rings: who is on which. */
#include <poll.h>

#include "unit/domu/blkfront/queues_fixture.h"

static void threads_are_spread_over_the_queues(void **state)
{
    (void)state;
    start(8, serve_and_note);
    open_with((struct blkfront_options){.queues = 4});
    assert_int_equal(blkfront_queues(bf), 4);
    begin(THREADS, 50, 1, false);
    end(THREADS, 0);
    expect_asked((const uint32_t[]){150, 150, 150, 150}, 4);
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_true(stats.requests == 600 && stats.responses == 600 && stats.errors == 0);
}

static void no_more_rings_than_dom0_offers(void **state)
{
    (void)state;
    start(3, serve_and_note);
    open_with((struct blkfront_options){.queues = 8});
    assert_int_equal(blkfront_queues(bf), 3);
    begin(6, 5, 1, false);
    end(6, 0);
    expect_asked((const uint32_t[]){10, 10, 10}, 3);
}

static void a_dom0_that_offers_none_has_one_ring(void **state)
{
    (void)state;
    start(0, serve_and_note);
    open_with((struct blkfront_options){.queues = 8});
    assert_int_equal(blkfront_queues(bf), 1);
    begin(3, 5, 1, false);
    end(3, 0);
    expect_asked((const uint32_t[]){15}, 1);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    assert_int_equal(dial((struct blkfront_options){.queues = BLKFRONT_QUEUES_MAX + 1}), -EINVAL);
}

/* Each has memory of its own: a ring full of requests on all queues, and larger ones than a ring
 * takes beside them. */
static void large_requests_are_split_on_each_queue(void **state)
{
    (void)state;
    start(3, serve_and_note);
    open_with((struct blkfront_options){.queues = 3, .sectors_per_request = 8});
    begin(THREADS, 20, 64, false);
    end(THREADS, 0);
    uint32_t each = THREADS / 3 * 20 * 64 / 8;
    expect_asked((const uint32_t[]){each, each, each}, 3);
}

static void asynchronous_requests_are_on_the_first(void **state)
{
    struct blkfront_completion done[DEPTH];
    (void)state;
    start(2, serve_and_note);
    open_with((struct blkfront_options){.queues = 2});
    begin(4, 30, 1, false);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            assert_int_equal(blkfront_submit(bf, i, 1, bytes[6 + i], NULL), 0);
        assert_int_equal(blkfront_kick(bf), 0);
        for (int taken = 0; taken < DEPTH;) {
            struct pollfd ready = {.fd = blkfront_fd(bf), .events = POLLIN};
            assert_int_equal(poll(&ready, 1, -1), 1);
            int count = blkfront_reap(bf, done, DEPTH, 0);
            assert_true(count > 0);
            taken += count;
        }
    }
    end(4, 0);
    expect_asked((const uint32_t[]){60 + 20 * DEPTH, 60}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(threads_are_spread_over_the_queues),     WITH(no_more_rings_than_dom0_offers),
        WITH(a_dom0_that_offers_none_has_one_ring),   WITH(too_many_are_refused),
        WITH(large_requests_are_split_on_each_queue), WITH(asynchronous_requests_are_on_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
