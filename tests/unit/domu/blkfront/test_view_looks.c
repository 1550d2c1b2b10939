/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domu/blkfront/view_looks.h"

/* Reads of which each nth is there, the first of them after some that are not. Returns how many
 * were looked for; *found of those. */
static uint32_t read_many(struct view_looks *looks, uint32_t reads, uint32_t nth, uint32_t *found)
{
    uint32_t count = 0;
    *found = 0;
    for (uint32_t i = 1; i <= reads; i++) {
        if (!view_looks_begin(looks))
            continue;
        bool is_there = nth > 0 && i % nth == 0;
        view_looks_end(looks, is_there);
        *found += is_there;
        count++;
    }
    return count;
}

static void the_first_reads_are_all_looked_for(void **state)
{
    (void)state;
    struct view_looks looks = {0};
    uint32_t found;
    assert_int_equal(read_many(&looks, VIEW_LOOKS_VAIN_MAX, 0, &found), VIEW_LOOKS_VAIN_MAX);
    assert_true(view_looks_are_rare(&looks));
    assert_false(view_looks_begin(&looks));
}

static void a_thread_that_finds_nothing_looks_now_and_then(void **state)
{
    (void)state;
    struct view_looks looks = {0};
    uint32_t found, passed = 0, intervals[VIEW_LOOKS_PASS_MAX + 1] = {0};
    (void)read_many(&looks, VIEW_LOOKS_VAIN_MAX, 0, &found);
    for (int i = 0; i < 100000; i++) {
        if (!view_looks_begin(&looks)) {
            passed++;
            continue;
        }
        view_looks_end(&looks, false);
        assert_in_range(passed, VIEW_LOOKS_PASS_MIN, VIEW_LOOKS_PASS_MAX);
        intervals[passed]++;
        passed = 0;
    }
    for (uint32_t i = VIEW_LOOKS_PASS_MIN; i <= VIEW_LOOKS_PASS_MAX; i++)
        assert_in_range(intervals[i], 100000 / 17 / 16 / 2, 100000 / 17 / 16 * 2);
}

static void a_thread_that_finds_one_in_eight_looks_for_all(void **state)
{
    (void)state;
    struct view_looks looks = {0};
    uint32_t found;
    assert_int_equal(read_many(&looks, 100000, 8, &found), 100000);
    assert_int_equal(found, 100000 / 8);
}

static void what_is_there_after_a_long_time_is_noticed_soon(void **state)
{
    (void)state;
    struct view_looks looks = {0};
    uint32_t found;
    (void)read_many(&looks, 1000000, 0, &found);
    (void)read_many(&looks, VIEW_LOOKS_PASS_MAX + 1, 1, &found);
    assert_true(found > 0);
    (void)read_many(&looks, 1000, 1, &found);
    assert_int_equal(found, 1000);
}

static void nothing_after_hits_is_looked_for_no_longer_than_at_first(void **state)
{
    (void)state;
    struct view_looks looks = {0};
    uint32_t found;
    (void)read_many(&looks, 1000, 1, &found);
    assert_int_equal(read_many(&looks, VIEW_LOOKS_VAIN_MAX, 0, &found), VIEW_LOOKS_VAIN_MAX);
    assert_true(view_looks_are_rare(&looks));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reads_are_all_looked_for),
        cmocka_unit_test(a_thread_that_finds_nothing_looks_now_and_then),
        cmocka_unit_test(a_thread_that_finds_one_in_eight_looks_for_all),
        cmocka_unit_test(what_is_there_after_a_long_time_is_noticed_soon),
        cmocka_unit_test(nothing_after_hits_is_looked_for_no_longer_than_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
