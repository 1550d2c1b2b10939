/* SPDX-License-Identifier: MIT */
/* sched: turns, weights, isolation. test_sched_trace.c has the random traces. */
#include "service/block/sched.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { W = SCHED_WINDOW_NS };

static uint32_t unit_cost(const struct sched_entity *e)
{
    (void)e;
    return 1;
}

static void enqueue(struct sched *s, struct sched_entity *e, uint32_t count, uint64_t now_ns)
{
    for (uint32_t i = 0; i < count; i++)
        sched_enqueue(s, e, now_ns);
}

/* One turn of a device that serves one read after the other, with e's backlog kept as it is. */
static struct sched_entity *serve(struct sched *s, uint64_t now_ns)
{
    struct sched_entity *e = sched_pick(s, now_ns, unit_cost);

    if (e) {
        sched_complete(s, e, now_ns);
        sched_enqueue(s, e, now_ns);
    }
    return e;
}

static void equal_entities_take_turns_exactly(void **state)
{
    enum { COUNT = 5 };
    struct sched s;
    struct sched_entity e[COUNT];

    (void)state;
    sched_init(&s, 64, 6);
    s.vtime = UINT64_MAX - 3; /* wraps on the way */
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(sched_entity_init(&e[i], SCHED_WEIGHT_DEFAULT), 0);
        enqueue(&s, &e[i], 10 + 50 * (uint32_t)i, 0); /* a longer queue does not help */
    }
    for (int turn = 0; turn < 1000; turn++)
        assert_ptr_equal(serve(&s, 1), &e[turn % COUNT]);
}

static void shares_follow_weights(void **state)
{
    static const uint32_t weights[] = {1, 3, 256, 512, 1000, 65535};
    enum { COUNT = sizeof(weights) / sizeof(weights[0]), TURNS = 1000000 };
    struct sched s;
    struct sched_entity e[COUNT];
    uint32_t served[COUNT] = {0}, sum = 0;

    (void)state;
    sched_init(&s, 64, 6);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(sched_entity_init(&e[i], weights[i]), 0);
        enqueue(&s, &e[i], 10, 0);
        sum += weights[i];
    }
    for (int turn = 0; turn < TURNS; turn++)
        served[serve(&s, 1) - e]++;
    for (int i = 0; i < COUNT; i++) {
        double want = (double)TURNS * weights[i] / sum;
        double error = served[i] > want ? served[i] - want : want - served[i];

        assert_true(error <= 0.01 * want || error <= 1.0);
    }
}

static void weight_can_change_under_way(void **state)
{
    struct sched s;
    struct sched_entity a, b;
    int served_a = 0;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&a, 256);
    sched_entity_init(&b, 256);
    enqueue(&s, &a, 10, 0);
    enqueue(&s, &b, 10, 0);
    for (int i = 0; i < 100; i++)
        serve(&s, 0);
    assert_int_equal(sched_set_weight(&a, 768), 0);
    for (int i = 0; i < 4000; i++)
        served_a += serve(&s, 0) == &a;
    assert_in_range(served_a, 2998, 3002);
    assert_int_equal(sched_set_weight(&a, 0), -EINVAL);
    assert_int_equal(sched_set_weight(&a, SCHED_WEIGHT_MAX + 1), -EINVAL);
    assert_int_equal(a.weight, 768);
    assert_int_equal(sched_entity_init(&a, 0), -EINVAL);
}

/* The entity with the odd weight does large reads; 0 must not be free. */
static uint32_t cost_by_weight(const struct sched_entity *e)
{
    return e->weight == 255 ? 8 : 0;
}

static void larger_reads_cost_more_turns(void **state)
{
    struct sched s;
    struct sched_entity a, b;
    int served_a = 0;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&a, 255);
    sched_entity_init(&b, 256);
    enqueue(&s, &a, 10, 0);
    enqueue(&s, &b, 10, 0);
    for (int i = 0; i < 9000; i++) {
        struct sched_entity *e = sched_pick(&s, 0, cost_by_weight);

        sched_complete(&s, e, 0);
        sched_enqueue(&s, e, 0);
        served_a += e == &a;
    }
    assert_in_range(served_a, 990, 1010);
}

