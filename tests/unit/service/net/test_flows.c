/* SPDX-License-Identifier: MIT */
/* flows: states of connections, their ends, and what a flood of them costs. */
#include "service/net/flows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet_fixture.h"

#define SECOND_NS UINT64_C(1000000000)

static struct net_flows flows;
static struct net_flow_share a, b;
static uint64_t now_ns;

static int begin(void **state)
{
    (void)state;
    a = b = (struct net_flow_share){.count = 0};
    now_ns = 1000 * SECOND_NS;
    return net_flows_init(&flows, 77);
}

static int end(void **state)
{
    (void)state;
    net_flows_drop(&flows, &a);
    net_flows_drop(&flows, &b);
    net_flows_fini(&flows);
    return 0;
}

static uint8_t see(struct net_flow_share *share, struct net_frame *frame)
{
    struct net_packet packet;
    net_packet_read(frame, &packet);
    uint8_t found = net_flows_look(&flows, frame, &packet, now_ns);
    if (found == NET_STATE_NEW)
        net_flows_note(&flows, share, &packet, now_ns);
    net_frame_put(frame);
    return found;
}

static uint8_t udp(struct net_flow_share *share, uint8_t from, uint8_t to, uint16_t sport,
                   uint16_t dport)
{
    return see(share, fixture_ipv4(2, 4, NET_PROTOCOL_UDP, from, to, sport, dport, 0));
}

static uint8_t tcp(struct net_flow_share *share, uint8_t from, uint8_t to, uint8_t flags)
{
    uint16_t sport = from == 1 ? 1000 : 80, dport = from == 1 ? 80 : 1000;
    return see(share, fixture_ipv4(2, 4, NET_PROTOCOL_TCP, from, to, sport, dport, flags));
}

static uint8_t icmp(struct net_flow_share *share, uint8_t from, uint8_t to, uint8_t type)
{
    return see(share, fixture_ipv4(2, 4, NET_PROTOCOL_ICMP, from, to, 7, type, 0));
}

static void an_answer_establishes(void **state)
{
    (void)state;
    assert_int_equal(udp(&a, 1, 2, 5, 53), NET_STATE_NEW);
    assert_int_equal(udp(&a, 1, 2, 5, 53), NET_STATE_NEW); /* nobody has answered */
    assert_int_equal(udp(&b, 2, 1, 53, 5), NET_STATE_ESTABLISHED);
    assert_int_equal(udp(&a, 1, 2, 5, 53), NET_STATE_ESTABLISHED);
    assert_int_equal(udp(&b, 2, 1, 54, 5), NET_STATE_NEW); /* another port: another one */
    assert_int_equal(flows.count, 2);
}

static void tcp_begins_by_syn_or_in_its_middle(void **state)
{
    (void)state;
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN | NET_TCP_ACK), NET_STATE_INVALID);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_RST), NET_STATE_INVALID);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_FIN | NET_TCP_ACK), NET_STATE_INVALID);
    assert_int_equal(flows.count, 0);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN), NET_STATE_NEW);
    assert_int_equal(tcp(&b, 2, 1, NET_TCP_SYN | NET_TCP_ACK), NET_STATE_ESTABLISHED);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_ACK), NET_STATE_ESTABLISHED);
}

static void a_connection_that_is_over_begins_anew(void **state)
{
    (void)state;
    (void)tcp(&a, 1, 2, NET_TCP_SYN);
    (void)tcp(&b, 2, 1, NET_TCP_SYN | NET_TCP_ACK);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_FIN | NET_TCP_ACK), NET_STATE_ESTABLISHED);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN), NET_STATE_ESTABLISHED); /* half of it is there */
    assert_int_equal(tcp(&b, 2, 1, NET_TCP_FIN | NET_TCP_ACK), NET_STATE_ESTABLISHED);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN), NET_STATE_NEW);
    (void)tcp(&b, 2, 1, NET_TCP_RST | NET_TCP_ACK);
    assert_int_equal(tcp(&b, 2, 1, NET_TCP_SYN), NET_STATE_NEW); /* from the other end */
}

