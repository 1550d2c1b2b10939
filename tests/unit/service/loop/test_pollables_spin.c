/* SPDX-License-Identifier: MIT */
/*
 * pollables: for how long a domain is looked at that may ask again at once, and what domains are
 * told of that.
 */
#include "ring/barrier.h"
#include "unit/service/loop/pollables_fixture.h"

#define WINDOW_NS UINT64_C(50000000)

/* The ring is on the loop, empty, and its domain has just been answered. */
static void serve(struct peer *peer)
{
    if (peer->ring.pollable.loop == NULL)
        add(peer);
    (void)ask(&peer->ring, 1);
    pollables_wake(&f->loop, &peer->poll);
    assert_int_equal(pollables_turn(&f->loop, 1), 1);
    answer(&peer->ring);
    assert_int_equal(pollables_turn(&f->loop, 1), 0); /* shows the response */
}

static void a_domain_that_spins_elsewhere_is_looked_at_for_a_moment(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    store_relaxed_u32(&peer->spin_cpu, ELSEWHERE);
    for (uint64_t i = 1; i < 10; i++) { /* whatever it brought before */
        serve(peer);
        assert_false(settle(i * 100000));
        assert_false(settle(i * 100000 + SPIN_NS - 1));
        assert_true(settle(i * 100000 + SPIN_NS));
    }
    assert_int_equal(peer->ring.pollable.budget.lost, 9);
}

/* It sleeps: whether its next request comes soon is a matter of experience. */
static void a_domain_that_sleeps_is_looked_at_while_that_pays(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    serve(peer);
    assert_false(settle(1000)); /* the first time there is no experience */
    assert_true(settle(1000 + SPIN_NS));
    serve(peer);
    assert_true(settle(90000));
}

static void a_spin_that_finds_a_request_has_won(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    store_relaxed_u32(&peer->spin_cpu, ELSEWHERE);
    serve(peer);
    assert_false(settle(1000));
    (void)ask(&peer->ring, 1);
    assert_int_equal(pollables_turn(&f->loop, 2000), 1);
    assert_int_equal(peer->ring.pollable.budget.won, 1);
    assert_int_equal(peer->ring.pollable.budget.lost, 0);
}

static void nobody_spins_for_the_same_cpu_nor_when_told_not_to(void **state)
{
    (void)state;
    store_relaxed_u32(&f->peer[0].spin_cpu, HERE);
    serve(&f->peer[0]);
    assert_true(settle(1000));
    store_relaxed_u32(&f->peer[1].spin_cpu, ELSEWHERE);
    f->loop.no_spin = true;
    serve(&f->peer[1]);
    assert_true(settle(1000));
}

/* While its request is at the disk the domain has nothing to do. */
static void nobody_spins_while_the_disk_works(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    store_relaxed_u32(&peer->spin_cpu, ELSEWHERE);
    serve(peer);
    assert_false(settle(1000));
    (void)ask(&peer->ring, 1);
    assert_int_equal(pollables_turn(&f->loop, 2000), 1);
    assert_true(settle(3000)); /* nothing was answered since: armed */
    answer(&peer->ring);
    assert_int_equal(f->loop.active_count, 1); /* its response is to be shown */
    assert_int_equal(pollables_turn(&f->loop, 4000), 0);
    assert_false(settle(4000)); /* and the next request may follow */
}

/* What arming shows is an answer to a request that was taken long ago: no reason to spin when the
 * doorbell rings for another one. */
static void what_arming_showed_is_no_reason_to_spin(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    store_relaxed_u32(&peer->spin_cpu, ELSEWHERE);
    add(peer);
    assert_int_equal(pollables_turn(&f->loop, 1), 0);
    peer->ring.answered = 1; /* between the last look and arming */
    assert_true(settle(1));
    assert_int_equal(peer->ring.shown, 1);
    assert_true(ask(&peer->ring, 1));
    pollables_wake(&f->loop, &peer->poll);
    assert_int_equal(pollables_turn(&f->loop, 2), 1);
    assert_true(settle(3)); /* that one is at the disk */
}

