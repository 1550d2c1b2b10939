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

static void macs_are_six_numbers_of_one_or_two_digits(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("smac=0:1:2:a:B:fF dmac=01:02:03:04:05:06 drop", &rule, &why),
                     0);
    assert_int_equal(rule.smac, 0x0001020a0bff);
    assert_int_equal(rule.dmac, 0x010203040506);
    static const char *const wrong[] = {"smac=0:1:2:3:4:005 drop", "smac=000:1:2:3:4:5 drop",
                                        "smac=0:1:2:3:4: drop",    "smac=:1:2:3:4:5 drop",
                                        "smac=0:1:2:3:4:5:6 drop", "smac=0:1:2:3:4 drop",
                                        "smac=0:1:2-3:4:5 drop",   "smac=0:1:2:3:4:g drop"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(net_rule_parse(wrong[i], &rule, &why), -EINVAL);
}

static void each_name_of_a_type_a_protocol_and_a_state_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint16_t type;
        uint8_t proto, states;
    } names[] = {
        {"type=ip drop", 0x0800, 0, 0},      {"type=ip6 drop", 0x86dd, 0, 0},
        {"type=arp drop", 0x0806, 0, 0},     {"type=vlan drop", 0x8100, 0, 0},
        {"type=0x1 drop", 1, 0, 0},          {"type=0xFfff drop", 0xffff, 0, 0},
        {"proto=tcp drop", 0, 6, 0},         {"proto=udp drop", 0, 17, 0},
        {"proto=icmp drop", 0, 1, 0},        {"proto=icmp6 drop", 0, 58, 0},
        {"proto=0 drop", 0, 0, 0},           {"proto=255 drop", 0, 255, 0},
        {"state=new drop", 0, 0, 1},         {"state=established drop", 0, 0, 2},
        {"state=related drop", 0, 0, 4},     {"state=invalid drop", 0, 0, 8},
        {"state=invalid,new drop", 0, 0, 9},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(net_rule_parse(names[i].words, &rule, &why), 0);
        assert_int_equal(rule.type, names[i].type);
        assert_int_equal(rule.proto, names[i].proto);
        assert_int_equal(rule.states, names[i].states);
        assert_int_equal(rule.has_type, names[i].words[0] == 't');
        assert_int_equal(rule.has_proto, names[i].words[0] == 'p');
    }
    static const char *const wrong[] = {"type=0x drop",   "type=1x88 drop", "type=0y88 drop",
                                        "type=0x8g drop", "type=0x drop",   "proto= drop"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(net_rule_parse(wrong[i], &rule, &why), -EINVAL);
}

static void a_state_may_be_named_twice(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("state=new,related,new drop", &rule, &why), 0);
    assert_int_equal(rule.states, NET_STATE_NEW | NET_STATE_RELATED);
    assert_int_equal(net_rule_parse("state=new,old,new drop", &rule, &why), -EINVAL);
}

static void the_bounds_of_numbers_are_allowed(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("sport=0 dport=0-65535 drop", &rule, &why), 0);
    assert_int_equal(rule.sport[0], 0);
    assert_int_equal(rule.sport[1], 0);
    assert_int_equal(rule.dport[1], 65535);
    assert_int_equal(net_rule_parse("dport=5-5 drop", &rule, &why), 0);
    assert_int_equal(rule.dport[1], 5);
    assert_int_equal(net_rule_parse("limit=1/second:1", &rule, &why), 0);
    assert_int_equal(rule.tokens_ns, 1000000000);
    assert_int_equal(net_rule_parse("limit=1000000000/second:1000000", &rule, &why), 0);
    assert_int_equal(rule.tokens_ns, 1000000);
    static const char *const wrong[] = {
        "limit=1000000001/second", "limit=1/second:1000001", "limit=1",           "limit=1/seconds",
        "sport=-5 drop",           "sport=5- drop",          "sport=1-65536 drop"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(net_rule_parse(wrong[i], &rule, &why), -EINVAL);
}

