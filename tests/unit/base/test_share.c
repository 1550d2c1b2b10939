/* SPDX-License-Identifier: MIT */
/* share: what people may write, and nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/share.h"

static void assert_share(const char *text, uint64_t num, uint64_t den)
{
    uint64_t n = 0, d = 0;
    assert_int_equal(share_parse(text, &n, &d), 0);
    assert_int_equal(n, num);
    assert_int_equal(d, den);
}

static void each_form_is_read(void **state)
{
    (void)state;
    assert_share("1/10", 1, 10);
    assert_share("0.1", 1, 10);
    assert_share("10%", 1, 10);
    assert_share("2.5%", 1, 40);
    assert_share("1", 1, 1);
    assert_share("100%", 1, 1);
    assert_share("0.1%", 1, 1000);
    assert_share("2/3", 2, 3);
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const out_of_range[] = {"0", "0%", "2", "101%", "3/2", "1/1001", "0.09%"};
    static const char *const no_share[] = {"", "%", "x", "-1", "1/0", "1 %", "1%%", "1/2/3"};
    uint64_t n = 7, d = 8;
    for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++)
        assert_int_equal(share_parse(out_of_range[i], &n, &d), -ERANGE);
    for (size_t i = 0; i < sizeof(no_share) / sizeof(no_share[0]); i++)
        assert_int_equal(share_parse(no_share[i], &n, &d), -EINVAL);
    assert_int_equal(share_parse(NULL, &n, &d), -EINVAL);
    assert_int_equal(n, 7);
    assert_int_equal(d, 8);
}

static void the_form_of_the_store(void **state)
{
    (void)state;
    char text[SHARE_TEXT_SIZE];
    share_format(1, 10, text);
    assert_string_equal(text, "1/10");
    share_format(1, 1, text);
    assert_string_equal(text, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(the_form_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
