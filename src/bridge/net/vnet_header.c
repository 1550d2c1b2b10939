/* SPDX-License-Identifier: MIT */
#include "bridge/net/vnet_header.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
    ETHERNET_BYTES = 14,
    TAG_BYTES = 4,
    TAGS_MAX = 2,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    TYPE_TAG = 0x8100,
    TYPE_TAG_OUTER = 0x88a8,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TCP_BYTES = 20,
    TCP_CHECKSUM = 16,
    UDP_CHECKSUM = 6,
    EXTENSIONS_MAX = 8,
};

/* Where TCP or UDP begins in a frame. */
struct transport {
    bool ipv6;
    uint8_t protocol;
    uint32_t start;
};

static uint32_t be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* The type of what follows the Ethernet header, and where that begins. */
static uint32_t skip_tags(const uint8_t *data, uint32_t length_bytes, uint32_t *at)
{
    uint32_t type = be16(data + ETHERNET_BYTES - 2);
    *at = ETHERNET_BYTES;
    for (int i = 0; i < TAGS_MAX && (type == TYPE_TAG || type == TYPE_TAG_OUTER) &&
                    *at + TAG_BYTES <= length_bytes;
         i++) {
        type = be16(data + *at + 2);
        *at += TAG_BYTES;
    }
    return type;
}

/* Hop-by-hop, routing and destination options; a fragment's checksum is nobody's to compute. */
static bool is_extension(uint8_t next)
{
    return next == 0 || next == 43 || next == 60;
}

static bool find_in_ipv6(const uint8_t *data, uint32_t length_bytes, uint32_t at,
                         struct transport *out)
{
    if (at + IPV6_BYTES > length_bytes)
        return false;
    uint8_t next = data[at + 6];
    at += IPV6_BYTES;
    for (int i = 0; i < EXTENSIONS_MAX && is_extension(next) && at + 8 <= length_bytes; i++) {
        next = data[at];
        at += 8 * (data[at + 1] + 1u);
    }
    *out = (struct transport){.ipv6 = true, .protocol = next, .start = at};
    return true;
}

static bool find_transport(const uint8_t *data, uint32_t length_bytes, struct transport *out)
{
    uint32_t at;
    if (length_bytes < ETHERNET_BYTES)
        return false;
    uint32_t type = skip_tags(data, length_bytes, &at);
    if (type == TYPE_IPV6) {
        if (!find_in_ipv6(data, length_bytes, at, out))
            return false;
    } else if (type == TYPE_IPV4 && at + IPV4_BYTES <= length_bytes) {
        uint32_t header_bytes = 4 * (data[at] & 15u);
        if (header_bytes < IPV4_BYTES)
            return false;
        *out = (struct transport){.protocol = data[at + 9], .start = at + header_bytes};
    } else {
        return false;
    }
    return (out->protocol == PROTOCOL_TCP && out->start + TCP_BYTES <= length_bytes) ||
           (out->protocol == PROTOCOL_UDP && out->start + 8 <= length_bytes);
}

static uint16_t checksum_at(const struct transport *transport)
{
    return transport->protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
}

/* The sum over the data from start on, into the field that holds what is summed already. */
static void complete_checksum(uint8_t *data, uint32_t length_bytes, uint32_t start, uint32_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = start; i + 1 < length_bytes; i += 2)
        sum += be16(data + i);
    if ((length_bytes - start) % 2 != 0)
        sum += (uint32_t)data[length_bytes - 1] << 8;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    if (sum == 0) /* of UDP: 0 would mean that there is none; to others it is the same */
        sum = 0xffff;
    data[start + offset] = (uint8_t)(sum >> 8);
    data[start + offset + 1] = (uint8_t)sum;
}

static int take_checksum(const struct virtio_net_hdr *header, const struct netfront_info *info,
                         uint8_t *data, struct netfront_frame *frame)
{
    struct transport transport;
    if ((uint32_t)header->csum_start + header->csum_offset + 2 > frame->length_bytes)
        return -EINVAL;
    bool told = find_transport(data, frame->length_bytes, &transport) &&
                transport.start == header->csum_start &&
                checksum_at(&transport) == header->csum_offset;
    if (told && (!transport.ipv6 || info->ipv6_checksum)) {
        frame->checksum_blank = frame->data_validated = true;
        return 0;
    }
    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE) /* there is one for each segment */
        return -EOPNOTSUPP;
    complete_checksum(data, frame->length_bytes, header->csum_start, header->csum_offset);
    return 0;
}

static int take_segments(const struct virtio_net_hdr *header, const struct netfront_info *info,
                         struct netfront_frame *frame)
{
    uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    if (header->gso_size == 0)
        return -EINVAL;
    if (type == VIRTIO_NET_HDR_GSO_TCPV4 && info->gso_tcpv4)
        frame->gso_type = NETFRONT_GSO_TCPV4;
    else if (type == VIRTIO_NET_HDR_GSO_TCPV6 && info->gso_tcpv6)
        frame->gso_type = NETFRONT_GSO_TCPV6;
    else
        return -EOPNOTSUPP;
    frame->gso_size_bytes = header->gso_size;
    return 0;
}

int vnet_header_to_frame(const struct virtio_net_hdr *header, const struct netfront_info *info,
                         uint8_t *data, struct netfront_frame *frame)
{
    int rc = 0;
    frame->checksum_blank = false;
    frame->data_validated = (header->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;
    frame->gso_type = NETFRONT_GSO_NONE;
    frame->gso_size_bytes = 0;
    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        rc = take_segments(header, info, frame);
    if (rc == 0 && (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
        rc = take_checksum(header, info, data, frame);
    return rc;
}

int vnet_header_of_frame(const struct netfront_frame *frame, struct virtio_net_hdr *header)
{
    struct transport transport;
    *header = (struct virtio_net_hdr){.flags = 0};
    if (!frame->checksum_blank && frame->gso_type == NETFRONT_GSO_NONE) {
        header->flags = frame->data_validated ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
        return 0;
    }
    if (!find_transport(frame->data, frame->length_bytes, &transport))
        return -EINVAL;
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = (uint16_t)transport.start;
    header->csum_offset = checksum_at(&transport);
    if (frame->gso_type == NETFRONT_GSO_NONE)
        return 0;
    const uint8_t *bytes = frame->data;
    if (transport.protocol != PROTOCOL_TCP ||
        transport.ipv6 != (frame->gso_type == NETFRONT_GSO_TCPV6))
        return -EINVAL;
    header->gso_type = transport.ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    header->gso_size = frame->gso_size_bytes;
    header->hdr_len = (uint16_t)(transport.start + 4 * (bytes[transport.start + 12] >> 4u));
    return 0;
}
