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

static void scans_a_number_among_other_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        int rc;
        uint64_t value;
    } cases[] = {
        {"5", 1, 0, 5},
        {"5\n", 2, 0, 5},
        {" \t\n5", 4, 0, 5},
        {"5x6", 3, 0, 5},
        {"007", 3, 0, 7},
        {"5\0006", 3, 0, 5},
        {"56", 1, 0, 5},
        {"0x10", 4, 0, 0},
        {"", 0, -EINVAL, 42},
        {"  ", 2, -EINVAL, 42},
        {"yes", 3, -EINVAL, 42},
        {"-1", 2, -EINVAL, 42},
        {"+1", 2, -EINVAL, 42},
        {"101\n", 4, -ERANGE, 42},
        {"99999999999999999999x", 21, -ERANGE, 42},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 42;
        assert_int_equal(decimal_scan_bytes(cases[i].bytes, cases[i].length, 0, 100, &value),
                         cases[i].rc);
        assert_int_equal(value, cases[i].value);
    }
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
    uint64_t n = 77, d = 77;

    assert_int_equal(decimal_parse_ratio(text, 1000000000, &n, &d), 0);
    assert_int_equal(n, num);
    assert_int_equal(d, den);
}

static void ratios_are_reduced(void **state)
{
    (void)state;
    assert_ratio("10", 10, 1);
    assert_ratio("2.5", 5, 2);
    assert_ratio("2.500000000", 5, 2);
    assert_ratio("1/100", 1, 100);
    assert_ratio("0.001", 1, 1000);
    assert_ratio("4000000000/8000000000", 1, 2);
    assert_ratio("0", 0, 1);
    assert_ratio("0/7", 0, 1);
    assert_ratio("0.0", 0, 1);
}

static void refuses_what_is_no_ratio(void **state)
{
    static const char *const bad[] = {"",    "1/",  "/2",  "1/2/3", "-1",  "2.",   ".5",
                                      "1/0", "0/0", "ten", "1.5/2", "1e3", "1/2x", "1.2.3"};
    static const char *const large[] = {
        "1000000001",           "1/1000000001",           "1.0000000001",
        "99999999999999999999", "1/99999999999999999999", "0.00000000000000000000000001",
        "9999999999999999999.9"};
    uint64_t num = 3, den = 4;

    (void)state;
    assert_int_equal(decimal_parse_ratio(NULL, 9, &num, &den), -EINVAL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(decimal_parse_ratio(bad[i], 1000000000, &num, &den), -EINVAL);
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
        assert_int_equal(decimal_parse_ratio(large[i], 1000000000, &num, &den), -ERANGE);
    assert_int_equal(num, 3);
    assert_int_equal(den, 4);
}

static void bytes_need_no_end(void **state)
{
    uint64_t value = 42;

    (void)state;
    assert_int_equal(decimal_parse_bytes("123456", 3, 0, 1000, &value), 0);
    assert_int_equal(value, 123);
    assert_int_equal(decimal_parse_bytes("1", 0, 0, 9, &value), -EINVAL);
    assert_int_equal(decimal_parse_bytes("1\0", 2, 0, 9, &value), -EINVAL);
    assert_int_equal(decimal_parse_bytes("12x", 2, 0, 9, &value), -ERANGE);
    assert_int_equal(value, 123);
}

static void reals_have_digits_on_both_sides_of_the_point(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},      {"12", 12},         {"0.5", 0.5},
                {"1e3", 1000}, {"1.5E-3", 0.0015}, {"2e+2", 200}};
    static const char *const bad[] = {"",     "-1",  "+1",  " 1", "1 ",  "1.",  ".5",
                                      "0x10", "inf", "nan", "1e", "1e+", "1,5", "1.5.5"};
    double value = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(decimal_parse_real(good[i].text, 0, 1e9, &value), 0);
        assert_true(value == good[i].value);
    }
    value = 42;
    assert_int_equal(decimal_parse_real(NULL, 0, 1e9, &value), -EINVAL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(decimal_parse_real(bad[i], 0, 1e9, &value), -EINVAL);
    assert_int_equal(decimal_parse_real("1.01", 0, 1, &value), -ERANGE);
    assert_int_equal(decimal_parse_real("0.99", 1, 2, &value), -ERANGE);
    assert_int_equal(decimal_parse_real("1e999", 0, 1e308, &value), -ERANGE);
    assert_true(value == 42);
}

static void a_scan_stops_behind_the_number(void **state)
{
    static const struct {
        const char *text, *rest;
        double value;
    } rows[] = {{"1.5ms", "ms", 1.5}, {"2e3s", "s", 2000}, {"3", "", 3}, {"4em", "em", 4}};
    const char *end;
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(decimal_scan_real(rows[i].text, &value, &end), 0);
        assert_true(value == rows[i].value);
        assert_string_equal(end, rows[i].rest);
    }
    assert_int_equal(decimal_scan_real("ms", &value, &end), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_whole_range),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(scans_a_number_among_other_bytes),
        cmocka_unit_test(tells_out_of_range_apart),
        cmocka_unit_test(scales_by_powers_of_ten),
        cmocka_unit_test(ratios_are_reduced),
        cmocka_unit_test(refuses_what_is_no_ratio),
        cmocka_unit_test(bytes_need_no_end),
        cmocka_unit_test(reals_have_digits_on_both_sides_of_the_point),
        cmocka_unit_test(a_scan_stops_behind_the_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
