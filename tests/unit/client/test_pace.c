/* SPDX-License-Identifier: MIT */
/* pace: when requests are due, and how long to sleep until then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/pace.h"

static void requests_are_due_at_the_rate_from_the_start_on(void **state)
{
    (void)state;
    const struct pace pace = {.rate = 3, .start_ns = 5000};
    assert_int_equal(pace_due_ns(&pace, 0), 5000);
    assert_int_equal(pace_due_ns(&pace, 1), 5000 + 333333333);
    assert_int_equal(pace_due_ns(&pace, 3), 5000 + 1000000000);
    /* No error adds up, and no sum overflows. */
    assert_int_equal(pace_due_ns(&pace, UINT64_C(3000000000)),
                     5000 + UINT64_C(1000000000000000000));
    assert_int_equal(pace_due_ns(&pace, UINT64_MAX), UINT64_MAX);
}

/* At TDF 10, ten times as long; at 1/10, a tenth. */
static void a_sleep_is_in_real_time_and_short(void **state)
{
    (void)state;
    const struct pace slow = {.real_num = 10, .real_den = 1};
    const struct pace fast = {.real_num = 1, .real_den = 10};
    assert_int_equal(pace_sleep_ns(&slow, 1000), 10000);
    assert_int_equal(pace_sleep_ns(&fast, 1000), 100);
    assert_int_equal(pace_sleep_ns(&slow, UINT64_MAX), PACE_SLEEP_MAX_NS);
}

static void a_sleep_is_sharp_and_not_too_short(void **state)
{
    (void)state;
    pace_sharpen();
    assert_int_equal(prctl(PR_GET_TIMERSLACK), 1);
    const uint64_t begin_ns = clock_monotonic_ns();
    pace_sleep(3000000);
    assert_true(clock_monotonic_ns() - begin_ns >= 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_due_at_the_rate_from_the_start_on),
        cmocka_unit_test(a_sleep_is_in_real_time_and_short),
        cmocka_unit_test(a_sleep_is_sharp_and_not_too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
