/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container_of.h"

struct inner {
    int value;
};

struct outer {
    char before[24];
    struct inner first, second;
};

static void test_each_member_leads_to_its_object(void **state)
{
    struct outer outer = {0};
    const struct inner *read_only = &outer.second;

    (void)state;
    assert_ptr_equal(container_of(&outer.first, struct outer, first), &outer);
    assert_ptr_equal(container_of(&outer.second, struct outer, second), &outer);
    assert_ptr_equal(container_of(read_only, const struct outer, second), &outer);
    assert_ptr_equal(container_of(&outer.before, struct outer, before), &outer);
}

static void test_null_stays_null_where_it_is_allowed(void **state)
{
    struct outer outer = {0};
    struct inner *none = NULL;

    (void)state;
    assert_null(container_or_null(none, struct outer, second));
    assert_ptr_equal(container_or_null(&outer.second, struct outer, second), &outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_member_leads_to_its_object),
        cmocka_unit_test(test_null_stays_null_where_it_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