static void echoes_belong_together_and_nothing_else_does(void **state)
{
    (void)state;
    assert_int_equal(icmp(&b, 2, 1, 0), NET_STATE_INVALID);
    assert_int_equal(icmp(&a, 1, 2, 8), NET_STATE_NEW);
    assert_int_equal(icmp(&a, 1, 2, 0), NET_STATE_INVALID); /* its own answer is none */
    assert_int_equal(icmp(&b, 2, 1, 0), NET_STATE_ESTABLISHED);
    assert_int_equal(icmp(&a, 1, 2, 8), NET_STATE_ESTABLISHED);
    assert_int_equal(icmp(&a, 1, 2, 13), NET_STATE_INVALID);
}

static void an_error_is_related_to_what_it_is_about(void **state)
{
    (void)state;
    (void)udp(&a, 1, 2, 5, 53);
    struct net_frame *about = fixture_ipv4(2, 4, NET_PROTOCOL_UDP, 1, 2, 5, 53, 0);
    for (int known = 1; known >= 0; known--) {
        struct net_frame *error = fixture_ipv4(2, 4, NET_PROTOCOL_ICMP, 3, 1, 0, 3, 0);
        memcpy(error->data + 14 + 20 + 8, about->data + 14, 28);
        if (!known)
            error->data[14 + 20 + 8 + 19] = 9; /* to somebody else */
        assert_int_equal(see(&b, error), known ? NET_STATE_RELATED : NET_STATE_INVALID);
    }
    net_frame_put(about);
}

static void what_is_no_connection_is_invalid(void **state)
{
    (void)state;
    assert_int_equal(see(&a, fixture_frame(2, 4, NET_ETHERTYPE_ARP, 60)), NET_STATE_INVALID);
    struct net_frame *fragment = fixture_ipv4(2, 4, NET_PROTOCOL_UDP, 1, 2, 5, 53, 0);
    fragment->data[14 + 7] = 8;
    assert_int_equal(see(&a, fragment), NET_STATE_INVALID);
}

static void silence_forgets(void **state)
{
    (void)state;
    (void)udp(&a, 1, 2, 5, 53);
    now_ns += 31 * SECOND_NS;
    assert_int_equal(udp(&b, 2, 1, 53, 5), NET_STATE_NEW);
    assert_int_equal(udp(&a, 1, 2, 5, 53), NET_STATE_ESTABLISHED);
    now_ns += 119 * SECOND_NS;
    assert_int_equal(udp(&a, 1, 2, 5, 53), NET_STATE_ESTABLISHED);
}

static void a_flood_of_connections_costs_its_own_port_alone(void **state)
{
    (void)state;
    (void)udp(&b, 9, 1, 5, 53);
    (void)udp(&a, 1, 2, 5, 53);
    (void)udp(&b, 2, 1, 53, 5); /* answered: the last to go */
    for (uint32_t i = 0; i < 3 * NET_FLOWS_PORT_MAX; i++)
        (void)udp(&a, 1, 3, (uint16_t)i, (uint16_t)(100 + (i >> 16)));
    assert_int_equal(a.count, NET_FLOWS_PORT_MAX);
    assert_int_equal(flows.count, NET_FLOWS_PORT_MAX + 1);
    assert_int_equal(udp(&a, 1, 2, 5, 53), NET_STATE_ESTABLISHED);
    assert_int_equal(udp(&a, 1, 9, 53, 5), NET_STATE_ESTABLISHED); /* the other's is there */
}

static uint8_t echo(struct net_flow_share *share, uint8_t from, uint8_t to, uint16_t id,
                    uint8_t type)
{
    return see(share, fixture_ipv4(2, 4, NET_PROTOCOL_ICMP, from, to, id, type, 0));
}

