/* SPDX-License-Identifier: MIT */
/* domu_trace: what its end tells. What Dom0 wants is read in test_domu and e2e/trace.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domu/domu_trace.h"

/* Whoever writes lives down is told once, whatever the threshold was. */
static void a_stop_is_a_change_where_something_was_traced(void **state)
{
    struct domu_trace trace = {.threshold = 0};
    (void)state;
    assert_false(domu_trace_stop(&trace));
    static const uint32_t thresholds[] = {1, 2, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        trace.threshold = thresholds[i];
        assert_true(domu_trace_stop(&trace));
        assert_int_equal(trace.threshold, 0);
        assert_false(domu_trace_stop(&trace));
    }
    domu_trace_fini(&trace); /* without a memory */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_a_change_where_something_was_traced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
