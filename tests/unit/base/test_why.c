/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/why.h"

static void a_failure_is_one_statement(void **state)
{
    struct why why = {"before"};

    (void)state;
    assert_int_equal(why_fail(&why, -EINVAL, "%s holds %d", "it", 7), -EINVAL);
    assert_string_equal(why.text, "it holds 7");
}

static void the_system_s_text_follows(void **state)
{
    struct why why = {"before"};

    (void)state;
    assert_int_equal(why_fail_errno(&why, -ENOENT, "cannot open %s", "file"), -ENOENT);
    assert_string_equal(why.text, "cannot open file: No such file or directory");
}

static void a_long_line_is_cut(void **state)
{
    char name[2 * WHY_SIZE];
    struct {
        struct why why;
        char behind;
    } guarded = {.behind = 'x'};

    (void)state;
    memset(name, 'n', sizeof(name));
    for (size_t length = WHY_SIZE - 40; length < WHY_SIZE + 2; length++) {
        name[length] = '\0';
        assert_int_equal(why_fail(&guarded.why, -E2BIG, "%s", name), -E2BIG);
        assert_in_range(strlen(guarded.why.text), WHY_SIZE - 40, WHY_SIZE - 1);
        assert_int_equal(why_fail_errno(&guarded.why, -E2BIG, "%s", name), -E2BIG);
        assert_in_range(strlen(guarded.why.text), WHY_SIZE - 40, WHY_SIZE - 1);
        name[length] = 'n';
    }
    assert_int_equal(guarded.behind, 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_one_statement),
        cmocka_unit_test(the_system_s_text_follows),
        cmocka_unit_test(a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