/* Two pings between the same ends are two connections. */
static void echoes_are_told_apart_by_their_ids(void **state)
{
    (void)state;
    assert_int_equal(echo(&a, 1, 2, 7, 8), NET_STATE_NEW);
    assert_int_equal(echo(&b, 2, 1, 8, 0), NET_STATE_INVALID); /* an answer to no question */
    assert_int_equal(echo(&a, 1, 2, 8, 8), NET_STATE_NEW);
    assert_int_equal(flows.count, 2);
    assert_int_equal(echo(&b, 2, 1, 8, 0), NET_STATE_ESTABLISHED);
    assert_int_equal(echo(&a, 1, 2, 7, 8), NET_STATE_NEW); /* still without an answer */
}

static void a_connection_lasts_as_long_as_its_kind(void **state)
{
    (void)state;
    const struct {
        bool is_tcp, answered;
        uint64_t patience_s;
    } kinds[] = {{true, false, 120}, {true, true, 3600}, {false, false, 30}, {false, true, 120}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint64_t late_ns = 0; late_ns < 2; late_ns++) {
            assert_int_equal(kinds[i].is_tcp ? tcp(&a, 1, 2, NET_TCP_ACK) : udp(&a, 1, 2, 5, 53),
                             NET_STATE_NEW);
            if (kinds[i].answered)
                (void)(kinds[i].is_tcp ? tcp(&b, 2, 1, NET_TCP_ACK) : udp(&b, 2, 1, 53, 5));
            now_ns += kinds[i].patience_s * SECOND_NS + late_ns;
            assert_int_equal(kinds[i].is_tcp ? tcp(&b, 2, 1, NET_TCP_ACK) : udp(&b, 2, 1, 53, 5),
                             late_ns == 0 ? NET_STATE_ESTABLISHED : NET_STATE_NEW);
            net_flows_drop(&flows, &a);
            net_flows_drop(&flows, &b);
        }
    }
}

static void a_connection_that_is_over_is_forgotten_within_seconds(void **state)
{
    (void)state;
    (void)tcp(&a, 1, 2, NET_TCP_SYN);
    (void)tcp(&b, 2, 1, NET_TCP_SYN | NET_TCP_ACK);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_RST), NET_STATE_ESTABLISHED);
    now_ns += 10 * SECOND_NS;
    assert_int_equal(tcp(&b, 2, 1, NET_TCP_ACK), NET_STATE_ESTABLISHED);
    now_ns += 10 * SECOND_NS + 1;
    assert_int_equal(tcp(&b, 2, 1, NET_TCP_ACK), NET_STATE_NEW);
    assert_int_equal(flows.count, 1); /* the old one is gone */
    assert_int_equal(a.count, 0);
}

static void only_a_plain_syn_begins_what_is_over_anew(void **state)
{
    (void)state;
    static const uint8_t others[] = {NET_TCP_ACK, NET_TCP_SYN | NET_TCP_ACK,
                                     NET_TCP_SYN | NET_TCP_RST};
    (void)tcp(&a, 1, 2, NET_TCP_SYN);
    (void)tcp(&b, 2, 1, NET_TCP_RST | NET_TCP_ACK);
    for (size_t i = 0; i < sizeof(others); i++)
        assert_int_equal(tcp(&a, 1, 2, others[i]), NET_STATE_ESTABLISHED);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN), NET_STATE_NEW);
}

/* A FIN twice from one end is one end. */
static void an_end_is_that_of_both(void **state)
{
    (void)state;
    (void)tcp(&a, 1, 2, NET_TCP_SYN);
    (void)tcp(&b, 2, 1, NET_TCP_FIN | NET_TCP_ACK);
    (void)tcp(&b, 2, 1, NET_TCP_FIN | NET_TCP_ACK);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN), NET_STATE_ESTABLISHED);
    (void)tcp(&a, 1, 2, NET_TCP_FIN);
    assert_int_equal(tcp(&a, 1, 2, NET_TCP_SYN), NET_STATE_NEW);
}

