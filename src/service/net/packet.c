/* SPDX-License-Identifier: MIT */
#include "service/net/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "service/net/frame.h"
#include "service/net/mac.h"

enum {
    VLAN_TAGS_MAX = 2,
    VLAN_TAG_BYTES = 4,
    IPV4_HEADER_BYTES = 20,
    IPV6_HEADER_BYTES = 40,
    EXTENSIONS_MAX = 8, /* headers between IPv6's and the protocol's that are looked at */
    ARP_BYTES = 28,
    ARP_ETHERNET = 1, /* kinds of hardware */
    ARP_IEEE802 = 6,
    TCP_HEADER_BYTES = 20,
    ND_SOURCE_MAC = 1, /* options */
    ND_TARGET_MAC = 2,
};

/* IPv6's extension headers. */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION = 60 };

static uint16_t word_at(const struct net_frame *frame, uint32_t byte)
{
    return (uint16_t)(frame->data[byte] << 8 | frame->data[byte + 1]);
}

static bool holds(const struct net_frame *frame, uint32_t byte, uint32_t bytes)
{
    return byte <= frame->length_bytes && frame->length_bytes - byte >= bytes;
}

/* Options follow a header of that type; each says how many times 8 bytes it has. */
static bool names_other_mac(const struct net_frame *frame, uint32_t byte, uint64_t from)
{
    static const uint8_t header_bytes[] = {8, 16, 24, 24, 40};

    for (byte += header_bytes[frame->data[byte] - NET_ND_FIRST]; holds(frame, byte, 8);
         byte += frame->data[byte + 1] * 8u) {
        uint8_t option = frame->data[byte];

        if (frame->data[byte + 1] == 0)
            return false; /* nobody reads on */
        if ((option == ND_SOURCE_MAC || option == ND_TARGET_MAC) &&
            net_mac_get(frame->data + byte + 2) != from)
            return true;
    }
    return false;
}

static void read_transport(const struct net_frame *frame, uint32_t byte, struct net_packet *packet)
{
    packet->has_protocol = true;
    packet->transport_byte = byte;
    switch (packet->protocol) {
    case NET_PROTOCOL_TCP:
        if (holds(frame, byte, TCP_HEADER_BYTES))
            packet->tcp_flags = frame->data[byte + 13];
        /* fall through */
    case NET_PROTOCOL_UDP:
        if (!holds(frame, byte, 4))
            break;
        packet->has_ports = true;
        packet->source_port = word_at(frame, byte);
        packet->target_port = word_at(frame, byte + 2);
        break;
    case NET_PROTOCOL_ICMP:
    case NET_PROTOCOL_ICMPV6:
        if (!holds(frame, byte, 8))
            break;
        packet->has_icmp = true;
        packet->icmp_type = frame->data[byte];
        packet->icmp_id = word_at(frame, byte + 4);
        packet->names_other_mac = packet->family == 6 && packet->protocol == NET_PROTOCOL_ICMPV6 &&
                                  packet->icmp_type >= NET_ND_FIRST &&
                                  packet->icmp_type <= NET_ND_LAST &&
                                  names_other_mac(frame, byte, packet->from);
        break;
    default:
        break;
    }
}

static void read_ipv4(const struct net_frame *frame, uint32_t byte, struct net_packet *packet)
{
    if (!holds(frame, byte, IPV4_HEADER_BYTES) || frame->data[byte] >> 4 != 4)
        return;

    uint32_t header_bytes = (frame->data[byte] & 0xfu) * 4;

    if (header_bytes < IPV4_HEADER_BYTES || !holds(frame, byte, header_bytes))
        return;
    packet->family = 4;
    memcpy(packet->source.bytes, frame->data + byte + 12, 4);
    memcpy(packet->target.bytes, frame->data + byte + 16, 4);
    packet->protocol = frame->data[byte + 9];
    packet->is_later_fragment = (word_at(frame, byte + 6) & 0x1fff) != 0;
    packet->has_protocol = true;
    if (!packet->is_later_fragment)
        read_transport(frame, byte + header_bytes, packet);
}

