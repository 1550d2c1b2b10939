/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore/xenbus_state.h"

static void test_text_as_linux_reads_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        enum xenbus_state state;
    } cases[] = {
        {"4", 0, XenbusStateConnected},
        {"4\n", 0, XenbusStateConnected},
        {" 4", 0, XenbusStateConnected},
        {"04", 0, XenbusStateConnected},
        {"4x", 0, XenbusStateConnected},
        {"0", 0, XenbusStateUnknown},
        {"8", 0, XenbusStateReconfigured},
        {"9", -ERANGE, 0},
        {"-1", -ERANGE, 0},
        {"44", -ERANGE, 0},
        {"4444444444444", -ERANGE, 0},
        {"", -EINVAL, 0},
        {" ", -EINVAL, 0},
        {"Connected", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"/", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum xenbus_state s = XenbusStateUnknown;
        assert_int_equal(xenbus_state_parse(cases[i].text, &s), cases[i].rc);
        assert_int_equal(s, cases[i].state);
    }
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
        cmocka_unit_test(test_text_as_linux_reads_it),
        cmocka_unit_test(test_names_and_predicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