static void what_is_wrong_is_quoted_whole(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("sport=x drop", &rule, &why), -EINVAL);
    assert_string_equal(why.text, "invalid value in `sport=x'");
    assert_int_equal(net_rule_parse("accept=1", &rule, &why), -EINVAL);
    assert_string_equal(why.text, "unrecognized argument `accept=1'");
    char longest[96 + 8] = "in=";
    memset(longest + 3, 'x', 96 - 3); /* 96 characters: one more than a word may have */
    assert_int_equal(net_rule_parse(longest, &rule, &why), -EINVAL);
    assert_non_null(strstr(why.text, "too long"));
    longest[95] = '\0';
    assert_int_equal(net_rule_parse(longest, &rule, &why), -EINVAL);
    assert_null(strstr(why.text, "too long"));
}

static void a_name_is_shorter_than_a_port_s(void **state)
{
    (void)state;
    char words[NET_PORT_NAME_SIZE + 16] = "bridge=";
    memset(words + 7, 'b', NET_PORT_NAME_SIZE - 1);
    strcpy(words + 7 + NET_PORT_NAME_SIZE - 1, " drop");
    assert_int_equal(net_rule_parse(words, &rule, &why), 0);
    assert_int_equal(strlen(rule.bridge), NET_PORT_NAME_SIZE - 1);
    strcpy(words + 7 + NET_PORT_NAME_SIZE - 1, "b drop");
    assert_int_equal(net_rule_parse(words, &rule, &why), -EINVAL);
}

static void spaces_between_words_do_not_count(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("  in=a   drop ", &rule, &why), 0);
    assert_string_equal(rule.in, "a");
    assert_int_equal(rule.action, NET_RULE_DROP);
    assert_int_equal(rule.id, 0);
    assert_int_equal(rule.tokens_ns, 0);
}

/* Does the rule match the packet below, from port "in" of bridge "br" to port "out"? */
static bool is_about(const char *words)
{
    static const struct net_port in = {.name = "in"}, out = {.name = "out"};
    struct net_packet packet = {.from = 0x020000000001,
                                .to = 0x020000000002,
                                .ethertype = 0x8100,
                                .family = 4,
                                .has_protocol = true,
                                .protocol = NET_PROTOCOL_UDP,
                                .has_ports = true,
                                .source_port = 1000,
                                .target_port = 53};
    memcpy(packet.source.bytes, (const uint8_t[]){10, 0, 0, 1}, 4);
    memcpy(packet.target.bytes, (const uint8_t[]){10, 0, 0, 2}, 4);
    char all[256];
    (void)snprintf(all, sizeof all, "%s drop", words);
    assert_int_equal(net_rule_parse(all, &rule, &why), 0);
    return net_rule_matches(&rule, "br", &in, &out, &packet, NET_STATE_NEW);
}

