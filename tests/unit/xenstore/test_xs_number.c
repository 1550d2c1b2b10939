/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xenstore/xs_error.h"
#include "xenstore/xs_number.h"

static void test_digits_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "-1",  "+1",  " 1",
                                      "1 ", "0x1", "1.0", "000000000000000000001"};
    uint64_t n = 5;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xs_number_parse(bad[i], strlen(bad[i]), UINT64_MAX, &n), -EINVAL);
    assert_int_equal(xs_number_parse("1\0", 2, UINT64_MAX, &n), -EINVAL);
    assert_int_equal(n, 5);
}

static void test_range(void **state)
{
    (void)state;
    uint64_t n = 5;
    assert_int_equal(xs_number_parse("18446744073709551615", 20, UINT64_MAX, &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(xs_number_parse("18446744073709551616", 20, UINT64_MAX, &n), -ERANGE);
    assert_int_equal(xs_number_parse("11", 2, 10, &n), -ERANGE);
    assert_int_equal(xs_number_parse("10", 2, 10, &n), 0);
    assert_int_equal(n, 10);
}

static void test_error_names(void **state)
{
    (void)state;
    assert_string_equal(xs_error_name(ENOENT), "ENOENT");
    assert_string_equal(xs_error_name(EXDEV), "EINVAL");
    assert_int_equal(xs_error_number("EAGAIN", 6), EAGAIN);
    assert_int_equal(xs_error_number("EAGAINX", 7), EINVAL);
    assert_int_equal(xs_error_number("EAGA", 4), EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits_only),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_error_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
