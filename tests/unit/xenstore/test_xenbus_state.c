/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore/xenbus_state.h"

static void test_strict_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "9", "04", "4 ", " 4", "-1", "4x", "Connected", "/", ":"};
    enum xenbus_state s;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xenbus_state_parse(bad[i], &s), -EINVAL);
    assert_int_equal(xenbus_state_parse("4", &s), 0);
    assert_int_equal(s, XenbusStateConnected);
    assert_int_equal(xenbus_state_parse("8", &s), 0);
    assert_int_equal(s, XenbusStateReconfigured);
}

static void test_names_and_predicates(void **state)
{
    (void)state;
    assert_string_equal(xenbus_state_name(XenbusStateInitWait), "InitWait");
    assert_string_equal(xenbus_state_name((enum xenbus_state)9), "?");
    assert_true(xenbus_state_front_is_ready(XenbusStateConnected));
    assert_true(xenbus_state_front_is_ready(XenbusStateInitialised));
    assert_false(xenbus_state_front_is_ready(XenbusStateInitialising));
    assert_true(xenbus_state_is_closing(XenbusStateUnknown));
    assert_false(xenbus_state_is_closing(XenbusStateConnected));
    assert_true(xenbus_state_back_is_waiting(XenbusStateInitWait));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict_text),
        cmocka_unit_test(test_names_and_predicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
