/* SPDX-License-Identifier: MIT */
/* vif_rules: the words of `service rule`. */
#include "service/dom0/vifs/vif_rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct net_rules rules;
static struct why why;
static char *answer;

static int begin(void **state)
{
    (void)state;
    answer = NULL;
    return net_rules_init(&rules, 1);
}

static int end(void **state)
{
    (void)state;
    free(answer);
    net_rules_fini(&rules);
    return 0;
}

static int command(const char *text)
{
    free(answer);
    return vif_rules_command(&rules, text, &answer, &why);
}

static void rules_are_added_listed_and_deleted(void **state)
{
    (void)state;
    assert_int_equal(command("add proto=tcp dport=80 drop"), 0);
    assert_string_equal(answer, "1\n");
    assert_int_equal(command("add before=1 in=vif1.0 accept"), 0);
    assert_int_equal(command("list"), 0);
    assert_non_null(strstr(answer, "    2            0              0  in=vif1.0 accept\n"
                                   "    1            0              0  proto=6 dport=80 drop\n"));
    assert_int_equal(command("delete 1"), 0);
    assert_int_equal(command("delete 1"), -ENOENT);
    assert_int_equal(rules.count, 1);
    assert_int_equal(command("flush"), 0);
    assert_int_equal(command("list"), 0);
    assert_string_equal(answer, "");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_int_equal(command("add"), -EINVAL);
    assert_int_equal(command("add proto=tcp"), -EINVAL);
    assert_int_equal(command("add before=7 drop"), -ENOENT);
    assert_int_equal(command("add before=x drop"), -EINVAL);
    assert_int_equal(command("delete all"), -EINVAL);
    assert_int_equal(command("lists"), -EINVAL);
    assert_string_equal(why.text, "rule knows add, list, delete and flush, not 'lists'");
    assert_int_equal(rules.count, 0);
}

#define WITH_RULES(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RULES(rules_are_added_listed_and_deleted),
        WITH_RULES(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
