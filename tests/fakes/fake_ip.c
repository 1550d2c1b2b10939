/* SPDX-License-Identifier: MIT */
#include "fakes/fake_ip.h"

#include <string.h>

enum { ETHERNET = 14, TCP = 6 };

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* RFC 1071, byte by byte. */
static uint16_t ones(uint32_t start, const uint8_t *bytes, uint32_t count)
{
    uint32_t sum = start;
    for (uint32_t i = 0; i < count; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static uint32_t ip_bytes(const struct ip_frame *ip)
{
    return ip->version == 4 ? 20 : 40;
}

static uint32_t transport_bytes(const struct ip_frame *ip)
{
    return ip->protocol == TCP ? 20u + ip->tcp_option_bytes : 8;
}

uint32_t ip_frame_header_bytes(const struct ip_frame *ip)
{
    return ETHERNET + 4u * ip->vlan_tags + ip_bytes(ip) + transport_bytes(ip);
}

static uint16_t pseudo(const uint8_t *at, uint8_t protocol, uint32_t bytes)
{
    uint32_t start = protocol + (bytes >> 16) + (bytes & 0xffff);
    return at[0] >> 4 == 4 ? ones(start, at + 12, 8) : ones(start, at + 8, 32);
}

static void fill_ip(const struct ip_frame *ip, uint8_t *at, uint32_t behind)
{
    if (ip->version == 4) {
        at[0] = 0x45;
        put16(at + 2, 20 + behind);
        put16(at + 4, ip->identification);
        put16(at + 6, ip->fragment);
        at[8] = 64;
        at[9] = ip->protocol;
        at[12] = at[16] = 10;
        at[15] = ip->source_host;
        at[19] = 200;
        put16(at + 10, (uint16_t)~ones(0, at, 20));
    } else {
        at[0] = 0x60;
        put16(at + 4, behind);
        at[6] = ip->protocol;
        at[7] = 64;
        at[8] = at[24] = 0xfd;
        at[23] = ip->source_host;
        at[39] = 200;
    }
}

static uint32_t field_of(const struct ip_frame *ip)
{
    return ip_frame_header_bytes(ip) - transport_bytes(ip) + (ip->protocol == TCP ? 16 : 6);
}

struct net_frame *ip_frame_make(const struct ip_frame *ip)
{
    uint32_t header = ip_frame_header_bytes(ip), transport = transport_bytes(ip);
    uint32_t behind = transport + ip->payload_bytes;
    struct net_frame *frame = net_frame_new(header + ip->payload_bytes);
    if (frame == NULL)
        return NULL;
    uint8_t *data = frame->data, *at = data + header - transport - ip_bytes(ip);
    uint8_t *t = data + header - transport;
    memset(data, 0, header);
    memset(data, 0x02, 12);
    for (uint32_t i = 0; i < ip->vlan_tags; i++)
        put16(data + 12 + 4 * i, 0x8100);
    put16(at - 2, ip->version == 4 ? 0x0800 : 0x86dd);
    for (uint32_t i = 0; i < ip->payload_bytes; i++)
        data[header + i] = (uint8_t)(i * 7);
    put16(t, ip->source_port);
    put16(t + 2, 80);
    if (ip->protocol == TCP) {
        put16(t + 4, ip->sequence >> 16);
        put16(t + 6, ip->sequence);
        t[12] = (uint8_t)(transport / 4 << 4);
        t[13] = ip->tcp_flags;
    } else {
        put16(t + 4, behind);
    }
    fill_ip(ip, at, behind);
    uint16_t sum = (uint16_t)~ones(pseudo(at, ip->protocol, behind), t, behind);
    put16(data + field_of(ip), sum == 0 && ip->protocol != TCP ? 0xffff : sum);
    return frame;
}

bool ip_frame_is_right(const uint8_t *data, uint32_t length_bytes, uint32_t ip_at)
{
    const uint8_t *at = data + ip_at;
    bool is_v4 = at[0] >> 4 == 4;
    uint32_t behind = is_v4 ? (uint32_t)(at[2] << 8 | at[3]) - 20 : (uint32_t)(at[4] << 8 | at[5]);
    uint8_t protocol = is_v4 ? at[9] : at[6];
    const uint8_t *t = at + (is_v4 ? 20 : 40);
    if ((uint32_t)(t - data) + behind > length_bytes)
        return false;
    if (is_v4 && ones(0, at, 20) != 0xffff)
        return false;
    return ones(pseudo(at, protocol, behind), t, behind) == 0xffff;
}

void ip_frame_blank(struct net_frame *frame, const struct ip_frame *ip)
{
    uint32_t transport = transport_bytes(ip);
    const uint8_t *at = frame->data + ip_frame_header_bytes(ip) - transport - ip_bytes(ip);
    put16(frame->data + field_of(ip), pseudo(at, ip->protocol, transport + ip->payload_bytes));
    frame->checksum_blank = true;
}
