/* SPDX-License-Identifier: MIT */
/* idle: the instant at which Dom0 ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/dom0/idle.h"

static void the_time_out_begins_with_the_last_request(void **state)
{
    (void)state;
    assert_int_equal(idle_end_ns(1000, 300), 1300);
    assert_int_equal(idle_end_ns(0, 1), 1);
}

static void no_time_out_never_ends(void **state)
{
    (void)state;
    assert_true(idle_end_ns(0, 0) == IDLE_NEVER);
    assert_true(idle_end_ns(UINT64_MAX, 0) == IDLE_NEVER);
}

static void a_sum_that_does_not_fit_never_ends(void **state)
{
    (void)state;
    assert_true(idle_end_ns(1000, UINT64_MAX) == IDLE_NEVER);
    assert_true(idle_end_ns(1000, UINT64_MAX - 1000) == IDLE_NEVER);
    assert_true(idle_end_ns(1000, UINT64_MAX - 1001) == UINT64_MAX - 1);
    assert_true(idle_end_ns(UINT64_MAX, 1) == IDLE_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_out_begins_with_the_last_request),
        cmocka_unit_test(no_time_out_never_ends),
        cmocka_unit_test(a_sum_that_does_not_fit_never_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