/* Behind the ports of a UDP packet the same byte may be anything. */
static void udp_knows_no_flags(void **state)
{
    (void)state;
    struct net_packet packet = {.family = 4,
                                .protocol = NET_PROTOCOL_UDP,
                                .has_protocol = true,
                                .has_ports = true,
                                .tcp_flags = NET_TCP_RST};
    assert_int_equal(net_flows_look(&flows, NULL, &packet, now_ns), NET_STATE_NEW);
    net_flows_note(&flows, &a, &packet, now_ns);
    now_ns += 29 * SECOND_NS;
    packet.tcp_flags = NET_TCP_SYN;
    assert_int_equal(net_flows_look(&flows, NULL, &packet, now_ns), NET_STATE_NEW);
    assert_int_equal(flows.count, 1);
}

static struct net_packet icmp_packet(uint8_t family, uint8_t type)
{
    return (struct net_packet){.family = family,
                               .has_protocol = true,
                               .has_icmp = true,
                               .protocol = family == 4 ? NET_PROTOCOL_ICMP : NET_PROTOCOL_ICMPV6,
                               .icmp_type = type,
                               .icmp_id = 3,
                               .transport_byte = 34};
}

static void of_icmp_an_echo_s_question_begins_and_nothing_else_does(void **state)
{
    (void)state;
    struct net_frame *frame = net_frame_new(60);
    for (int type = 0; type < 256; type++) {
        struct net_packet v4 = icmp_packet(4, (uint8_t)type), v6 = icmp_packet(6, (uint8_t)type);
        memset(frame->data, 0, 60);
        assert_int_equal(net_flows_look(&flows, frame, &v4, now_ns),
                         type == 8 ? NET_STATE_NEW : NET_STATE_INVALID);
        assert_int_equal(net_flows_look(&flows, frame, &v6, now_ns),
                         type == 128 ? NET_STATE_NEW : NET_STATE_INVALID);
        v4.has_icmp = false;
        assert_int_equal(net_flows_look(&flows, frame, &v4, now_ns), NET_STATE_INVALID);
    }
    net_frame_put(frame);
}

/* Types 3, 4, 5, 11 and 12 of IPv4, those below 128 of IPv6. */
static void errors_are_those_types_that_carry_a_packet(void **state)
{
    (void)state;
    struct net_frame *about = fixture_ipv4(2, 4, NET_PROTOCOL_UDP, 1, 2, 5, 53, 0);
    (void)udp(&a, 1, 2, 5, 53);
    for (int type = 0; type < 20; type++) {
        struct net_frame *error = fixture_ipv4(2, 4, NET_PROTOCOL_ICMP, 3, 1, 0, (uint16_t)type, 0);
        memcpy(error->data + 14 + 20 + 8, about->data + 14, 28);
        bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
        assert_int_equal(see(&b, error), is_error    ? NET_STATE_RELATED
                                         : type == 8 ? NET_STATE_NEW
                                                     : NET_STATE_INVALID);
        net_flows_drop(&flows, &b);
    }
    net_frame_put(about);
}

static void an_error_about_an_answer_is_related(void **state)
{
    (void)state;
    (void)udp(&a, 1, 2, 5, 53);
    struct net_frame *about = fixture_ipv4(2, 4, NET_PROTOCOL_UDP, 2, 1, 53, 5, 0);
    struct net_frame *error = fixture_ipv4(2, 4, NET_PROTOCOL_ICMP, 1, 2, 0, 3, 0);
    memcpy(error->data + 14 + 20 + 8, about->data + 14, 28);
    assert_int_equal(see(&b, net_frame_get(error)), NET_STATE_RELATED);
    error->data[14 + 20 + 8 + 7] = 1; /* about a later fragment: it has no ports */
    assert_int_equal(see(&b, error), NET_STATE_INVALID);
    net_frame_put(about);
}

