/* SPDX-License-Identifier: MIT */
/* one_line: text that neither begins another line nor steers the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/one_line.h"

static const char strange[] = "a\tb\033[31m\n\177\001 ~\303\244";

static const char plain[] = "a?b?[31m??? ~\303\244";

static void control_characters_are_replaced(void **state)
{
    char text[] = "a\tb\033[31m\n\177\001 ~\303\244";

    (void)state;
    one_line_keep(text);
    assert_string_equal(text, plain);
}

static void they_are_not_written(void **state)
{
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    assert_non_null(out);
    one_line_put(strange, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, plain);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_replaced),
        cmocka_unit_test(they_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