static void the_domain_learns_where_dom0_runs(void **state)
{
    (void)state;
    add(&f->peer[0]);
    (void)ask(&f->peer[0].ring, 1);
    assert_int_equal(pollables_turn(&f->loop, 1), 1);
    assert_int_equal(load_relaxed_u32(&f->peer[0].loop_cpu), f->loop.cpu);
}

/* Asks through a ring once a window, for some windows. */
static void keep_busy(uint64_t *now_ns, struct fake *ring, struct fake *other, int windows)
{
    for (; windows > 0; windows--, *now_ns += WINDOW_NS) {
        (void)ask(ring, 1);
        if (other != NULL)
            (void)ask(other, 1);
        assert_int_equal(pollables_turn(&f->loop, *now_ns), other != NULL ? 2 : 1);
    }
}

static void the_domain_learns_how_many_others_have_requests(void **state)
{
    (void)state;
    uint64_t now_ns = 1;
    for (int i = 0; i < 2; i++)
        add(&f->peer[i]);
    keep_busy(&now_ns, &f->peer[0].ring, &f->peer[1].ring, 3);
    assert_int_equal(f->peer[0].busy_peers, 2);
    assert_int_equal(f->peer[1].busy_peers, 2);
    keep_busy(&now_ns, &f->peer[0].ring, NULL, 2); /* the other one is silent */
    assert_int_equal(f->peer[0].busy_peers, 1);
}

/* A domain is no neighbour of itself, whatever it has. */
static void two_rings_of_a_domain_count_once(void **state)
{
    (void)state;
    uint64_t now_ns = 1;
    struct peer *peer = &f->peer[0];
    add(peer);
    add_second(peer);
    keep_busy(&now_ns, &peer->ring, &peer->second, 3);
    assert_int_equal(peer->busy_peers, 1);
    pollables_remove(&peer->second.pollable); /* the domain is still there */
    keep_busy(&now_ns, &peer->ring, NULL, 1);
    assert_int_equal(peer->busy_peers, 1);
}

static void a_domain_that_has_ended_is_no_neighbour(void **state)
{
    (void)state;
    uint64_t now_ns = 1;
    for (int i = 0; i < 2; i++) {
        add(&f->peer[i]);
        (void)ask(&f->peer[i].ring, 1);
        assert_int_equal(pollables_turn(&f->loop, now_ns), 1);
    }
    pollables_remove(&f->peer[1].ring.pollable);
    now_ns += WINDOW_NS;
    keep_busy(&now_ns, &f->peer[0].ring, NULL, 1);
    assert_int_equal(f->peer[0].busy_peers, 1);
}

static void a_domain_that_connects_again_counts_again(void **state)
{
    (void)state;
    uint64_t now_ns = 1;
    for (int i = 0; i < 2; i++) {
        add(&f->peer[i]);
        (void)ask(&f->peer[i].ring, 1);
        assert_int_equal(pollables_turn(&f->loop, now_ns), 1);
    }
    pollables_remove(&f->peer[1].ring.pollable);
    add(&f->peer[1]);
    (void)ask(&f->peer[1].ring, 1);
    assert_int_equal(pollables_turn(&f->loop, now_ns), 1);
    now_ns += WINDOW_NS;
    keep_busy(&now_ns, &f->peer[0].ring, NULL, 1);
    assert_int_equal(f->peer[0].busy_peers, 2);
}

int main(void)
{
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(a_domain_that_spins_elsewhere_is_looked_at_for_a_moment),
        LOOP_TEST(a_domain_that_sleeps_is_looked_at_while_that_pays),
        LOOP_TEST(a_spin_that_finds_a_request_has_won),
        LOOP_TEST(nobody_spins_for_the_same_cpu_nor_when_told_not_to),
        LOOP_TEST(nobody_spins_while_the_disk_works),
        LOOP_TEST(what_arming_showed_is_no_reason_to_spin),
        LOOP_TEST(the_domain_learns_where_dom0_runs),
        LOOP_TEST(the_domain_learns_how_many_others_have_requests),
        LOOP_TEST(two_rings_of_a_domain_count_once),
        LOOP_TEST(a_domain_that_has_ended_is_no_neighbour),
        LOOP_TEST(a_domain_that_connects_again_counts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
