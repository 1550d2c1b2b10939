/* SPDX-License-Identifier: MIT */
#include "service/net/ecn.h"

#include <stddef.h>

#include "service/net/frame.h"
#include "service/net/packet.h"

enum { NOT_ECT = 0, CE = 3 };

/* The header's checksum after a byte in the low half of its first word has changed (RFC 1624). */
static void mend_checksum(uint8_t *header, uint8_t before, uint8_t after)
{
    uint32_t sum = (uint32_t)(header[10] << 8 | header[11]);

    sum = (~sum & 0xffffu) + (~(uint32_t)before & 0xffffu) + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffffu;
    header[10] = (uint8_t)(sum >> 8);
    header[11] = (uint8_t)sum;
}

struct net_frame *net_ecn_mark(struct net_frame *frame)
{
    struct net_packet packet;

    net_packet_read(frame, &packet);
    if (packet.family == 0)
        return NULL;

    const uint8_t *header = frame->data + packet.network_byte;
    uint8_t ecn = packet.family == 4 ? header[1] & 3 : header[1] >> 4 & 3;

    if (ecn == NOT_ECT)
        return NULL;
    if (ecn == CE)
        return net_frame_get(frame);

    struct net_frame *copy = net_frame_copy(frame);

    if (copy == NULL)
        return NULL;

    uint8_t *field = copy->data + packet.network_byte + 1;
    uint8_t before = *field;

    *field |= packet.family == 4 ? CE : CE << 4;
    if (packet.family == 4)
        mend_checksum(copy->data + packet.network_byte, before, *field);
    return copy;
}
