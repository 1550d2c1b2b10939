/* SPDX-License-Identifier: MIT */
/* net_packets: frames of all kinds that a bridge, its guards and its rules look into, nearly right:
 * what they are is the fuzzer's to say, and then it changes and cuts them. */
#ifndef SPLITDOM_TESTS_FUZZ_NET_PACKETS_H
#define SPLITDOM_TESTS_FUZZ_NET_PACKETS_H

#include "fuzz/input.h"
#include "service/net/frame.h"
#include "service/net/mac.h"
#include "service/net/packet.h"

enum { PACKET_MAX_BYTES = 600 };

struct packet_writer {
    uint8_t bytes[PACKET_MAX_BYTES];
    uint32_t length_bytes;
};

static inline void put_byte(struct packet_writer *p, uint8_t value)
{
    if (p->length_bytes < PACKET_MAX_BYTES)
        p->bytes[p->length_bytes++] = value;
}

static inline void put_word(struct packet_writer *p, uint16_t value)
{
    put_byte(p, (uint8_t)(value >> 8));
    put_byte(p, (uint8_t)value);
}

static inline void put_bytes(struct packet_writer *p, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_byte(p, bytes[i]);
}

static inline uint64_t own_mac(uint32_t port)
{
    return UINT64_C(0x00163e000000) + port;
}

/* An interface's own one, a group's, the next bridge's, one of many, or any. */
static inline void put_mac(struct packet_writer *p, struct input *in)
{
    static const uint8_t link_local[] = {0x01, 0x80, 0xc2, 0, 0};
    uint8_t what = take(in), any[NET_MAC_BYTES] = {0};
    if (what < 96) {
        for (int shift = 40; shift >= 0; shift -= 8)
            put_byte(p, (uint8_t)(own_mac(what % 8) >> shift));
    } else if (what < 160) {
        for (int i = 0; i < NET_MAC_BYTES; i++)
            put_byte(p, what < 128 ? 0xff : (uint8_t)(i == 0 ? 0x33 : what));
    } else if (what < 176) {
        put_bytes(p, link_local, sizeof(link_local));
        put_byte(p, what & 15);
    } else {
        (void)take_bytes(in, any, what < 224 ? 2 : sizeof(any));
        any[0] &= what < 224 ? 0xfe : 0xff;
        put_bytes(p, any, sizeof(any));
    }
}

/* TCP, UDP and ICMP; of few ports, so that connections meet. */
static inline void put_transport(struct packet_writer *p, uint8_t protocol, struct input *in)
{
    static const uint8_t neighbours[] = {133, 134, 135, 136, 137, 128, 129, 1};
    uint8_t what = take(in);
    if (protocol == NET_PROTOCOL_TCP || protocol == NET_PROTOCOL_UDP) {
        put_word(p, 80 + (what & 3));
        put_word(p, 80 + (what >> 2 & 3));
        for (int i = 0; i < 9; i++)
            put_byte(p, 0);
        put_byte(p, take(in)); /* flags */
        for (int i = 0; i < 6; i++)
            put_byte(p, 0);
        return;
    }
    put_byte(p, protocol == NET_PROTOCOL_ICMPV6 ? neighbours[what & 7] : what & 15);
    for (int i = 0; i < 4; i++)
        put_byte(p, 0);
    put_byte(p, what >> 6);
    put_word(p, 0);
}

static inline void put_ipv4(struct packet_writer *p, struct input *in)
{
    static const uint8_t protocols[] = {1, 6, 17, 47};
    uint8_t what = take(in), hosts = take(in);
    put_byte(p, 0x45 + (what & 1));
    for (int i = 0; i < 5; i++)
        put_byte(p, 0);
    put_word(p, (what & 0xe) == 0xe ? 0x2001 : 0); /* a later fragment */
    put_byte(p, 64);
    put_byte(p, protocols[what >> 4 & 3]);
    put_word(p, 0);
    for (int i = 0; i < 2; i++) {
        put_word(p, 0x0a00);
        put_word(p, hosts >> (4 * i) & 7);
    }
    if ((what & 1) != 0)
        put_word(p, 0), put_word(p, 0);
    put_transport(p, protocols[what >> 4 & 3], in);
}

static inline void put_ipv6(struct packet_writer *p, struct input *in)
{
    static const uint8_t next[] = {58, 6, 17, 0, 43, 44, 51, 60};
    uint8_t what = take(in), hosts = take(in), protocol = next[what & 7];
    put_byte(p, 0x60);
    for (int i = 0; i < 5; i++)
        put_byte(p, 0);
    put_byte(p, protocol);
    put_byte(p, 64);
    for (int i = 0; i < 2; i++) {
        put_word(p, (what & 0x80) != 0 ? 0xfe80 : 0xfd00);
        for (int k = 0; k < 6; k++)
            put_word(p, 0);
        put_word(p, hosts >> (4 * i) & 7);
    }
    for (int i = 0; i < 10 && (what & 7) > 2; i++) { /* headers between */
        what = take(in);
        uint8_t units = what >> 5 & 1;
        protocol = next[what & 7];
        put_byte(p, protocol);
        put_byte(p, units);
        put_word(p, (what & 0x10) != 0 ? 8 : 0);
        put_word(p, 0), put_word(p, 0);
        for (int k = 0; k < units * 8; k++)
            put_byte(p, 0);
    }
    put_transport(p, protocol, in);
}

static inline void put_arp(struct packet_writer *p, struct input *in)
{
    static const uint8_t begin[] = {0, 1, 8, 0, 6, 4, 0};
    uint8_t hosts = take(in);
    put_bytes(p, begin, sizeof(begin));
    put_byte(p, hosts >> 7);
    put_mac(p, in);
    put_word(p, 0x0a00), put_word(p, hosts & 7);
    for (int i = 0; i < NET_MAC_BYTES; i++)
        put_byte(p, 0);
    put_word(p, 0x0a00), put_word(p, hosts >> 3 & 7);
}

static inline void put_network(struct packet_writer *p, struct input *in)
{
    uint8_t what = take(in);
    for (int tags = what >> 2 & 3; tags > 0; tags--) {
        put_word(p, (what & 0x10) != 0 ? NET_ETHERTYPE_QINQ : NET_ETHERTYPE_VLAN);
        put_word(p, what >> 5);
    }
    if ((what & 3) == 0) {
        put_word(p, NET_ETHERTYPE_IPV4);
        put_ipv4(p, in);
    } else if ((what & 3) == 1) {
        put_word(p, NET_ETHERTYPE_IPV6);
        put_ipv6(p, in);
    } else if ((what & 3) == 2) {
        put_word(p, NET_ETHERTYPE_ARP);
        put_arp(p, in);
    } else {
        put_word(p, take_u16(in));
    }
}

/* A whole frame. Then an error about a packet has one inside, and a few bytes change. */
static inline void put_packet(struct packet_writer *p, struct input *in)
{
    *p = (struct packet_writer){.length_bytes = 0};
    put_mac(p, in);
    put_mac(p, in);
    put_network(p, in);
    uint8_t what = take(in);
    if ((what & 3) == 0)
        put_ipv4(p, in);
    else if ((what & 3) == 1)
        put_ipv6(p, in);
    for (int changes = what >> 2 & 3; changes > 0; changes--) {
        uint32_t at = take(in);
        if (at < p->length_bytes)
            p->bytes[at] = take(in);
    }
    uint32_t length = (what & 0x10) != 0 ? take(in) : p->length_bytes;
    if (length >= NET_FRAME_HEADER_BYTES && length < p->length_bytes)
        p->length_bytes = length;
}

#endif
