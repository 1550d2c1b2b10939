/* SPDX-License-Identifier: MIT */
/* work_gate: a share of Dom0's time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/loop/work_gate.h"

enum { WORK_NS = 4000, SHARE = 50 };

#define START_NS UINT64_C(1000000000)

/* The store works whenever it may, from *now_ns on, beside rings that are always busy. */
static uint64_t flood(struct work_gate *gate, uint64_t *now_ns, uint64_t duration_ns)
{
    const uint64_t end_ns = *now_ns + duration_ns;
    uint64_t worked_ns = 0;
    for (int i = 0; *now_ns < end_ns; i++) {
        uint64_t work_ns = (uint64_t)(i % 7 + 1) * 1000; /* dear and cheap requests */
        work_gate_ring_busy(gate, *now_ns);
        *now_ns += work_ns;
        worked_ns += work_ns;
        work_gate_worked(gate, *now_ns, work_ns);
        if (work_gate_closed(gate, *now_ns))
            *now_ns = gate->closed_until_ns;
        assert_false(work_gate_closed(gate, *now_ns));
    }
    return worked_ns;
}

static void without_requests_on_rings_it_stays_open(void **state)
{
    (void)state;
    struct work_gate gate = {.share = SHARE};
    assert_false(work_gate_closed(&gate, 0));
    uint64_t now_ns = START_NS;
    for (int i = 0; i < 1000; i++) {
        assert_true(work_gate_rings_quiet(&gate, now_ns));
        work_gate_worked(&gate, now_ns + WORK_NS, WORK_NS);
        assert_false(work_gate_closed(&gate, now_ns)); /* a time read before the work, too */
        now_ns += WORK_NS;
    }
}

static void a_flood_beside_requests_has_its_share_of_the_time(void **state)
{
    (void)state;
    struct work_gate gate = {.share = SHARE};
    uint64_t now_ns = START_NS;
    (void)flood(&gate, &now_ns, 10 * (uint64_t)WORK_CREDIT_MAX_NS); /* spends what was there */
    const uint64_t start_ns = now_ns, worked_ns = flood(&gate, &now_ns, 1000000000);
    const uint64_t share_ns = (now_ns - start_ns) / SHARE;
    assert_true(worked_ns >= share_ns - share_ns / 100 && worked_ns <= share_ns + share_ns / 100);
}

/* A front end that connects, a tool that lists the tree: no rest in between. */
static void a_little_work_beside_requests_is_done_at_once(void **state)
{
    (void)state;
    struct work_gate gate = {.share = SHARE};
    uint64_t now_ns = START_NS;
    for (int second = 0; second < 10; second++) {
        for (int i = 0; i < WORK_CREDIT_MAX_NS / WORK_NS; i++) {
            work_gate_ring_busy(&gate, now_ns);
            now_ns += WORK_NS;
            work_gate_worked(&gate, now_ns, WORK_NS);
            assert_false(work_gate_closed(&gate, now_ns));
        }
        now_ns += 1000000000;
    }
}

/* What is not used does not pile up: an hour without work buys no second of it. */
static void credit_is_bounded(void **state)
{
    (void)state;
    struct work_gate gate = {.share = SHARE};
    uint64_t now_ns = START_NS;
    (void)flood(&gate, &now_ns, 1000000000);
    now_ns += UINT64_C(3600000000000);
    uint64_t worked_ns = 0;
    while (!work_gate_closed(&gate, now_ns)) {
        work_gate_ring_busy(&gate, now_ns);
        now_ns += WORK_NS;
        worked_ns += WORK_NS;
        work_gate_worked(&gate, now_ns, WORK_NS);
    }
    assert_true(worked_ns <= 2 * WORK_CREDIT_MAX_NS);
}

static void rings_that_have_gone_quiet_hold_nothing_back(void **state)
{
    (void)state;
    struct work_gate gate = {.share = SHARE};
    uint64_t now_ns = START_NS;
    (void)flood(&gate, &now_ns, 1000000000);
    work_gate_ring_busy(&gate, now_ns);
    assert_false(work_gate_rings_quiet(&gate, now_ns + WORK_RINGS_QUIET_NS - 1));
    work_gate_worked(&gate, now_ns + WORK_RINGS_QUIET_NS - 1, WORK_CREDIT_MAX_NS);
    assert_true(work_gate_closed(&gate, now_ns + WORK_RINGS_QUIET_NS));
    now_ns = gate.closed_until_ns + WORK_RINGS_QUIET_NS;
    assert_true(work_gate_rings_quiet(&gate, now_ns));
    work_gate_worked(&gate, now_ns, 0);
    assert_false(work_gate_closed(&gate, 0));
}

static void one_long_work_is_not_paid_for_ever(void **state)
{
    (void)state;
    struct work_gate gate = {.share = SHARE};
    work_gate_ring_busy(&gate, START_NS);
    work_gate_worked(&gate, START_NS, UINT64_C(10000000000));
    assert_true(work_gate_closed(&gate, START_NS));
    assert_true(gate.closed_until_ns <= START_NS + (uint64_t)WORK_DEBT_MAX_NS * SHARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_requests_on_rings_it_stays_open),
        cmocka_unit_test(a_flood_beside_requests_has_its_share_of_the_time),
        cmocka_unit_test(a_little_work_beside_requests_is_done_at_once),
        cmocka_unit_test(credit_is_bounded),
        cmocka_unit_test(rings_that_have_gone_quiet_hold_nothing_back),
        cmocka_unit_test(one_long_work_is_not_paid_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