/* Goes through extension headers. On return protocol is set if it was reached. */
static void read_ipv6(const struct net_frame *frame, uint32_t byte, struct net_packet *packet)
{
    if (!holds(frame, byte, IPV6_HEADER_BYTES) || frame->data[byte] >> 4 != 6)
        return;
    packet->family = 6;
    memcpy(packet->source.bytes, frame->data + byte + 8, 16);
    memcpy(packet->target.bytes, frame->data + byte + 24, 16);

    uint8_t next = frame->data[byte + 6];

    byte += IPV6_HEADER_BYTES;
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT && next != AUTHENTICATION &&
            next != DESTINATION) {
            packet->protocol = next;
            packet->has_protocol = true;
            if (!packet->is_later_fragment)
                read_transport(frame, byte, packet);
            return;
        }
        if (!holds(frame, byte, 8))
            return;

        uint32_t bytes = (frame->data[byte + 1] + 1u) * 8;

        if (next == FRAGMENT) {
            bytes = 8;
            packet->has_fragment_header = true;
            packet->is_later_fragment = (word_at(frame, byte + 2) & 0xfff8) != 0;
        } else if (next == AUTHENTICATION) {
            bytes = (frame->data[byte + 1] + 2u) * 4;
        }
        next = frame->data[byte];
        byte += bytes;
        if (packet->is_later_fragment) {
            packet->protocol = next;
            packet->has_protocol = true;
            return;
        }
    }
}

static void read_arp(const struct net_frame *frame, uint32_t byte, struct net_packet *packet)
{
    static const uint8_t ipv4_over_mac[] = {8, 0, 6, 4};

    /* Linux takes both kinds of hardware for the same. */
    if (!holds(frame, byte, ARP_BYTES) ||
        (word_at(frame, byte) != ARP_ETHERNET && word_at(frame, byte) != ARP_IEEE802) ||
        memcmp(frame->data + byte + 2, ipv4_over_mac, sizeof ipv4_over_mac) != 0)
        return;
    packet->is_arp = true;
    packet->arp_mac = net_mac_get(frame->data + byte + 8);
    memcpy(packet->source.bytes, frame->data + byte + 14, 4);
    memcpy(packet->target.bytes, frame->data + byte + 24, 4);
}

void net_packet_read(const struct net_frame *frame, struct net_packet *packet)
{
    *packet = (struct net_packet){.to = net_mac_get(frame->data),
                                  .from = net_mac_get(frame->data + NET_MAC_BYTES),
                                  .ethertype = word_at(frame, 12),
                                  .inner_type = word_at(frame, 12),
                                  .network_byte = NET_FRAME_HEADER_BYTES};
    for (int i = 0; i < VLAN_TAGS_MAX; i++) {
        if ((packet->inner_type != NET_ETHERTYPE_VLAN &&
             packet->inner_type != NET_ETHERTYPE_QINQ) ||
            !holds(frame, packet->network_byte, VLAN_TAG_BYTES))
            break;
        packet->inner_type = word_at(frame, packet->network_byte + 2);
        packet->network_byte += VLAN_TAG_BYTES;
    }
    if (packet->inner_type == NET_ETHERTYPE_IPV4)
        read_ipv4(frame, packet->network_byte, packet);
    else if (packet->inner_type == NET_ETHERTYPE_IPV6)
        read_ipv6(frame, packet->network_byte, packet);
    else if (packet->inner_type == NET_ETHERTYPE_ARP)
        read_arp(frame, packet->network_byte, packet);
}

bool net_address_is_in(const struct net_address *address, const struct net_address *net,
                       uint32_t prefix_bits)
{
    uint32_t bytes = prefix_bits / 8;
    uint32_t bits = prefix_bits % 8;

    if (memcmp(address->bytes, net->bytes, bytes) != 0)
        return false;
    return bits == 0 || (address->bytes[bytes] ^ net->bytes[bytes]) >> (8 - bits) == 0;
}

int net_address_parse(const char *text, struct net_address *out, uint32_t *prefix_bits)
{
    char address[INET6_ADDRSTRLEN];
    struct net_address parsed = {{0}};
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);

    if (length >= sizeof address)
        return -EINVAL;
    memcpy(address, text, length);
    address[length] = '\0';

    int family = 0;

    if (inet_pton(AF_INET, address, parsed.bytes) == 1)
        family = 4;
    else if (inet_pton(AF_INET6, address, parsed.bytes) == 1)
        family = 6;
    else
        return -EINVAL;

    uint64_t bits = family == 4 ? 32 : 128;

    if (slash != NULL && decimal_parse(slash + 1, 0, bits, &bits) < 0)
        return -EINVAL;
    *out = parsed;
    *prefix_bits = (uint32_t)bits;
    return family;
}
