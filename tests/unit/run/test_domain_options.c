/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/domain_options.h"

static struct domu_options options;
static struct why why;

static int setup(void **state)
{
    (void)state;
    options = (struct domu_options){0};
    return 0;
}

static int take(const char *first, const char *second, int *at)
{
    char *argv[] = {(char *)first, (char *)second};

    *at = 0;
    return domain_options_take(&options, second == NULL ? 1 : 2, argv, at, &why);
}

static void a_service_is_named(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--name", "x", &at), 1);
    assert_int_equal(at, 2);
    assert_string_equal(options.name, "x");
    assert_int_equal(take("--rundir=/r", "x", &at), 1);
    assert_int_equal(at, 1);
    assert_string_equal(options.rundir, "/r");
}

static void a_flag_has_no_value(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--reconnect", "x", &at), 1);
    assert_int_equal(at, 1);
    assert_true(options.reconnect);
}

static void a_dilation_is_a_fraction_within_limits(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--tdf", "2.5", &at), 1);
    assert_int_equal(options.tdf_num, 5);
    assert_int_equal(options.tdf_den, 2);
    assert_int_equal(take("--tdf", "1/1000", &at), 1);
    assert_int_equal(take("--tdf", "1/1001", &at), -EINVAL);
    assert_int_equal(take("--tdf", "1001", &at), -EINVAL);
    assert_int_equal(take("--tdf", "0", &at), -EINVAL);
}

static void a_value_may_be_missing(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--name", NULL, &at), -EINVAL);
    assert_int_equal(take("--rundir", NULL, &at), -EINVAL);
    assert_int_equal(take("--tdf", NULL, &at), -EINVAL);
}

static void another_argument_is_left_alone(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--names", "x", &at), 0);
    assert_int_equal(take("SOCKET", NULL, &at), 0);
    assert_int_equal(at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_service_is_named, setup),
        cmocka_unit_test_setup(a_flag_has_no_value, setup),
        cmocka_unit_test_setup(a_dilation_is_a_fraction_within_limits, setup),
        cmocka_unit_test_setup(a_value_may_be_missing, setup),
        cmocka_unit_test_setup(another_argument_is_left_alone, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
