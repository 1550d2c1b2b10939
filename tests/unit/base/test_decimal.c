/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/decimal.h"

static void takes_the_whole_range(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(decimal_parse("0", 0, 9, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(decimal_parse("007", 0, 9, &value), 0);
    assert_int_equal(value, 7);
    assert_int_equal(decimal_parse("18446744073709551615", 0, UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
}

static void refuses_what_is_no_number(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "1x", "0x1", "1.", "1e3", "١", "99999999999999999999x"};
    uint64_t value = 42;

    (void)state;
    assert_int_equal(decimal_parse(NULL, 0, 9, &value), -EINVAL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(decimal_parse(bad[i], 0, UINT64_MAX, &value), -EINVAL);
    assert_int_equal(value, 42);
}

static void tells_out_of_range_apart(void **state)
{
    uint64_t value = 42;

    (void)state;
    assert_int_equal(decimal_parse("0", 1, 9, &value), -ERANGE);
    assert_int_equal(decimal_parse("10", 1, 9, &value), -ERANGE);
    assert_int_equal(decimal_parse("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
    assert_int_equal(decimal_parse("184467440737095516160", 0, UINT64_MAX, &value), -ERANGE);
    assert_int_equal(value, 42);
}

static void scales_by_powers_of_ten(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(decimal_parse_scaled("300", 9, UINT64_MAX, &value), 0);
    assert_int_equal(value, 300000000000);
    assert_int_equal(decimal_parse_scaled("1.25", 3, 2000, &value), 0);
    assert_int_equal(value, 1250);
    assert_int_equal(decimal_parse_scaled("0.0001", 4, 10000, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(decimal_parse_scaled("1.0001", 4, 10000, &value), -ERANGE);
    assert_int_equal(decimal_parse_scaled("0.00001", 4, 10000, &value), -ERANGE);
    assert_int_equal(decimal_parse_scaled("18446744074", 9, UINT64_MAX, &value), -ERANGE);
    assert_int_equal(decimal_parse_scaled("1.", 4, 10000, &value), -EINVAL);
    assert_int_equal(decimal_parse_scaled(".5", 4, 10000, &value), -EINVAL);
    assert_int_equal(decimal_parse_scaled("1.2.3", 4, 100000, &value), -EINVAL);
}

static void assert_ratio(const char *text, uint64_t num, uint64_t den)
{
    uint64_t n, d;

    assert_int_equal(decimal_parse_ratio(text, &n, &d), 0);
    assert_int_equal(n, num);
    assert_int_equal(d, den);
}

static void reads_ratios(void **state)
{
    static const char *const bad[] = {"",    "0",     "0.0", "0/1", "1/0",        "1/",
                                      "/2",  "1/2/3", "-1",  "2.",  "9999999999", "1/9999999999",
                                      "ten", "1.5/2"};
    uint64_t num = 3, den = 4;

    (void)state;
    assert_ratio("10", 10, 1);
    assert_ratio("2.5", 25, 10);
    assert_ratio("1/100", 1, 100);
    assert_ratio("0.001", 1, 1000);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(decimal_parse_ratio(bad[i], &num, &den), 0);
    assert_int_equal(num, 3);
    assert_int_equal(den, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_whole_range),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(tells_out_of_range_apart),
        cmocka_unit_test(scales_by_powers_of_ten),
        cmocka_unit_test(reads_ratios),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
