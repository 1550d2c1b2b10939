/* SPDX-License-Identifier: MIT */
/* credit: exact over a day, kept for one interval, overdrawn by a frame. */
#include "service/net/credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct net_credit credit;

static void a_day_has_its_bytes_whatever_the_looks(void **state)
{
    (void)state;
    /* 7 bytes in 3 ns-odd intervals, looked at in steps that fit nothing. */
    const uint64_t interval_ns = 333333, start_ns = 12345, day_ns = UINT64_C(86400000000000);
    net_credit_init(&credit, 1000, interval_ns, start_ns);
    uint64_t sent = 0, now_ns = start_ns;
    while (now_ns < start_ns + day_ns / 100) {
        uint32_t left = net_credit_left(&credit, now_ns);
        if (left > 0) {
            uint32_t frame = 1514;
            net_credit_pay(&credit, frame);
            sent += frame;
            now_ns += 17;
        } else {
            uint64_t when_ns = net_credit_when_ns(&credit);
            assert_true(when_ns > now_ns);
            now_ns = when_ns + 1009; /* woken late */
        }
    }
    uint64_t whole = (now_ns - start_ns) / interval_ns * 1000;
    assert_true(sent <= whole + 1000 + 1514);
    assert_true(sent + 2 * 1514 >= whole);
}

static void unused_credit_is_kept_for_one_interval(void **state)
{
    (void)state;
    net_credit_init(&credit, 1000, 50, 0);
    net_credit_pay(&credit, 1000);
    assert_int_equal(net_credit_left(&credit, 49), 0);
    assert_int_equal(net_credit_left(&credit, 50), 1000);
    assert_int_equal(net_credit_left(&credit, 5000000), 1000);
}

/* On the same grid; whoever changes the limit again and again gives nothing away and takes nothing.
 */
static void a_change_keeps_what_is_left_and_what_is_owed(void **state)
{
    (void)state;
    net_credit_init(&credit, 1000, 50, 0);
    net_credit_pay(&credit, 900);
    net_credit_change(&credit, 5000, 50, 30);
    assert_int_equal(net_credit_left(&credit, 49), 100);
    assert_int_equal(net_credit_left(&credit, 50), 5000);
    net_credit_change(&credit, 10, 50, 60);
    assert_int_equal(net_credit_left(&credit, 60), 10);
    net_credit_pay(&credit, 40);
    net_credit_change(&credit, 20, 100, 70);
    assert_int_equal(net_credit_left(&credit, 149), 0);
    assert_int_equal(net_credit_when_ns(&credit), 250); /* 30 are owed, from 50 on */
    assert_int_equal(net_credit_left(&credit, 250), 10);
    for (uint64_t now_ns = 251; now_ns < 350; now_ns++)
        net_credit_change(&credit, 20 + now_ns % 2, 100, now_ns);
    assert_int_equal(net_credit_left(&credit, 349), 10);
    assert_int_equal(net_credit_left(&credit, 350), 21);
}

static void one_that_had_no_limit_is_full(void **state)
{
    (void)state;
    net_credit_init(&credit, 0, 0, 0);
    net_credit_change(&credit, 1000, 50, 7);
    assert_int_equal(net_credit_left(&credit, 7), 1000);
    net_credit_pay(&credit, 1000);
    assert_int_equal(net_credit_when_ns(&credit), 57);
}

static void an_overdraft_is_paid_back_by_whole_intervals(void **state)
{
    (void)state;
    net_credit_init(&credit, 1000, 50, 0);
    net_credit_pay(&credit, 4000);
    assert_int_equal(net_credit_left(&credit, 0), 0);
    assert_int_equal(net_credit_when_ns(&credit), 200); /* at 150 it is even, which is not enough */
    assert_int_equal(net_credit_left(&credit, 199), 0);
    assert_int_equal(net_credit_left(&credit, 200), 1000);
}

static void no_limit_is_no_limit(void **state)
{
    (void)state;
    net_credit_init(&credit, 0, 0, 0);
    net_credit_pay(&credit, UINT32_MAX);
    assert_int_equal(net_credit_left(&credit, 0), UINT32_MAX);
}

static void no_time_overflows(void **state)
{
    (void)state;
    net_credit_init(&credit, INT64_MAX, 1, 0);
    assert_int_equal(net_credit_left(&credit, UINT64_MAX), UINT32_MAX);
    net_credit_init(&credit, 1, UINT64_C(1) << 60, UINT64_MAX - 5);
    net_credit_pay(&credit, UINT32_MAX);
    assert_int_equal(net_credit_left(&credit, UINT64_MAX), 0);
    assert_int_equal(net_credit_when_ns(&credit), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_has_its_bytes_whatever_the_looks),
        cmocka_unit_test(unused_credit_is_kept_for_one_interval),
        cmocka_unit_test(a_change_keeps_what_is_left_and_what_is_owed),
        cmocka_unit_test(one_that_had_no_limit_is_full),
        cmocka_unit_test(an_overdraft_is_paid_back_by_whole_intervals),
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(no_time_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
