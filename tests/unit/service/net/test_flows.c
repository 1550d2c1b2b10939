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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
