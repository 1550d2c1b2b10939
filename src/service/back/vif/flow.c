/* SPDX-License-Identifier: MIT */
#include "service/back/vif/flow.h"

#include "service/back/vif/headers.h"

/* FNV-1a. */
static uint32_t mix(uint32_t hash, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

/* Lets every bit of what was mixed reach the low ones, of which a few choose. */
static uint32_t finish(uint32_t hash)
{
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    return hash ^ hash >> 16;
}

uint32_t flow_hash(const struct net_frame *frame)
{
    struct headers h;
    uint32_t hash = 2166136261u;
    headers_read(frame->data, frame->length_bytes, &h);
    if (h.ip_version == 0)
        return finish(mix(hash, frame->data, 2 * NET_MAC_BYTES));
    uint32_t bytes = h.ip_version == 4 ? 8 : 32;
    hash = mix(hash, frame->data + h.ip_at + (h.ip_version == 4 ? 12 : 8), bytes);
    /* Datagrams of UDP may be in fragments, all but the first without ports. */
    if (h.transport_at != 0 && h.protocol == HEADERS_TCP)
        hash = mix(hash, frame->data + h.transport_at, 4);
    return finish(hash);
}
