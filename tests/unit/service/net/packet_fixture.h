/* SPDX-License-Identifier: MIT */
/* IPv4 frames of TCP, UDP and ICMP for the tests of rules. */
#ifndef SPLITDOM_TESTS_PACKET_FIXTURE_H
#define SPLITDOM_TESTS_PACKET_FIXTURE_H

#include "net_fixture.h"
#include "service/net/packet.h"

/* Hosts are 10.0.0.N. first, second: the ports; of ICMP the id and the type. */
static inline struct net_frame *fixture_ipv4(uint64_t to, uint64_t from, uint8_t protocol,
                                             uint8_t source, uint8_t target, uint16_t first,
                                             uint16_t second, uint8_t flags)
{
    struct net_frame *frame = fixture_frame(to, from, NET_ETHERTYPE_IPV4, 74);
    uint8_t *ip = frame->data + 14, *l4 = ip + 20;

    ip[0] = 0x45;
    ip[3] = 60;
    ip[8] = 64;
    ip[9] = protocol;
    ip[12] = ip[16] = 10;
    ip[15] = source;
    ip[19] = target;
    if (protocol == NET_PROTOCOL_ICMP) {
        l4[0] = (uint8_t)second;
        l4[4] = (uint8_t)(first >> 8);
        l4[5] = (uint8_t)first;
    } else {
        l4[0] = (uint8_t)(first >> 8);
        l4[1] = (uint8_t)first;
        l4[2] = (uint8_t)(second >> 8);
        l4[3] = (uint8_t)second;
    }
    if (protocol == NET_PROTOCOL_TCP) {
        l4[12] = 0x50;
        l4[13] = flags;
    }
    return frame;
}

#endif
