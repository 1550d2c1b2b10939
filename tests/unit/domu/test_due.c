/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domu/due.h"
#include "tdf/clock.h"
#include "tdf/pvclock.h"

enum { NR_VCPUS = 1, MS = 1000000 };

static struct shared_info page;
static struct vcpu_time_info line;
static struct domain_clock clock_;

/* A clock that shows now_ns, and stands there. */
static void show(uint64_t now_ns)
{
    line.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    line.system_time = now_ns;
    pvclock_publish_all_begin(&page, NR_VCPUS, line.version);
    line.version += 2;
    pvclock_publish_all_end(&page, NR_VCPUS, &line);
}

static int setup(void **state)
{
    (void)state;
    memset(&page, 0, sizeof(page));
    memset(&line, 0, sizeof(line));
    show(1000 * (uint64_t)MS);
    domain_clock_start(&clock_, &page.vcpu_info[0].time, 1000 * (uint64_t)MS);
    return 0;
}

static void what_is_due_is_due(void **state)
{
    struct due_looks looks = {0};
    (void)state;
    assert_int_equal(due_left_ns(&looks, &clock_, 1000 * (uint64_t)MS), 0);
    assert_int_equal(due_left_ns(&looks, &clock_, 1), 0);
}

static void a_clock_that_stands_is_looked_at_again_soon(void **state)
{
    struct due_looks looks = {0};
    (void)state;
    (void)due_left_ns(&looks, &clock_, 2000 * (uint64_t)MS);
    assert_int_equal(due_left_ns(&looks, &clock_, 2000 * (uint64_t)MS), DUE_SLEEP_MAX_NS);
}

/* A clock of a large dilation shows the same at looks that follow each other, and does not stand.
 */
static void looks_that_follow_each_other_do_not_make_a_clock_stand(void **state)
{
    (void)state;
    const uint64_t due_ns = 1000 * (uint64_t)MS + 1000; /* 100 us of real time */
    int64_t left_ns;
    uint64_t begin_ns;
    do { /* again if something came between the looks */
        struct due_looks looks = {.base_ns = 990 * (uint64_t)MS,
                                  .base_real_ns = clock_monotonic_ns() - 1000 * (uint64_t)MS};
        begin_ns = clock_monotonic_ns();
        (void)due_left_ns(&looks, &clock_, due_ns);
        left_ns = due_left_ns(&looks, &clock_, due_ns);
    } while (clock_monotonic_ns() - begin_ns >= DUE_RATE_NS);
    assert_in_range(left_ns, 99000, DUE_SLEEP_MAX_NS - 1);
}

/* 10 ms of the domain passed in 1 ms of real time: what is 5 ms ahead is half a real one away. */
static void the_rate_is_that_of_two_looks(void **state)
{
    (void)state;
    struct due_looks looks = {.base_ns = 990 * (uint64_t)MS,
                              .base_real_ns = clock_monotonic_ns() - MS};
    int64_t left_ns = due_left_ns(&looks, &clock_, 1005 * (uint64_t)MS);
    assert_true(left_ns >= MS / 2);
    assert_int_equal(looks.look_ns, 1000 * (uint64_t)MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_due_is_due, setup),
        cmocka_unit_test_setup(a_clock_that_stands_is_looked_at_again_soon, setup),
        cmocka_unit_test_setup(the_rate_is_that_of_two_looks, setup),
        cmocka_unit_test_setup(looks_that_follow_each_other_do_not_make_a_clock_stand, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
