/* SPDX-License-Identifier: MIT */
/* sched: a light entity beside a busy one, one that is alone, and nobody starves. */
#include "unit/service/block/sched_fixture.h"

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

/* Who has been alone for a while may have more in flight, until somebody else comes, or has been
 * there lately. */
static void who_is_alone_may_have_more(void **state)
{
    const uint64_t start = UINT64_C(1) << 62, alone = SCHED_ALONE_NS;
    struct sched s;
    struct sched_entity a, b;

    (void)state;
    sched_init(&s, 4, 2);
    sched_set_depth_alone(&s, 6);
    sched_entity_init(&a, 256);
    sched_entity_init(&b, 256);
    enqueue(&s, &a, 10, start);
    for (int i = 0; i < 6; i++)
        assert_ptr_equal(sched_pick(&s, start, unit_cost), &a);
    assert_null(sched_pick(&s, start, unit_cost));
    enqueue(&s, &b, 3, start);
    assert_int_equal(sched_depth(&s, start), 4);
    assert_null(sched_pick(&s, start, unit_cost));
    for (int i = 0; i < 3; i++)
        sched_complete(&s, &a, start);
    assert_ptr_equal(sched_pick(&s, start, unit_cost), &b); /* its turn has come */
    sched_complete(&s, &b, start);
    for (int i = 0; i < 2; i++)
        sched_cancel(&s, &b);
    assert_int_equal(sched_depth(&s, start + W), 4);
    assert_int_equal(sched_depth(&s, start + 2 * (uint64_t)W), 4); /* b has gone */
    assert_int_equal(sched_depth(&s, start + W + alone - 1), 4);
    assert_int_equal(sched_depth(&s, start + W + alone), 6);
}

static void who_is_alone_never_has_less(void **state)
{
    struct sched s;
    struct sched_entity a;

    (void)state;
    sched_init(&s, 4, 2);
    sched_set_depth_alone(&s, 3);
    sched_entity_init(&a, 256);
    enqueue(&s, &a, 10, 1);
    assert_int_equal(sched_depth(&s, UINT64_C(1) << 40), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_bounded_only_for_a_light_one_beside_a_busy_one),
        cmocka_unit_test(light_entities_alone_have_the_full_depth),
        cmocka_unit_test(protection_ends_with_the_windows),
        cmocka_unit_test(slow_reads_keep_their_owner_active),
        cmocka_unit_test(one_place_is_kept_for_the_light_one),
        cmocka_unit_test(protection_is_no_debt),
        cmocka_unit_test(nobody_starves_at_depth_one),
        cmocka_unit_test(who_is_alone_may_have_more),
        cmocka_unit_test(who_is_alone_never_has_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
