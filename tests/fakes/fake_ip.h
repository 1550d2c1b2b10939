/* SPDX-License-Identifier: MIT */
/*
 * fake_ip: frames of IPv4 or IPv6 with TCP or UDP, with right checksums by code of their own.
 */
#ifndef SPLITDOM_TESTS_FAKE_IP_H
#define SPLITDOM_TESTS_FAKE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "service/net/frame.h"

struct ip_frame {
    uint8_t version;  /* 4 or 6 */
    uint8_t protocol; /* 6 or 17 */
    uint8_t vlan_tags;
    uint8_t tcp_option_bytes; /* a multiple of 4 */
    uint8_t tcp_flags;
    uint8_t source_host; /* the last byte of its address */
    uint16_t source_port;
    uint16_t identification; /* of IPv4 */
    uint16_t fragment;       /* IPv4's field of flags and offset */
    uint32_t sequence;
    uint32_t payload_bytes; /* byte i is i * 7 */
};

/* All checksums are right. NULL: no memory. */
struct net_frame *ip_frame_make(const struct ip_frame *ip);
/* How many bytes come before the payload. */
uint32_t ip_frame_header_bytes(const struct ip_frame *ip);
/* Are all checksums right? */
bool ip_frame_is_right(const uint8_t *data, uint32_t length_bytes, uint32_t ip_at);
/* Replaces the transport's checksum by the pseudo header's, as a sender leaves it to its device. */
void ip_frame_blank(struct net_frame *frame, const struct ip_frame *ip);

#endif
