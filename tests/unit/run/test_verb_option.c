/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/verb_option.h"

static struct why why;
static const char *value;

static int take(const char *first, const char *second, int *at)
{
    char *argv[] = {(char *)first, (char *)second};

    *at = 0;
    value = NULL;
    return verb_option_take("--vif", second == NULL ? 1 : 2, argv, at, &value, &why);
}

static void a_value_follows_or_stands_behind_an_equals_sign(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--vif", "7", &at), 1);
    assert_int_equal(at, 2);
    assert_string_equal(value, "7");
    assert_int_equal(take("--vif=", "7", &at), 1);
    assert_int_equal(at, 1);
    assert_string_equal(value, "");
    assert_int_equal(take("--vif", NULL, &at), -EINVAL);
    assert_string_equal(why.text, "--vif needs a value");
}

static void another_option_is_left_alone(void **state)
{
    static const char *const others[] = {"--vi", "--vifs", "--vifs=1", "vif", "", "-"};
    int at;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(take(others[i], "7", &at), 0);
        assert_int_equal(at, 0);
    }
}

static void numbers_and_dilations_have_limits(void **state)
{
    uint64_t number, den;

    (void)state;
    assert_int_equal(verb_option_number("--n", "7", 1, 7, &number, &why), 0);
    assert_int_equal(number, 7);
    assert_int_equal(verb_option_number("--n", "8", 1, 7, &number, &why), -EINVAL);
    assert_string_equal(why.text, "--n 8: 1..7");
    assert_int_equal(verb_option_tdf("2.5", &number, &den, &why), 0);
    assert_int_equal(number, 5);
    assert_int_equal(den, 2);
    assert_int_equal(verb_option_tdf("1001", &number, &den, &why), -EINVAL);
    assert_int_equal(verb_option_tdf("1/1001", &number, &den, &why), -EINVAL);
    assert_int_equal(verb_option_tdf("0", &number, &den, &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_follows_or_stands_behind_an_equals_sign),
        cmocka_unit_test(another_option_is_left_alone),
        cmocka_unit_test(numbers_and_dilations_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