static void everything_that_is_named_must_hold(void **state)
{
    (void)state;
    static const char *const right[] = {"",          "bridge=br",        "in=in",
                                        "out=out",   "smac=2:0:0:0:0:1", "dmac=2:0:0:0:0:2",
                                        "type=vlan", "from=10.0.0.1",    "to=10.0.0.0/24",
                                        "proto=udp", "sport=1000",       "dport=53",
                                        "state=new", "state=related,new"};
    static const char *const wrong[] = {
        "bridge=b",         "in=out",   "out=in",        "smac=2:0:0:0:0:2",
        "dmac=2:0:0:0:0:1", "type=ip",  "from=10.0.0.2", "to=10.0.1.0/24",
        "proto=tcp",        "sport=53", "dport=1000",    "state=established"};
    const size_t rights = sizeof(right) / sizeof(right[0]);
    for (size_t i = 0; i < rights; i++) {
        char two[256];
        assert_true(is_about(right[i]));
        (void)snprintf(two, sizeof two, "%s %s", right[i], right[(i + 1) % rights]);
        assert_true(is_about(two));
    }
    assert_false(is_about("from=::/0"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(is_about(wrong[i]));
        for (size_t k = 0; k < rights; k++) {
            char two[256];
            if (strncmp(right[k], wrong[i], strcspn(wrong[i], "=")) == 0)
                continue; /* the later word would replace the first */
            (void)snprintf(two, sizeof two, "%s %s", right[k], wrong[i]);
            assert_false(is_about(two));
        }
    }
}

static void both_ends_of_a_range_of_ports_belong_to_the_range(void **state)
{
    (void)state;
    assert_true(is_about("sport=1000-1001"));
    assert_true(is_about("sport=999-1000"));
    assert_false(is_about("sport=1001-1002"));
    assert_false(is_about("sport=998-999"));
    assert_true(is_about("dport=53-54"));
    assert_true(is_about("dport=52-53"));
    assert_false(is_about("dport=54-55"));
    assert_false(is_about("dport=51-52"));
    assert_false(is_about("sport=1000 dport=54"));
    assert_false(is_about("sport=999 dport=53"));
}

static void a_packet_without_ports_has_no_port_of_a_rule(void **state)
{
    (void)state;
    static const struct net_port port = {.name = "in"};
    const struct net_packet packet = {.family = 4, .protocol = NET_PROTOCOL_TCP};
    assert_int_equal(net_rule_parse("sport=0-65535 drop", &rule, &why), 0);
    assert_false(net_rule_matches(&rule, "br", &port, &port, &packet, NET_STATE_NEW));
    assert_int_equal(net_rule_parse("dport=0-65535 drop", &rule, &why), 0);
    assert_false(net_rule_matches(&rule, "br", &port, &port, &packet, NET_STATE_NEW));
    assert_int_equal(net_rule_parse("proto=tcp drop", &rule, &why), 0); /* it is not known */
    assert_false(net_rule_matches(&rule, "br", &port, &port, &packet, NET_STATE_NEW));
}

static void a_limit_never_has_more_than_its_burst(void **state)
{
    (void)state;
    assert_int_equal(net_rule_parse("limit=10/second:2", &rule, &why), 0);
    assert_true(net_rule_has_token(&rule, 1000));
    assert_true(net_rule_has_token(&rule, 1000));
    assert_false(net_rule_has_token(&rule, 1000));
    assert_false(
        net_rule_has_token(&rule, 1000 + 99999999)); /* a tenth of a second, but for 1 ns */
    assert_true(net_rule_has_token(&rule, 1000 + 100000000));
    assert_false(net_rule_has_token(&rule, 1000 + 100000000));
    assert_true(net_rule_has_token(&rule, UINT64_C(1000000000000)));
    assert_true(net_rule_has_token(&rule, UINT64_C(1000000000000)));
    assert_false(net_rule_has_token(&rule, UINT64_C(1000000000000)));
    assert_false(net_rule_has_token(&rule, 5)); /* a clock that went back */
}

static void a_rule_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(net_rule_parse("in=vif1.0 drop", &rule, &why), 0);
    net_rule_format(&rule, text, sizeof text);
    assert_string_equal(text, "in=vif1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_back),
        cmocka_unit_test(names_stand_for_numbers),
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(a_limit_is_a_rate_with_a_burst),
        cmocka_unit_test(macs_are_six_numbers_of_one_or_two_digits),
        cmocka_unit_test(each_name_of_a_type_a_protocol_and_a_state_is_known),
        cmocka_unit_test(a_state_may_be_named_twice),
        cmocka_unit_test(the_bounds_of_numbers_are_allowed),
        cmocka_unit_test(what_is_wrong_is_quoted_whole),
        cmocka_unit_test(a_name_is_shorter_than_a_port_s),
        cmocka_unit_test(spaces_between_words_do_not_count),
        cmocka_unit_test(everything_that_is_named_must_hold),
        cmocka_unit_test(both_ends_of_a_range_of_ports_belong_to_the_range),
        cmocka_unit_test(a_packet_without_ports_has_no_port_of_a_rule),
        cmocka_unit_test(a_limit_never_has_more_than_its_burst),
        cmocka_unit_test(a_rule_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
