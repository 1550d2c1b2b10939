/* SPDX-License-Identifier: MIT */
/*
 * net_packet: what rules and the guard against false senders read in a frame: addresses, protocol,
 * ports. Every byte was written by a domain: nothing outside of the frame is read, whatever its
 * lengths say.
 *
 * Pure functions.
 */
#ifndef SPLITDOM_SERVICE_NET_PACKET_H
#define SPLITDOM_SERVICE_NET_PACKET_H

#include <stdbool.h>
#include <stdint.h>

struct net_frame;

enum {
    NET_ETHERTYPE_IPV4 = 0x0800,
    NET_ETHERTYPE_ARP = 0x0806,
    NET_ETHERTYPE_VLAN = 0x8100,
    NET_ETHERTYPE_IPV6 = 0x86dd,
    NET_ETHERTYPE_QINQ = 0x88a8,
    NET_PROTOCOL_ICMP = 1,
    NET_PROTOCOL_TCP = 6,
    NET_PROTOCOL_UDP = 17,
    NET_PROTOCOL_ICMPV6 = 58,
    NET_ND_FIRST = 133, /* types of ICMPv6: of routers and neighbours */
    NET_ND_LAST = 137,
    NET_TCP_FIN = 0x01,
    NET_TCP_SYN = 0x02,
    NET_TCP_RST = 0x04,
    NET_TCP_ACK = 0x10,
};

/* An IPv4 address is in the first four bytes, zeros follow. */
struct net_address {
    uint8_t bytes[16];
};

struct net_packet {
    uint64_t to, from;       /* mac.h */
    uint16_t ethertype;      /* as the frame has it: of the outermost tag, if there is one */
    uint16_t inner_type;     /* behind up to two VLAN tags */
    uint32_t network_byte;   /* where what inner_type names begins */
    uint32_t transport_byte; /* where the protocol's header begins, unless it is a later fragment */
    uint8_t family;          /* 4 or 6: a whole header of that kind is there; else 0 */
    bool is_later_fragment;  /* of an IP packet: it has no ports */
    bool has_fragment_header; /* IPv6: this is a fragment, be it the only one */
    bool has_protocol;        /* protocol is known */
    bool has_ports;           /* source_port, target_port are (TCP, UDP), in the host's order */
    uint8_t protocol;         /* behind IPv6's extension headers */
    uint8_t tcp_flags;        /* 0 unless it is TCP with a whole header */
    uint8_t icmp_type;        /* with protocol ICMP or ICMPv6 and has_icmp */
    bool has_icmp;
    uint16_t icmp_id;     /* of an echo */
    bool names_other_mac; /* IPv6's talk of neighbours, and has an option with another MAC than from
                           */
    uint16_t source_port, target_port;
    struct net_address source, target; /* with a family */
    bool is_arp;                       /* of IPv4 and MAC addresses, whole: the next are set */
    uint64_t arp_mac;                  /* the sender's, and its IPv4 address is in source */
};

/* frame has at least NET_FRAME_HEADER_BYTES. */
void net_packet_read(const struct net_frame *frame, struct net_packet *packet);

/* Do the first prefix_bits of two addresses of a family agree? */
bool net_address_is_in(const struct net_address *address, const struct net_address *net,
                       uint32_t prefix_bits);

/* "10.0.0.1", "fe80::1", each also with "/24": *prefix_bits is 24 then, else all bits of an
 * address. Returns 4 or 6, or -EINVAL. */
int net_address_parse(const char *text, struct net_address *out, uint32_t *prefix_bits);

#endif
