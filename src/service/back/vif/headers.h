/* SPDX-License-Identifier: MIT */
/*
 * headers: where the parts of a frame are: Ethernet with up to two VLAN tags, IPv4 or IPv6, TCP or
 * UDP. All of a frame is bytes of a domain: nothing is believed that does not lie in the frame.
 *
 * Pure functions.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_HEADERS_H
#define SPLITDOM_SERVICE_BACK_VIF_HEADERS_H

#include <stdint.h>

enum { HEADERS_TCP = 6, HEADERS_UDP = 17 };

struct headers {
    uint8_t ip_version;    /* 4 or 6: a whole header lies in the frame; 0: there is none */
    uint8_t protocol;      /* HEADERS_TCP or HEADERS_UDP while transport_at is not 0 */
    uint32_t ip_at;        /* offset in the frame, like the next two */
    uint32_t transport_at; /* a whole header of TCP or UDP, of a packet that is no fragment; or 0 */
    uint32_t end;          /* of the IP packet, as it says itself; within the frame */
};

void headers_read(const uint8_t *data, uint32_t length_bytes, struct headers *out);

/* A TCP header's length with its options: it lies within the packet. 0: it does not. */
uint32_t headers_tcp_bytes(const uint8_t *data, const struct headers *h);

/* Numbers in the order of the network. */
static inline uint16_t headers_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void headers_put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline uint32_t headers_u32(const uint8_t *at)
{
    return (uint32_t)headers_u16(at) << 16 | headers_u16(at + 2);
}

static inline void headers_put_u32(uint8_t *at, uint32_t value)
{
    headers_put_u16(at, value >> 16);
    headers_put_u16(at + 2, value);
}

#endif
