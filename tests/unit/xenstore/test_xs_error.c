/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore/xs_error.h"

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
        cmocka_unit_test(test_error_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
