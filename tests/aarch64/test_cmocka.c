/* SPDX-License-Identifier: MIT */
/* The stand-in for cmocka: each assertion holds where it should and fails where it should. */
#include "cmocka.h"

static const char text[] = "text", same[] = "text";

static void holds(void **state)
{
    assert_null(*state);
    assert_true(2);
    assert_false(0);
    assert_null(NULL);
    assert_non_null(text);
    assert_int_equal(-1, -1);
    assert_int_not_equal(1, 2);
    assert_ptr_equal(text, text);
    assert_ptr_not_equal(text, same);
    assert_string_equal(text, same);
    assert_string_not_equal(text, "other");
    assert_memory_equal(text, "texture", 4);
    assert_memory_not_equal(text, "texture", 5);
    assert_in_range(3, 3, 3);
    assert_not_in_range(2, 3, 5);
}

static void skips(void **state)
{
    (void)state;
    skip();
}

#define FAILS(name, assertion)                                                                     \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        assertion;                                                                                 \
    }
FAILS(is_true, assert_true(0))
FAILS(is_false, assert_false(1))
FAILS(is_null, assert_null(text))
FAILS(is_non_null, assert_non_null(NULL))
FAILS(int_equal, assert_int_equal(1, -1))
FAILS(int_not_equal, assert_int_not_equal(7, 7))
FAILS(ptr_equal, assert_ptr_equal(text, same))
FAILS(ptr_not_equal, assert_ptr_not_equal(text, text))
FAILS(string_equal, assert_string_equal(text, "other"))
FAILS(string_not_equal, assert_string_not_equal(text, same))
FAILS(memory_equal, assert_memory_equal(text, "texture", 5))
FAILS(memory_not_equal, assert_memory_not_equal(text, "texture", 4))
FAILS(below_range, assert_in_range(2, 3, 5))
FAILS(above_range, assert_in_range(6, 3, 5))
FAILS(not_in_range, assert_not_in_range(3, 3, 5))
FAILS(nothing, fail())
FAILS(message, fail_msg("number %d", 7))

static int set_up(void **state)
{
    *state = malloc(1);
    return 0;
}

static int set_up_fails(void **state)
{
    (void)state;
    return -1;
}

/* Runs after a test that failed, too: the leak checker of the host would tell. */
static int torn_down;
static int tear_down(void **state)
{
    free(*state);
    torn_down++;
    return 0;
}

static void has_state(void **state)
{
    assert_non_null(*state);
}

static void expect(int failed, int wanted, const char *what)
{
    if (failed == wanted)
        return;
    printf("%s: %d instead of %d\n", what, failed, wanted);
    exit(1);
}

int main(void)
{
    const struct CMUnitTest good[] = {
        cmocka_unit_test(holds),
        cmocka_unit_test(skips),
        cmocka_unit_test_setup_teardown(has_state, set_up, tear_down),
        cmocka_unit_test_teardown(holds, tear_down),
        cmocka_unit_test_prestate(has_state, &torn_down),
    };
    const struct CMUnitTest bad[] = {
        cmocka_unit_test(is_true),
        cmocka_unit_test(is_false),
        cmocka_unit_test(is_null),
        cmocka_unit_test(is_non_null),
        cmocka_unit_test(int_equal),
        cmocka_unit_test(int_not_equal),
        cmocka_unit_test(ptr_equal),
        cmocka_unit_test(ptr_not_equal),
        cmocka_unit_test(string_equal),
        cmocka_unit_test(string_not_equal),
        cmocka_unit_test(memory_equal),
        cmocka_unit_test(memory_not_equal),
        cmocka_unit_test(below_range),
        cmocka_unit_test(above_range),
        cmocka_unit_test(not_in_range),
        cmocka_unit_test(nothing),
        cmocka_unit_test(message),
        cmocka_unit_test_setup_teardown(holds, set_up_fails, NULL),
        cmocka_unit_test_setup_teardown(is_true, set_up, tear_down),
    };
    const struct CMUnitTest one[] = {cmocka_unit_test(has_state)};
    expect(cmocka_run_group_tests(good, NULL, NULL), 0, "failures of tests that hold");
    expect(torn_down, 2, "fixtures torn down");
    expect(cmocka_run_group_tests(bad, NULL, NULL), (int)(sizeof(bad) / sizeof(bad[0])),
           "failures of tests that fail");
    expect(torn_down, 3, "fixtures torn down");
    expect(cmocka_run_group_tests(one, set_up, tear_down), 0, "failures of a group with a fixture");
    expect(cmocka_run_group_tests(one, set_up_fails, tear_down), 1, "failures of a broken group");
    expect(torn_down, 4, "fixtures torn down");
    printf("every assertion can fail\n");
    return 0;
}
