/* SPDX-License-Identifier: MIT */
/* options: of a caller that was compiled with an earlier or a later header. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "domu/options.h"

struct ours {
    size_t size;
    uint64_t first, later;
};

struct theirs {
    struct ours ours;
    uint64_t latest;
};

static const struct options_shape shape = {"struct ours", offsetof(struct ours, later),
                                           sizeof(struct ours)};
static struct ours out;
static char why[256];

static int copy(const void *given)
{
    memset(&out, 0xff, sizeof(out));
    return options_copy(&out, given, &shape, why, sizeof(why));
}

static void what_an_earlier_caller_does_not_have_is_zero(void **state)
{
    (void)state;
    struct ours given = {.size = offsetof(struct ours, later), .first = 1, .later = 2};
    assert_int_equal(copy(&given), 0);
    assert_int_equal(out.first, 1);
    assert_int_equal(out.later, 0);
}

static void a_later_caller_may_leave_at_zero_what_we_do_not_know(void **state)
{
    (void)state;
    struct theirs given = {.ours = {.size = sizeof(given), .first = 1, .later = 2}};
    assert_int_equal(copy(&given), 0);
    assert_int_equal(out.later, 2);
    given.latest = 1;
    assert_int_equal(copy(&given), -E2BIG);
}

static void a_size_that_is_not_set_is_told(void **state)
{
    (void)state;
    struct ours given = {.first = 1};
    static const size_t sizes[] = {0, offsetof(struct ours, later) - 1, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        given.size = sizes[i];
        assert_int_equal(copy(&given), -EINVAL);
        assert_non_null(strstr(why, "sizeof(struct ours)"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_earlier_caller_does_not_have_is_zero),
        cmocka_unit_test(a_later_caller_may_leave_at_zero_what_we_do_not_know),
        cmocka_unit_test(a_size_that_is_not_set_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