static void absence_earns_no_credit(void **state)
{
    static const uint64_t absences_ns[] = {1000, 3 * (uint64_t)W};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sched s;
        struct sched_entity a, b;
        int served_b = 0;

        sched_init(&s, 64, 6);
        sched_entity_init(&a, 256);
        sched_entity_init(&b, 256);
        enqueue(&s, &a, 10, 0);
        enqueue(&s, &b, 10, 0);
        for (int k = 0; k < 10; k++)
            sched_cancel(&s, &b);
        for (int k = 0; k < 10000; k++)
            assert_ptr_equal(serve(&s, 0), &a);
        enqueue(&s, &b, 10, absences_ns[i]);
        for (int k = 0; k < 100; k++)
            served_b += serve(&s, absences_ns[i]) == &b;
        assert_in_range(served_b, 49, 51);
    }
}

/* An entity that was away so long that its virtual time seems to lie ahead must not wait for it. */
static void long_absence_is_no_debt(void **state)
{
    struct sched s;
    struct sched_entity a, b;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&a, 256);
    sched_entity_init(&b, 256);
    enqueue(&s, &b, 1, 0);
    sched_complete(&s, sched_pick(&s, 0, unit_cost), 0);
    enqueue(&s, &a, 10, 3 * (uint64_t)W);
    s.vtime += (UINT64_C(1) << 63) + (UINT64_C(1) << 40);
    a.vtime = s.vtime;
    enqueue(&s, &b, 10, 4 * (uint64_t)W);
    serve(&s, 4 * (uint64_t)W);
    assert_ptr_equal(serve(&s, 4 * (uint64_t)W), &b);
}

static void cancelled_reads_get_no_turn(void **state)
{
    struct sched s;
    struct sched_entity a, b, c;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&a, 256);
    sched_entity_init(&b, 256);
    sched_entity_init(&c, 256);
    enqueue(&s, &a, 1, 0);
    enqueue(&s, &b, 2, 0);
    enqueue(&s, &c, 1, 0);
    sched_cancel(&s, &a);
    sched_cancel(&s, &b);
    sched_entity_remove(&s, &a);
    assert_ptr_equal(sched_pick(&s, 0, unit_cost), &b);
    assert_ptr_equal(sched_pick(&s, 0, unit_cost), &c);
    assert_null(sched_pick(&s, 0, unit_cost));
    sched_complete(&s, &b, 0);
    sched_complete(&s, &c, 0);
    sched_entity_remove(&s, &b);
    sched_entity_remove(&s, &c);
    sched_entity_remove(&s, &c); /* once more does no harm */
    assert_true(list_is_empty(&s.active));
    assert_int_equal(s.light_count + s.busy_count, 0);
}

static void depth_is_bounded_only_for_a_light_one_beside_a_busy_one(void **state)
{
    struct sched s;
    struct sched_entity a, b, c;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&a, 256);
    sched_entity_init(&b, 256);
    sched_entity_init(&c, 256);
    assert_int_equal(sched_depth(&s, 0), 64);
    enqueue(&s, &a, 64, 0);
    assert_int_equal(sched_depth(&s, 0), 64); /* one busy entity */
    enqueue(&s, &b, 3, 0);
    assert_int_equal(sched_depth(&s, 0), 64); /* two */
    enqueue(&s, &c, 2, 0);
    assert_int_equal(sched_depth(&s, 0), 6); /* and a light one */
    enqueue(&s, &c, 1, 0);
    assert_int_equal(sched_depth(&s, 0), 64); /* which becomes busy */
}

static void light_entities_alone_have_the_full_depth(void **state)
{
    struct sched s;
    struct sched_entity e[20];

    (void)state;
    sched_init(&s, 64, 6);
    for (int i = 0; i < 20; i++) {
        sched_entity_init(&e[i], 256);
        enqueue(&s, &e[i], 2, 0);
        assert_int_equal(sched_depth(&s, 0), 64);
    }
    for (int i = 0; i < 40; i++)
        assert_non_null(sched_pick(&s, 0, unit_cost));
}

