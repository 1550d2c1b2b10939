/* SPDX-License-Identifier: MIT */
/* rules: verdicts as of a naive model, their order, mirrors and limits, on a bridge. */
#include "service/net/rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "packet_fixture.h"
#include "service/net/net.h"

enum { PORTS = 3, RANDOM_FRAMES = 20000 };
#define OWN(i) (UINT64_C(0x00163e000000) + (uint64_t)(i))

static struct net net;
static struct fixture_port ports[PORTS];
static struct why why;

static int begin(void **state)
{
    (void)state;
    struct net_bridge *bridge;
    if (net_init(&net, 1) < 0 || net_add_bridge(&net, "xenbr0", &bridge) < 0)
        return -1;
    for (int i = 0; i < PORTS; i++) {
        char name[] = "vif1.0";
        name[5] = (char)('0' + i);
        const struct net_port_config config = {.mac = OWN(i)};
        fixture_init(&ports[i], name, 256);
        if (net_connect(&net, &ports[i].port, "xenbr0", &config) < 0)
            return -1;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < PORTS; i++) {
        fixture_clear(&ports[i]);
        net_disconnect(&ports[i].port);
    }
    net_fini(&net);
    return 0;
}

static uint32_t add(const char *words, uint32_t before)
{
    uint32_t id = 0;
    assert_int_equal(net_rules_add(&net.rules, words, before, &id, &why), 0);
    return id;
}

static void send(int from, struct net_frame *frame, uint64_t now_ns)
{
    frame->arrived_ns = now_ns;
    net_port_input(&ports[from].port, frame);
    net_frame_put(frame);
}

static void assert_got(uint32_t first, uint32_t second, uint32_t third)
{
    assert_int_equal(ports[0].count, first);
    assert_int_equal(ports[1].count, second);
    assert_int_equal(ports[2].count, third);
}

static struct net_frame *tcp(int to, int from, uint16_t dport, uint8_t flags)
{
    return fixture_ipv4(OWN(to), OWN(from), NET_PROTOCOL_TCP, (uint8_t)(from + 1),
                        (uint8_t)(to + 1), flags == NET_TCP_SYN ? 1000 : 80, dport, flags);
}

static void the_first_rule_that_decides_counts(void **state)
{
    (void)state;
    uint32_t drop = add("dport=80 proto=tcp drop", 0);
    send(0, tcp(1, 0, 80, NET_TCP_SYN), 0);
    assert_got(0, 0, 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_RULE], 1);
    (void)add("in=vif1.0 accept", drop);
    send(0, tcp(1, 0, 80, NET_TCP_SYN), 0);
    assert_got(0, 1, 0);
    send(2, tcp(1, 2, 80, NET_TCP_SYN), 0);
    assert_got(0, 1, 0);
    assert_int_equal(net_rules_delete(&net.rules, drop), 0);
    assert_int_equal(net_rules_delete(&net.rules, drop), -ENOENT);
    send(2, tcp(1, 2, 80, NET_TCP_SYN), 0);
    assert_got(0, 2, 0);
}

static void a_flooded_frame_is_asked_about_for_each_port(void **state)
{
    (void)state;
    (void)add("out=vif1.2 drop", 0);
    fixture_send(&ports[0], UINT64_C(0xffffffffffff), OWN(0), 0);
    assert_got(0, 1, 0);
    assert_int_equal(ports[0].port.drops[NET_DROP_RULE], 1);
}

static void only_answers_come_in_through_a_stateful_rule(void **state)
{
    (void)state;
    (void)add("in=vif1.0 accept", 0);
    (void)add("state=established accept", 0);
    (void)add("drop", 0);
    send(1, tcp(0, 1, 80, NET_TCP_SYN), 0); /* from outside */
    assert_got(0, 0, 0);
    send(0, tcp(1, 0, 80, NET_TCP_SYN), 0);
    assert_got(0, 1, 0);
    send(1, tcp(0, 1, 1000, NET_TCP_SYN | NET_TCP_ACK), 0);
    assert_got(1, 1, 0);
    send(1, tcp(0, 1, 999, NET_TCP_ACK), 0); /* not an answer to that */
    assert_got(1, 1, 0);
    /* What was dropped was not noted. */
    assert_int_equal(net.rules.flows.count, 1);
}

/* Without a rule that asks for a state nothing is tracked. */
static void states_are_looked_at_while_a_rule_asks(void **state)
{
    (void)state;
    uint32_t plain = add("accept", 0), established = add("state=established accept", plain);
    (void)add("state=new accept", 0);
    assert_int_equal(net.rules.stateful, 2);
    assert_int_equal(net_rules_delete(&net.rules, plain), 0);
    assert_int_equal(net.rules.stateful, 2);
    assert_int_equal(net_rules_delete(&net.rules, established), 0);
    assert_int_equal(net.rules.stateful, 1);
    assert_int_equal(net.rules.count, 1);
}

/* All that it matches, also where another rule decides. */
static void a_rule_counts_what_it_matches(void **state)
{
    (void)state;
    (void)add("dport=80 mirror=vif1.2", 0);
    (void)add("dport=80 accept", 0);
    (void)add("drop", 0);
    struct net_frame *frame = tcp(1, 0, 80, NET_TCP_SYN);
    uint32_t bytes = frame->length_bytes;
    send(0, frame, 0);
    send(0, tcp(1, 0, 80, NET_TCP_SYN), 0);
    send(0, tcp(1, 0, 81, NET_TCP_SYN), 0);
    static const uint32_t frames[] = {2, 2, 1};
    const struct net_rule *rule = NULL;
    for (size_t i = 0; i < 3; i++) {
        rule = net_rules_next(&net.rules, rule);
        assert_int_equal(rule->matched.frames, frames[i]);
        assert_int_equal(rule->matched.bytes, frames[i] * bytes);
    }
}

