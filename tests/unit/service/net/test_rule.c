/* SPDX-License-Identifier: MIT */
/* rule: words there and back, limits, and what is refused. */
#include "service/net/rule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct net_rule rule;
static struct why why;

static void words_come_back(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "accept",
        "drop",
        "bridge=xenbr0 in=vif1.0 out=vif2.0 smac=00:16:3e:00:00:01 dmac=ff:ff:ff:ff:ff:ff "
        "type=0x88b5 drop",
        "from=10.0.0.0/8 to=10.1.2.3/32 proto=6 sport=1024-65535 dport=80 "
        "state=new,established accept",
        "from=fe80::/10 proto=58 state=invalid drop",
        "limit=100/second:7",
        "mirror=vif3.0"};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char text[512];
        assert_int_equal(net_rule_parse(rules[i], &rule, &why), 0);
        net_rule_format(&rule, text, sizeof(text));
        assert_string_equal(text, rules[i]);
    }
}

static void names_stand_for_numbers(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("type=arp drop", &rule, &why), 0);
    assert_int_equal(rule.type, 0x0806);
    assert_int_equal(net_rule_parse("proto=icmp6 drop", &rule, &why), 0);
    assert_int_equal(rule.proto, 58);
    assert_int_equal(net_rule_parse("limit=5/second", &rule, &why), 0);
    assert_int_equal(rule.limit_burst, 5);
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "in=vif1.0",
                                        "accept drop",
                                        "accept=1",
                                        "limit",
                                        "limit=0/second",
                                        "limit=5/hour",
                                        "limit=5/second:0",
                                        "mirror=",
                                        "in= drop",
                                        "smac=00:16 drop",
                                        "type=0x12345 drop",
                                        "type=foo drop",
                                        "proto=256 drop",
                                        "sport=5-4 drop",
                                        "dport=65536 drop",
                                        "from=10.0.0 drop",
                                        "from=10.0.0.1 to=::1 drop",
                                        "state=old drop",
                                        "state= drop",
                                        "nonsense drop",
                                        "in=0123456789012345678901234567890123 drop"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        why.text[0] = '\0';
        assert_int_equal(net_rule_parse(wrong[i], &rule, &why), -EINVAL);
        assert_true(strlen(why.text) > 10);
    }
}

static void a_limit_is_a_rate_with_a_burst(void **state)
{
    (void)state;
    uint64_t passed = 0;
    assert_int_equal(net_rule_parse("limit=1000/second:10", &rule, &why), 0);
    for (int i = 0; i < 100; i++) /* at once: the burst */
        passed += net_rule_has_token(&rule, 5000);
    assert_int_equal(passed, 10);
    for (uint64_t ns = 5000; ns < 5000 + UINT64_C(2000000000); ns += 100000)
        passed += net_rule_has_token(&rule, ns);
    assert_true(passed >= 2009 && passed <= 2010);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_back),
        cmocka_unit_test(names_stand_for_numbers),
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(a_limit_is_a_rate_with_a_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