static void protection_ends_with_the_windows(void **state)
{
    const uint64_t start = UINT64_C(1) << 62;
    struct sched s;
    struct sched_entity quiet, greedy;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&quiet, 256);
    sched_entity_init(&greedy, 256);
    enqueue(&s, &greedy, 64, start);
    enqueue(&s, &quiet, 1, start + W - 1);
    assert_ptr_equal(sched_pick(&s, start + W - 1, unit_cost), &greedy);
    assert_ptr_equal(sched_pick(&s, start + W - 1, unit_cost), &quiet);
    sched_complete(&s, &quiet, start + W - 1);
    assert_int_equal(sched_depth(&s, start + W), 6); /* in the window before */
    assert_int_equal(sched_depth(&s, start + 2 * (uint64_t)W - 1), 6);
    assert_int_equal(sched_depth(&s, start + 2 * (uint64_t)W), 64); /* not even there */
    assert_int_equal(sched_depth(&s, start), 64);                   /* no way back */

    /* After a long pause nobody remembers, but what is still queued counts. */
    enqueue(&s, &quiet, 1, start + 3 * (uint64_t)W);
    assert_int_equal(sched_depth(&s, start + 3 * (uint64_t)W), 6);
    assert_int_equal(sched_depth(&s, start + 9 * (uint64_t)W), 6);
    sched_cancel(&s, &quiet);
    assert_int_equal(sched_depth(&s, start + 15 * (uint64_t)W), 64);
}

/* A read in flight for longer than the windows keeps its owner active. */
static void slow_reads_keep_their_owner_active(void **state)
{
    struct sched s;
    struct sched_entity quiet, greedy;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&quiet, 256);
    sched_entity_init(&greedy, 256);
    enqueue(&s, &quiet, 1, 0);
    assert_ptr_equal(sched_pick(&s, 0, unit_cost), &quiet);
    enqueue(&s, &greedy, 64, 0);
    for (uint64_t now = 0; now < 10 * (uint64_t)W; now += W / 2)
        assert_int_equal(sched_depth(&s, now), 6);
    sched_complete(&s, &quiet, 10 * (uint64_t)W);
    assert_int_equal(sched_depth(&s, 12 * (uint64_t)W), 64);
}

static void one_place_is_kept_for_the_light_one(void **state)
{
    struct sched s;
    struct sched_entity quiet, greedy[2];
    int in_flight = 0;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&quiet, 256);
    enqueue(&s, &quiet, 1, 0);
    for (int i = 0; i < 2; i++) {
        sched_entity_init(&greedy[i], 65535); /* their weight does not open the place */
        enqueue(&s, &greedy[i], 128, 0);
    }
    assert_ptr_equal(sched_pick(&s, 0, unit_cost), &quiet);
    while (sched_pick(&s, 0, unit_cost))
        in_flight++;
    assert_int_equal(in_flight, 5);
    for (int i = 0; i < 100; i++) { /* comes back, and goes at once */
        sched_complete(&s, &quiet, 0);
        assert_null(sched_pick(&s, 0, unit_cost));
        enqueue(&s, &quiet, 1, 0);
        assert_ptr_equal(sched_pick(&s, 0, unit_cost), &quiet);
    }
    sched_complete(&s, &greedy[0], 0); /* what a busy one gives back, a busy one gets */
    assert_non_null(sched_pick(&s, 0, unit_cost));
    assert_int_equal(s.busy_in_flight, 5);
}

/* What went through the kept place is not held against the light one when it becomes busy. */
static void protection_is_no_debt(void **state)
{
    struct sched s;
    struct sched_entity quiet, greedy;
    int served_quiet = 0;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&quiet, 1);
    sched_entity_init(&greedy, 100);
    enqueue(&s, &quiet, 1, 0);
    enqueue(&s, &greedy, 128, 0);
    while (sched_pick(&s, 0, unit_cost))
        ;
    for (int i = 0; i < 1000; i++) {
        sched_complete(&s, &quiet, 0);
        enqueue(&s, &quiet, 1, 0);
        assert_ptr_equal(sched_pick(&s, 0, unit_cost), &quiet);
    }
    enqueue(&s, &quiet, 100, 0);
    enqueue(&s, &greedy, 1000, 0);
    while (s.in_flight > 0)
        sched_complete(&s, quiet.in_flight ? &quiet : &greedy, 0);
    for (int i = 0; i < 1010; i++)
        served_quiet += serve(&s, 0) == &quiet;
    assert_in_range(served_quiet, 9, 11);
}

/* The smallest depths still let everybody through. */
static void nobody_starves_at_depth_one(void **state)
{
    struct sched s;
    struct sched_entity quiet, greedy;
    int served_quiet = 0;

    (void)state;
    sched_init(&s, 1, 100);
    assert_int_equal(s.depth_isolated, 1);
    sched_entity_init(&quiet, 256);
    sched_entity_init(&greedy, 256);
    enqueue(&s, &quiet, 1, 0);
    enqueue(&s, &greedy, 64, 0);
    for (int i = 0; i < 100; i++) {
        struct sched_entity *e = sched_pick(&s, 0, unit_cost);

        assert_non_null(e);
        assert_null(sched_pick(&s, 0, unit_cost));
        sched_complete(&s, e, 0);
        enqueue(&s, e, 1, 0);
        served_quiet += e == &quiet;
    }
    assert_int_equal(served_quiet, 50);
}

