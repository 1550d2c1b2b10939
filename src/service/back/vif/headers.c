/* SPDX-License-Identifier: MIT */
#include "service/back/vif/headers.h"

#include <stdbool.h>

enum {
    ETHERNET_BYTES = 14,
    VLAN_TAG_BYTES = 4,
    VLAN_TAGS_MAX = 2,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    TYPE_VLAN = 0x8100,
    TYPE_SERVICE_VLAN = 0x88a8,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    TCP_BYTES = 20,
    UDP_BYTES = 8,
    EXTENSIONS_MAX = 8,
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_DESTINATION = 60,
};

static bool has(uint32_t at, uint32_t bytes, uint32_t length)
{
    return at <= length && bytes <= length - at;
}

static void find_transport(struct headers *h, uint8_t protocol, uint32_t at)
{
    uint32_t bytes = protocol == HEADERS_TCP ? TCP_BYTES : UDP_BYTES;
    if ((protocol != HEADERS_TCP && protocol != HEADERS_UDP) || !has(at, bytes, h->end))
        return;
    h->protocol = protocol;
    h->transport_at = at;
}

static void read_ipv4(const uint8_t *data, uint32_t length, uint32_t at, struct headers *h)
{
    if (!has(at, IPV4_BYTES, length))
        return;
    const uint8_t *ip = data + at;
    uint32_t header = (ip[0] & 15u) * 4, total = headers_u16(ip + 2);
    if (ip[0] >> 4 != 4 || header < IPV4_BYTES || total < header || !has(at, total, length))
        return;
    h->ip_version = 4;
    h->ip_at = at;
    h->end = at + total;
    bool is_fragment = (headers_u16(ip + 6) & 0x3fff) != 0; /* more to come, or not the first */
    if (!is_fragment)
        find_transport(h, ip[9], at + header);
}

static void read_ipv6(const uint8_t *data, uint32_t length, uint32_t at, struct headers *h)
{
    if (!has(at, IPV6_BYTES, length))
        return;
    const uint8_t *ip = data + at;
    uint32_t payload = headers_u16(ip + 4);
    if (ip[0] >> 4 != 6 || !has(at + IPV6_BYTES, payload, length))
        return;
    h->ip_version = 6;
    h->ip_at = at;
    h->end = at + IPV6_BYTES + payload;
    uint8_t next = ip[6];
    uint32_t next_at = at + IPV6_BYTES;
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_DESTINATION)
            break;
        if (!has(next_at, 8, h->end))
            return;
        next = data[next_at];
        next_at += (data[next_at + 1] + 1u) * 8;
    }
    find_transport(h, next, next_at);
}

void headers_read(const uint8_t *data, uint32_t length_bytes, struct headers *out)
{
    uint32_t at = ETHERNET_BYTES;
    *out = (struct headers){0};
    if (length_bytes < ETHERNET_BYTES)
        return;
    uint16_t type = headers_u16(data + at - 2);
    for (int i = 0; i < VLAN_TAGS_MAX && (type == TYPE_VLAN || type == TYPE_SERVICE_VLAN); i++) {
        at += VLAN_TAG_BYTES;
        if (at > length_bytes)
            return;
        type = headers_u16(data + at - 2);
    }
    if (type == TYPE_IPV4)
        read_ipv4(data, length_bytes, at, out);
    else if (type == TYPE_IPV6)
        read_ipv6(data, length_bytes, at, out);
}

uint32_t headers_tcp_bytes(const uint8_t *data, const struct headers *h)
{
    if (h->transport_at == 0 || h->protocol != HEADERS_TCP)
        return 0;
    uint32_t bytes = (uint32_t)(data[h->transport_at + 12] >> 4) * 4;
    return bytes >= TCP_BYTES && has(h->transport_at, bytes, h->end) ? bytes : 0;
}