static void an_error_of_ipv6_is_related_to_what_it_is_about(void **state)
{
    (void)state;
    struct net_frame *frame = net_frame_new(14 + 40 + 8 + 40 + 8);
    struct net_packet inner, outer = icmp_packet(6, 1);
    memset(frame->data, 0, frame->length_bytes);
    memcpy(frame->data + 12, "\x86\xdd\x60", 3);
    frame->data[14 + 6] = NET_PROTOCOL_UDP;
    frame->data[14 + 23] = 1, frame->data[14 + 39] = 2;
    frame->data[14 + 41] = 5, frame->data[14 + 43] = 53;
    net_packet_read(frame, &inner);
    assert_int_equal(net_flows_look(&flows, frame, &inner, now_ns), NET_STATE_NEW);
    net_flows_note(&flows, &a, &inner, now_ns);
    memcpy(frame->data + 14 + 48, frame->data + 14, 48);
    outer.transport_byte = 14 + 40;
    assert_int_equal(net_flows_look(&flows, frame, &outer, now_ns), NET_STATE_RELATED);
    outer.icmp_type = 127;
    assert_int_equal(net_flows_look(&flows, frame, &outer, now_ns), NET_STATE_RELATED);
    outer.transport_byte = frame->length_bytes - 8; /* about nothing */
    assert_int_equal(net_flows_look(&flows, frame, &outer, now_ns), NET_STATE_INVALID);
    net_frame_put(frame);
}

static void the_oldest_connections_without_an_answer_go_first(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NET_FLOWS_PORT_MAX; i++)
        (void)udp(&a, 1, 2, (uint16_t)i, 53);
    assert_int_equal(flows.recycled, 0);
    (void)udp(&a, 1, 2, 0, 53); /* seen again: no longer the oldest */
    assert_int_equal(a.count, NET_FLOWS_PORT_MAX);
    (void)udp(&a, 1, 3, 0, 53);
    assert_int_equal(flows.recycled, 1);
    assert_int_equal(udp(&b, 2, 1, 53, 0), NET_STATE_ESTABLISHED);
    assert_int_equal(udp(&b, 2, 1, 53, 2), NET_STATE_ESTABLISHED);
    assert_int_equal(udp(&b, 2, 1, 53, 1), NET_STATE_NEW);
}

static void a_port_whose_connections_are_all_answered_forgets_the_oldest(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NET_FLOWS_PORT_MAX; i++) {
        (void)udp(&a, 1, 2, (uint16_t)i, 53);
        (void)udp(&b, 2, 1, 53, (uint16_t)i);
    }
    (void)udp(&a, 1, 3, 0, 53);
    assert_int_equal(a.count, NET_FLOWS_PORT_MAX);
    assert_int_equal(udp(&b, 2, 1, 53, 0), NET_STATE_NEW);
    assert_int_equal(udp(&b, 2, 1, 53, 1), NET_STATE_ESTABLISHED);
}

#define WITH_FLOWS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FLOWS(an_answer_establishes),
        WITH_FLOWS(tcp_begins_by_syn_or_in_its_middle),
        WITH_FLOWS(a_connection_that_is_over_begins_anew),
        WITH_FLOWS(echoes_belong_together_and_nothing_else_does),
        WITH_FLOWS(an_error_is_related_to_what_it_is_about),
        WITH_FLOWS(what_is_no_connection_is_invalid),
        WITH_FLOWS(silence_forgets),
        WITH_FLOWS(a_flood_of_connections_costs_its_own_port_alone),
        WITH_FLOWS(echoes_are_told_apart_by_their_ids),
        WITH_FLOWS(a_connection_lasts_as_long_as_its_kind),
        WITH_FLOWS(a_connection_that_is_over_is_forgotten_within_seconds),
        WITH_FLOWS(only_a_plain_syn_begins_what_is_over_anew),
        WITH_FLOWS(an_end_is_that_of_both),
        WITH_FLOWS(udp_knows_no_flags),
        WITH_FLOWS(of_icmp_an_echo_s_question_begins_and_nothing_else_does),
        WITH_FLOWS(errors_are_those_types_that_carry_a_packet),
        WITH_FLOWS(an_error_about_an_answer_is_related),
        WITH_FLOWS(an_error_of_ipv6_is_related_to_what_it_is_about),
        WITH_FLOWS(the_oldest_connections_without_an_answer_go_first),
        WITH_FLOWS(a_port_whose_connections_are_all_answered_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
