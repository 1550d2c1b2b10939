/* SPDX-License-Identifier: MIT */
/* store_gate: the store's share of Dom0's time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/store_gate.h"

enum { WORK_NS = 4000 };

/* Work done at now_ns; when may the store go on? */
static uint64_t reopens_ns(struct store_gate *gate, uint64_t now_ns, uint64_t work_ns)
{
    assert_false(store_gate_closed(gate, now_ns));
    store_gate_worked(gate, now_ns, now_ns + work_ns);
    return gate->closed_until_ns;
}

static void without_requests_on_rings_it_stays_open(void **state)
{
    (void)state;
    struct store_gate gate = {0};
    assert_false(store_gate_closed(&gate, 0));
    uint64_t now_ns = 1000000;
    for (int i = 0; i < 100; i++) {
        store_gate_worked(&gate, now_ns, now_ns + WORK_NS);
        assert_false(store_gate_closed(&gate, now_ns)); /* a time read before the work, too */
        now_ns += WORK_NS;
    }
}

static void beside_requests_it_has_its_share_of_the_time(void **state)
{
    (void)state;
    struct store_gate gate = {0};
    uint64_t now_ns = 1000000, worked_ns = 0;
    const uint64_t start_ns = now_ns;
    for (int i = 0; i < 1000; i++) {
        uint64_t work_ns = (uint64_t)(i % 7 + 1) * 1000; /* dear and cheap requests */
        store_gate_ring_busy(&gate, now_ns);
        now_ns = reopens_ns(&gate, now_ns, work_ns);
        assert_true(store_gate_closed(&gate, now_ns - 1));
        worked_ns += work_ns;
    }
    assert_int_equal(now_ns - start_ns, worked_ns * (STORE_REST + 1));
}

static void rings_that_have_gone_quiet_hold_nothing_back(void **state)
{
    (void)state;
    struct store_gate gate = {0};
    uint64_t now_ns = 1000000;
    store_gate_ring_busy(&gate, now_ns);
    store_gate_worked(&gate, now_ns + STORE_RINGS_QUIET_NS - 2 * WORK_NS,
                      now_ns + STORE_RINGS_QUIET_NS - 1);
    assert_true(store_gate_closed(&gate, now_ns + STORE_RINGS_QUIET_NS));
    now_ns = gate.closed_until_ns + STORE_RINGS_QUIET_NS;
    assert_true(reopens_ns(&gate, now_ns, WORK_NS) <= now_ns);
}

/* Dom0 may have lost its CPU in the middle: that is not the store's work. */
static void the_rest_is_bounded(void **state)
{
    (void)state;
    struct store_gate gate = {0};
    const uint64_t hour_ns = UINT64_C(3600000000000);
    store_gate_ring_busy(&gate, hour_ns);
    store_gate_worked(&gate, hour_ns - 1000000000, hour_ns);
    assert_int_equal(gate.closed_until_ns, hour_ns + STORE_REST_MAX_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_requests_on_rings_it_stays_open),
        cmocka_unit_test(beside_requests_it_has_its_share_of_the_time),
        cmocka_unit_test(rings_that_have_gone_quiet_hold_nothing_back),
        cmocka_unit_test(the_rest_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
