/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/traffic/traffic_stream.h"

static struct traffic_stream stream;

static int setup(void **state)
{
    (void)state;
    memset(&stream, 0, sizeof(stream));
    return 0;
}

static void take(uint64_t number)
{
    traffic_stream_take(&stream, number, 60);
}

static void numbers_in_turn_are_all_there(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3 * TRAFFIC_WINDOW; i++)
        take(i);
    assert_int_equal(stream.unique, 3 * TRAFFIC_WINDOW);
    assert_int_equal(stream.bytes, 60 * 3 * TRAFFIC_WINDOW);
    assert_int_equal(stream.duplicates + stream.reordered + stream.too_late, 0);
    assert_int_equal(traffic_stream_lost(&stream), 0);
}

static void gaps_are_lost_until_they_come(void **state)
{
    (void)state;
    take(0);
    take(5);
    assert_int_equal(traffic_stream_lost(&stream), 4);
    take(3);
    assert_int_equal(traffic_stream_lost(&stream), 3);
    assert_int_equal(stream.reordered, 1);
    take(3);
    take(5);
    assert_int_equal(stream.duplicates, 2);
    assert_int_equal(stream.unique, 3);
}

static void the_end_tells_of_those_behind_the_last(void **state)
{
    (void)state;
    take(0);
    assert_int_equal(traffic_stream_expected(&stream), 1);
    traffic_stream_end(&stream, 10);
    assert_int_equal(traffic_stream_expected(&stream), 10);
    assert_int_equal(traffic_stream_lost(&stream), 9);
}

static void a_jump_forgets_what_was_before(void **state)
{
    (void)state;
    take(1);
    take(UINT64_C(1) << 40);
    take(1);
    assert_int_equal(stream.too_late, 1);
    assert_int_equal(stream.duplicates, 0);
    take((UINT64_C(1) << 40) - TRAFFIC_WINDOW + 1); /* the oldest that is known of */
    assert_int_equal(stream.reordered, 1);
    take((UINT64_C(1) << 40) - TRAFFIC_WINDOW);
    assert_int_equal(stream.too_late, 2);
    take(UINT64_MAX);
    assert_int_equal(stream.unique, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_in_turn_are_all_there, setup),
        cmocka_unit_test_setup(gaps_are_lost_until_they_come, setup),
        cmocka_unit_test_setup(the_end_tells_of_those_behind_the_last, setup),
        cmocka_unit_test_setup(a_jump_forgets_what_was_before, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
