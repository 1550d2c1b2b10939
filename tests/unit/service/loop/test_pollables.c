/* SPDX-License-Identifier: MIT */
/* pollables: what is looked at, for how long, and in which order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "ring/barrier.h"
#include "service/loop/pollables.h"
#include "splitdom/hints.h"

enum { PEERS = 3, HERE = 1000, ELSEWHERE = 2000 };

#define WINDOW_NS UINT64_C(50000000)

/* A ring without a ring: counters. */
struct fake {
    struct pollable pollable;
    uint32_t waiting;  /* requests that nobody has taken */
    uint32_t at_disk;  /* taken, not answered */
    uint32_t answered; /* not shown */
    uint32_t shown;
    uint32_t taken;
    bool is_armed;
    int breaks_with; /* the next consume's result */
    uint32_t broken;
};

/* A domain: the words that it shares with Dom0, and one ring or two. */
struct peer {
    uint32_t spin_cpu, loop_cpu, busy_peers;
    struct poll_peer poll;
    struct fake ring, second;
};

struct fixture {
    struct pollables loop;
    struct peer peer[PEERS];
};

static struct fixture *f;

static struct fake *of_pollable(struct pollable *p)
{
    return container_of(p, struct fake, pollable);
}

static void flush(struct pollable *p)
{
    struct fake *ring = of_pollable(p);
    if (ring->answered > 0)
        pollable_showed(p);
    ring->shown += ring->answered;
    ring->answered = 0;
}

static int consume(struct pollable *p, uint64_t now_ns)
{
    struct fake *ring = of_pollable(p);
    (void)now_ns;
    flush(p);
    if (ring->broken > 0)
        return 0;
    if (ring->breaks_with < 0)
        return ring->breaks_with;
    int taken = (int)ring->waiting;
    ring->waiting = 0;
    ring->at_disk += (uint32_t)taken;
    ring->taken += (uint32_t)taken;
    return taken;
}

static bool arm(struct pollable *p)
{
    struct fake *ring = of_pollable(p);
    flush(p);
    ring->is_armed = true;
    return ring->waiting > 0;
}

static void broken(struct pollable *p, int error)
{
    struct fake *ring = of_pollable(p);
    assert_int_equal(error, ring->breaks_with);
    ring->broken++;
}

static const struct pollable_ops ops = {
    .consume = consume, .flush = flush, .arm = arm, .broken = broken};

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    for (int i = 0; i < PEERS; i++) {
        struct peer *peer = &f->peer[i];
        peer->spin_cpu = peer->loop_cpu = HINTS_CPU_NONE;
        peer->poll = (struct poll_peer){.spin_cpu = &peer->spin_cpu,
                                        .loop_cpu = &peer->loop_cpu,
                                        .busy_peers = &peer->busy_peers};
        peer->ring.pollable.ops = peer->second.pollable.ops = &ops;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++) {
        pollables_remove(&f->peer[i].ring.pollable);
        pollables_remove(&f->peer[i].second.pollable);
        assert_true(list_is_empty(&f->peer[i].poll.pollables));
    }
    assert_int_equal(f->loop.active_count, 0);
    assert_true(list_is_empty(&f->loop.active));
    free(f);
    return 0;
}

static void add(struct peer *peer)
{
    pollables_add(&f->loop, &peer->poll, &peer->ring.pollable);
}

static void add_second(struct peer *peer)
{
    pollables_add(&f->loop, &peer->poll, &peer->second.pollable);
}

/* Whether the doorbell is to be rung. */
static bool ask(struct fake *ring, uint32_t count)
{
    bool was_armed = ring->is_armed;
    ring->waiting += count;
    ring->is_armed = false;
    return was_armed;
}

/* A read that was taken ends at the disk. */
static void answer(struct fake *ring)
{
    assert_true(ring->at_disk > 0);
    ring->at_disk--;
    ring->answered++;
    pollables_answered(&ring->pollable);
}

static bool settle(uint64_t now_ns)
{
    f->loop.cpu = HERE;
    return pollables_settle(&f->loop, now_ns);
}

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
        LOOP_TEST(requests_from_before_the_connection_are_found),
        LOOP_TEST(an_armed_ring_is_left_alone_until_its_doorbell),
        LOOP_TEST(arming_looks_once_more),
        LOOP_TEST(answers_that_come_together_are_shown_together),
        LOOP_TEST(who_is_on_no_loop_is_left_alone),
        LOOP_TEST(a_domain_that_spins_elsewhere_is_looked_at_for_a_moment),
        LOOP_TEST(a_domain_that_sleeps_is_looked_at_while_that_pays),
        LOOP_TEST(a_spin_that_finds_a_request_has_won),
        LOOP_TEST(nobody_spins_for_the_same_cpu_nor_when_told_not_to),
        LOOP_TEST(nobody_spins_while_the_disk_works),
        LOOP_TEST(what_arming_showed_is_no_reason_to_spin),
        LOOP_TEST(a_turn_visits_everybody_in_order),
        LOOP_TEST(a_broken_ring_is_told_once_and_let_go),
        LOOP_TEST(rings_may_leave_in_any_order),
        LOOP_TEST(a_doorbell_is_for_all_rings_of_its_domain),
        LOOP_TEST(the_domain_learns_where_dom0_runs),
        LOOP_TEST(the_domain_learns_how_many_others_have_requests),
        LOOP_TEST(two_rings_of_a_domain_count_once),
        LOOP_TEST(a_domain_that_has_ended_is_no_neighbour),
        LOOP_TEST(a_domain_that_connects_again_counts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
