/* SPDX-License-Identifier: MIT */
/* sched: reads that join others, what is owed for them, and who counts as waiting. */
#include "unit/service/block/sched_fixture.h"

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