static void a_join_is_paid_like_a_turn(void **state)
{
    enum { JOINS = 10 };
    struct sched s;
    struct sched_entity joiner, other;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&joiner, 256);
    sched_entity_init(&other, 256);
    for (int waits = 0; waits < 2; waits++) { /* paid before and while it waits for turns */
        for (int i = 0; i < JOINS; i++) {
            sched_join(&s, &joiner, 0);
            sched_charge(&s, &joiner, 1);
        }
        if (waits == 0) {
            enqueue(&s, &joiner, 100, 0);
            enqueue(&s, &other, 100, 0);
        }
        for (int i = 0; i < JOINS; i++)
            assert_ptr_equal(serve(&s, 0), &other);
        for (int i = 0, of_joiner = 0; i < 20; i++) {
            of_joiner += serve(&s, 0) == &joiner;
            assert_in_range(2 * of_joiner, i, i + 2); /* in turn again */
        }
        for (int i = 0; i < JOINS; i++)
            sched_leave(&joiner);
    }
}

/* Far less than would make virtual times wrap, however often and at whatever weight it joins. */
static void what_is_owed_is_bounded(void **state)
{
    struct sched s;
    struct sched_entity joiner, other;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&joiner, 1);
    sched_entity_init(&other, SCHED_WEIGHT_MAX);
    sched_join(&s, &joiner, 0);
    for (int i = 0; i < 1000000; i++)
        sched_charge(&s, &joiner, SCHED_COST_MAX);
    assert_true((int64_t)(joiner.vtime - s.vtime) > 0);
    assert_true(joiner.vtime - s.vtime <= UINT64_C(1) << 48);
    enqueue(&s, &joiner, 1, 0);
    enqueue(&s, &other, 1, 0);
    assert_ptr_equal(serve(&s, 0), &other);
    sched_cancel(&s, &other);
    assert_ptr_equal(serve(&s, 0), &joiner); /* alone it waits for nobody */
}

static void joined_requests_are_demand(void **state)
{
    struct sched s;
    struct sched_entity joiner, quiet;

    (void)state;
    sched_init(&s, 64, 6);
    sched_entity_init(&joiner, 256);
    sched_entity_init(&quiet, 256);
    enqueue(&s, &quiet, 1, 0);
    for (int i = 0; i < SCHED_LIGHT_DEMAND; i++)
        sched_join(&s, &joiner, 0);
    assert_int_equal(sched_depth(&s, 0), 64);
    sched_join(&s, &joiner, 0);
    assert_int_equal(sched_depth(&s, 0), 6);
    assert_int_equal(sched_depth(&s, 5 * W), 6); /* as long as they wait */
    for (int i = 0; i < SCHED_LIGHT_DEMAND + 1; i++)
        sched_leave(&joiner);
    assert_int_equal(sched_depth(&s, 8 * W), 64);
    sched_entity_remove(&s, &joiner);
}

/* Who pays while it waits for nothing pays from now on, not out of what it did not use before. */
static void what_is_paid_without_waiting_is_no_credit_used(void **state)
{
    struct sched s;
    struct sched_entity late, other;

    (void)state;
    sched_init(&s, 1, 1);
    sched_entity_init(&late, 256);
    sched_entity_init(&other, 256);
    sched_join(&s, &late, 0);
    enqueue(&s, &other, 100, 0);
    for (int i = 0; i < 50; i++)
        assert_ptr_equal(serve(&s, 0), &other);
    sched_charge(&s, &late, 10);
    enqueue(&s, &late, 10, 0);
    for (int i = 0; i < 9; i++)
        assert_ptr_equal(serve(&s, 0), &other); /* as many turns as it paid for, and then equal */
}

/* ---- who had to wait ----------------------------------------------------------------------------
 */

