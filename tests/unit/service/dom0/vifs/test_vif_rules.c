/* SPDX-License-Identifier: MIT */
/* vif_rules: the words of `service rule`. */
#include "service/dom0/vifs/vif_rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

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

static void a_single_rule_has_a_head_above_it(void **state)
{
    (void)state;
    assert_int_equal(command("add in=vif1.0 accept"), 0);
    assert_int_equal(command("list"), 0);
    assert_string_equal(answer, "   id       frames          bytes  rule\n"
                                "    1            0              0  in=vif1.0 accept\n");
}

static void rules_are_told_as_json(void **state)
{
    struct json json;
    char *text;
    size_t bytes;
    (void)state;
    assert_int_equal(command("add proto=tcp dport=80 drop"), 0);
    assert_int_equal(command("add before=1 in=vif1.0 accept"), 0);
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    vif_rules_write(&json, &rules);
    json_end(&json);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(
        text, "{\"rules\":["
              "{\"id\":2,\"words\":\"in=vif1.0 accept\",\"frames\":0,\"bytes\":0},"
              "{\"id\":1,\"words\":\"proto=6 dport=80 drop\",\"frames\":0,\"bytes\":0}]}");
    free(text);
}

#define WITH_RULES(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RULES(rules_are_added_listed_and_deleted),
        WITH_RULES(what_is_wrong_is_said),
        WITH_RULES(a_single_rule_has_a_head_above_it),
        WITH_RULES(rules_are_told_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
