/* SPDX-License-Identifier: MIT */
/* sched: turns and weights. test_sched_trace.c has the random traces. */
#include <errno.h>

#include "unit/service/block/sched_fixture.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
