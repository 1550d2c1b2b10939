/* SPDX-License-Identifier: MIT */
/* pollables: what is looked at, and in which order. */
#include <errno.h>

#include "unit/service/loop/pollables_fixture.h"

static void requests_from_before_the_connection_are_found(void **state)
{
    (void)state;
    (void)ask(&f->peer[0].ring, 2);
    add(&f->peer[0]);
    assert_int_equal(pollables_turn(&f->loop, 1), 2);
}

static void an_armed_ring_is_left_alone_until_its_doorbell(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    add(peer);
    assert_int_equal(pollables_turn(&f->loop, 1), 0);
    assert_true(settle(1)); /* nothing was answered: no spin */
    assert_int_equal(f->loop.arms, 1);
    assert_int_equal(peer->ring.pollable.budget.lost, 0);
    assert_true(ask(&peer->ring, 1));
    assert_int_equal(pollables_turn(&f->loop, 2), 0);
    pollables_wake(&f->loop, &peer->poll);
    pollables_wake(&f->loop, &peer->poll); /* twice is once */
    assert_int_equal(f->loop.active_count, 1);
    assert_int_equal(pollables_turn(&f->loop, 3), 1);
    assert_false(ask(&peer->ring, 1)); /* not armed: no doorbell needed */
    assert_int_equal(pollables_turn(&f->loop, 4), 1);
}

/* A request that comes between the last look and arming keeps the ring on the list. */
static void arming_looks_once_more(void **state)
{
    (void)state;
    add(&f->peer[0]);
    assert_int_equal(pollables_turn(&f->loop, 1), 0);
    (void)ask(&f->peer[0].ring, 1);
    assert_false(settle(1));
    assert_int_equal(pollables_turn(&f->loop, 2), 1);
}

static void answers_that_come_together_are_shown_together(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    struct fake *ring = &peer->ring;
    add(peer);
    (void)ask(ring, 3);
    assert_int_equal(pollables_turn(&f->loop, 1), 3);
    for (int i = 0; i < 3; i++)
        answer(ring);
    assert_int_equal(ring->shown, 0);
    assert_int_equal(pollables_turn(&f->loop, 2), 0);
    assert_int_equal(ring->shown, 3);
}

static void who_is_on_no_loop_is_left_alone(void **state)
{
    (void)state;
    struct fake *ring = &f->peer[0].ring;
    ring->at_disk = 1;
    answer(ring);
    assert_int_equal(ring->shown, 0);
    assert_int_equal(f->loop.active_count, 0);
}

static void a_turn_visits_everybody_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++) {
        add(&f->peer[i]);
        (void)ask(&f->peer[i].ring, 10);
    }
    assert_int_equal(pollables_turn(&f->loop, 1), 30);
    assert_ptr_equal(list_first(&f->loop.active), &f->peer[0].ring.pollable.active);
    assert_ptr_equal(list_last(&f->loop.active), &f->peer[PEERS - 1].ring.pollable.active);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(f->peer[i].ring.taken, 10);
    assert_int_equal(f->loop.turns, 1);
}

static void a_broken_ring_is_told_once_and_let_go(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++)
        add(&f->peer[i]);
    f->peer[1].ring.breaks_with = -EPROTO;
    (void)ask(&f->peer[2].ring, 1);
    assert_int_equal(pollables_turn(&f->loop, 1), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pollables_turn(&f->loop, 2), 0);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(f->peer[i].ring.broken, i == 1);
    assert_true(settle(3)); /* it keeps nobody awake */
    pollables_wake(&f->loop, &f->peer[1].poll);
    assert_int_equal(pollables_turn(&f->loop, 4), 0); /* nor do its doorbells */
    assert_true(settle(4));
}

static void rings_may_leave_in_any_order(void **state)
{
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < PEERS; i++)
            add(&f->peer[i]);
        for (int i = 0; i < PEERS; i++) {
            struct peer *leaves = &f->peer[orders[k][i]];
            if (i == PEERS - 1)
                (void)ask(&leaves->ring, 1);
            assert_int_equal(pollables_turn(&f->loop, 1), i == PEERS - 1);
            pollables_remove(&leaves->ring.pollable);
            pollables_remove(&leaves->ring.pollable); /* twice is once */
            pollables_wake(&f->loop, &leaves->poll);  /* a late doorbell */
        }
        assert_int_equal(f->loop.active_count, 0);
    }
}

/* One doorbell a domain: it may have rung for any of its rings. */
static void a_doorbell_is_for_all_rings_of_its_domain(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    add(peer);
    add_second(peer);
    add(&f->peer[1]);
    assert_int_equal(pollables_turn(&f->loop, 1), 0);
    assert_true(settle(1));
    (void)ask(&peer->second, 2);
    pollables_wake(&f->loop, &peer->poll);
    assert_int_equal(f->loop.active_count, 2);
    assert_int_equal(pollables_turn(&f->loop, 2), 2);
    assert_int_equal(peer->second.taken, 2);
    assert_true(settle(2));
    (void)ask(&peer->ring, 3);
    pollables_wake(&f->loop, &peer->poll);
    assert_int_equal(pollables_turn(&f->loop, 3), 3);
}

static void a_domains_requests_are_counted(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    add(peer);
    (void)ask(&peer->ring, 3);
    (void)pollables_turn(&f->loop, 1);
    assert_int_equal(peer->poll.requests, 3);
    (void)ask(&peer->ring, 2);
    (void)pollables_turn(&f->loop, 2);
    assert_int_equal(peer->poll.requests, 5);
    (void)pollables_turn(&f->loop, 3);
    assert_int_equal(peer->poll.requests, 5);
}

int main(void)
{
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(requests_from_before_the_connection_are_found),
        LOOP_TEST(an_armed_ring_is_left_alone_until_its_doorbell),
        LOOP_TEST(arming_looks_once_more),
        LOOP_TEST(answers_that_come_together_are_shown_together),
        LOOP_TEST(who_is_on_no_loop_is_left_alone),
        LOOP_TEST(a_turn_visits_everybody_in_order),
        LOOP_TEST(a_broken_ring_is_told_once_and_let_go),
        LOOP_TEST(rings_may_leave_in_any_order),
        LOOP_TEST(a_doorbell_is_for_all_rings_of_its_domain),
        LOOP_TEST(a_domains_requests_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