static void a_mirror_gets_a_copy_and_changes_nothing(void **state)
{
    (void)state;
    (void)add("dport=80 mirror=vif1.2", 0);
    (void)add("mirror=nobody", 0);
    send(0, tcp(1, 0, 80, NET_TCP_SYN), 0);
    assert_got(0, 1, 1);
    assert_ptr_equal(ports[1].kept[0], ports[2].kept[0]);
}

static void a_limit_lets_the_rest_go_on(void **state)
{
    (void)state;
    (void)add("in=vif1.0 limit=10/second:3", 0);
    for (int i = 0; i < 10; i++)
        send(0, tcp(1, 0, 80, NET_TCP_SYN), 1000);
    assert_got(0, 3, 0);
    send(0, tcp(1, 0, 80, NET_TCP_SYN), 1000 + UINT64_C(100000000));
    assert_got(0, 4, 0);
    send(2, tcp(1, 2, 80, NET_TCP_SYN), 1000);
    assert_got(0, 5, 0);
}

static void rules_are_bounded_and_found_by_id(void **state)
{
    (void)state;
    uint32_t id;
    assert_int_equal(net_rules_add(&net.rules, "drop", 5, &id, &why), -ENOENT);
    for (int i = 0; i < NET_RULES_MAX; i++)
        (void)add("proto=99 drop", 0);
    assert_int_equal(net_rules_add(&net.rules, "drop", 0, &id, &why), -ENOSPC);
    assert_int_equal(net_rules_next(&net.rules, NULL)->id, 1);
}

/* ---- a naive model: rules as tables of wishes, frames as what they were made of ---- */

struct wish {
    int in, proto; /* -1: any */
    int source_max;
    int dport_max;
    bool accept;
};

static const struct wish wishes[] = {
    {-1, NET_PROTOCOL_ICMP, 3, -1, true},
    {0, NET_PROTOCOL_TCP, 255, 79, false},
    {-1, NET_PROTOCOL_TCP, 1, 1023, true},
    {1, NET_PROTOCOL_UDP, 63, 53, true},
    {2, -1, 127, -1, false},
    {-1, NET_PROTOCOL_UDP, 255, 1023, false},
};

static void add_wishes(void)
{
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        const struct wish *w = &wishes[i];
        char words[256] = "";
        size_t at = 0;
        int prefix = 32;
        for (int hosts = w->source_max; hosts > 0; hosts >>= 1)
            prefix--;
        if (w->in >= 0)
            at += (size_t)snprintf(words + at, sizeof(words) - at, "in=vif1.%d ", w->in);
        if (w->proto >= 0)
            at += (size_t)snprintf(words + at, sizeof(words) - at, "proto=%d ", w->proto);
        if (w->dport_max >= 0)
            at += (size_t)snprintf(words + at, sizeof(words) - at, "dport=0-%d ", w->dport_max);
        snprintf(words + at, sizeof(words) - at, "from=10.0.0.0/%d %s", prefix,
                 w->accept ? "accept" : "drop");
        (void)add(words, 0);
    }
    (void)add("from=10.0.0.192/26 drop", 0);
}

static bool wished(int in, int proto, int source, int dport)
{
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        const struct wish *w = &wishes[i];
        bool has_port = proto == NET_PROTOCOL_TCP || proto == NET_PROTOCOL_UDP;
        if ((w->in < 0 || w->in == in) && (w->proto < 0 || w->proto == proto) &&
            source <= w->source_max && (w->dport_max < 0 || (has_port && dport <= w->dport_max)))
            return w->accept;
    }
    return source < 192;
}

static void verdicts_are_those_of_a_naive_model(void **state)
{
    (void)state;
    struct prng prng;
    uint32_t passed = 0;
    static const uint8_t protocols[] = {NET_PROTOCOL_TCP, NET_PROTOCOL_UDP, NET_PROTOCOL_ICMP, 47};
    prng_init(&prng, 17, 0);
    add_wishes();
    for (int i = 0; i < RANDOM_FRAMES; i++) {
        int in = (int)prng_below(&prng, PORTS), out = (in + 1) % PORTS;
        uint8_t proto = protocols[prng_below(&prng, 4)], source = (uint8_t)prng_next(&prng);
        uint16_t dport = (uint16_t)(prng_next(&prng) >> (48 + prng_below(&prng, 10)));
        uint32_t before = ports[out].count;
        send(in, fixture_ipv4(OWN(out), OWN(in), proto, source, 200, 4000, dport, NET_TCP_SYN), 0);
        bool got = ports[out].count == before + 1;
        assert_int_equal(got, wished(in, proto, source, dport));
        passed += got;
        if (ports[out].count > 1000)
            fixture_clear(&ports[out]);
    }
    assert_true(passed > RANDOM_FRAMES / 10 && passed < RANDOM_FRAMES * 9 / 10);
}

#define ON_NET(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NET(the_first_rule_that_decides_counts),
        ON_NET(a_flooded_frame_is_asked_about_for_each_port),
        ON_NET(only_answers_come_in_through_a_stateful_rule),
        ON_NET(states_are_looked_at_while_a_rule_asks),
        ON_NET(a_rule_counts_what_it_matches),
        ON_NET(a_mirror_gets_a_copy_and_changes_nothing),
        ON_NET(a_limit_lets_the_rest_go_on),
        ON_NET(rules_are_bounded_and_found_by_id),
        ON_NET(verdicts_are_those_of_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