static void whoever_is_left_without_a_turn_waits(void **state)
{
    struct sched s;
    struct sched_entity full, lucky;

    (void)state;
    sched_init(&s, 2, 2);
    assert_int_equal(sched_entity_init(&full, 1), 0);
    assert_int_equal(sched_entity_init(&lucky, 1), 0);
    enqueue(&s, &lucky, 1, 1);
    enqueue(&s, &full, 3, 1);
    while (sched_pick(&s, 1, unit_cost) != NULL)
        continue;
    assert_false(sched_has_waited(&s, &full, 1)); /* the turn is not over */
    sched_turns_over(&s);
    assert_true(sched_has_waited(&s, &full, 1));
    assert_false(sched_has_waited(&s, &lucky, 1));
    enqueue(&s, &lucky, 1, 1); /* has just come */
    assert_false(sched_has_waited(&s, &lucky, 1));
}

static void waiting_is_remembered_for_a_second(void **state)
{
    struct sched s;
    struct sched_entity e;
    const uint64_t t = 5 * (uint64_t)W;

    (void)state;
    sched_init(&s, 1, 1);
    assert_int_equal(sched_entity_init(&e, 1), 0);
    enqueue(&s, &e, 2, t);
    assert_ptr_equal(sched_pick(&s, t, unit_cost), &e);
    sched_turns_over(&s);
    sched_complete(&s, &e, t);
    assert_ptr_equal(sched_pick(&s, t, unit_cost), &e);
    sched_turns_over(&s);
    sched_complete(&s, &e, t);
    assert_true(sched_has_waited(&s, &e, t + SCHED_WAITED_NS - 1));
    assert_false(sched_has_waited(&s, &e, t + SCHED_WAITED_NS));
}

static void whoever_gets_a_turn_has_waited_long_enough(void **state)
{
    struct sched s;
    struct sched_entity e;
    const uint64_t t = 5 * (uint64_t)W;

    (void)state;
    sched_init(&s, 1, 1);
    assert_int_equal(sched_entity_init(&e, 1), 0);
    enqueue(&s, &e, 3, t);
    assert_ptr_equal(sched_pick(&s, t, unit_cost), &e);
    sched_turns_over(&s);
    sched_complete(&s, &e, t);
    assert_ptr_equal(sched_pick(&s, t, unit_cost), &e);
    assert_true(sched_has_waited(&s, &e, t));
    /* One is left, but no turn has ended without it since. */
    assert_false(sched_has_waited(&s, &e, t + SCHED_WAITED_NS));
}

static void nobody_waits_where_there_are_turns_for_all(void **state)
{
    struct sched s;
    struct sched_entity e[2];

    (void)state;
    sched_init(&s, 64, 64);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sched_entity_init(&e[i], 1), 0);
    for (uint64_t round = 1; round < 100; round++) {
        enqueue(&s, &e[0], 16, round);
        enqueue(&s, &e[1], 16, round);
        for (struct sched_entity *who; (who = sched_pick(&s, round, unit_cost)) != NULL;)
            sched_complete(&s, who, round);
        sched_turns_over(&s);
        assert_false(sched_has_waited(&s, &e[0], round));
        assert_false(sched_has_waited(&s, &e[1], round));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_entities_take_turns_exactly),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(weight_can_change_under_way),
        cmocka_unit_test(larger_reads_cost_more_turns),
        cmocka_unit_test(absence_earns_no_credit),
        cmocka_unit_test(long_absence_is_no_debt),
        cmocka_unit_test(cancelled_reads_get_no_turn),
        cmocka_unit_test(depth_is_bounded_only_for_a_light_one_beside_a_busy_one),
        cmocka_unit_test(light_entities_alone_have_the_full_depth),
        cmocka_unit_test(protection_ends_with_the_windows),
        cmocka_unit_test(slow_reads_keep_their_owner_active),
        cmocka_unit_test(one_place_is_kept_for_the_light_one),
        cmocka_unit_test(protection_is_no_debt),
        cmocka_unit_test(nobody_starves_at_depth_one),
        cmocka_unit_test(whoever_is_left_without_a_turn_waits),
        cmocka_unit_test(waiting_is_remembered_for_a_second),
        cmocka_unit_test(whoever_gets_a_turn_has_waited_long_enough),
        cmocka_unit_test(nobody_waits_where_there_are_turns_for_all),
        cmocka_unit_test(a_join_is_paid_like_a_turn),
        cmocka_unit_test(what_is_owed_is_bounded),
        cmocka_unit_test(joined_requests_are_demand),
        cmocka_unit_test(what_is_paid_without_waiting_is_no_credit_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
