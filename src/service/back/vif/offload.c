/* SPDX-License-Identifier: MIT */
#include "service/back/vif/offload.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "service/back/vif/headers.h"

enum {
    IPV4_ADDRESSES_AT = 12, /* in their headers, like the next ones */
    IPV6_ADDRESSES_AT = 8,
    TCP_CHECKSUM_AT = 16,
    UDP_CHECKSUM_AT = 6,
    TCP_FLAGS_AT = 13,
    TCP_FIN_PSH = 0x09,
    TCP_CWR = 0x80,
};

static bool takes_checksum(const struct vif_features *features, const struct net_frame *frame)
{
    struct headers h;
    if (!frame->checksum_blank)
        return true;
    headers_read(frame->data, frame->length_bytes, &h);
    return h.ip_version == 6 ? features->csum_ipv6 : features->csum_ipv4;
}

static bool takes_size(const struct vif_features *features, const struct net_frame *frame)
{
    if (frame->length_bytes > XEN_PAGE_SIZE && !features->sg)
        return false;
    if (frame->gso_type == NET_GSO_TCPV4)
        return features->gso_tcpv4;
    return frame->gso_type != NET_GSO_TCPV6 || features->gso_tcpv6;
}

bool offload_fits(const struct vif_features *features, const struct net_frame *frame)
{
    return takes_size(features, frame) && takes_checksum(features, frame);
}

/* The Internet's checksum, not folded: words in the order of the network, an odd byte is a high
 * one. */
static uint64_t sum(uint64_t before, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i + 1 < count; i += 2)
        before += headers_u16(bytes + i);
    return count % 2 != 0 ? before + (uint64_t)(bytes[count - 1] << 8) : before;
}

static uint16_t fold(uint64_t sum_of_words)
{
    while (sum_of_words >> 16 != 0)
        sum_of_words = (sum_of_words & 0xffff) + (sum_of_words >> 16);
    return (uint16_t)~sum_of_words;
}

/* h is of data, and has a transport header. */
static void put_transport_checksum(uint8_t *data, const struct headers *h)
{
    uint32_t bytes = h->end - h->transport_at;
    uint32_t field =
        h->transport_at + (h->protocol == HEADERS_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT);
    uint32_t addresses = h->ip_at + (h->ip_version == 4 ? IPV4_ADDRESSES_AT : IPV6_ADDRESSES_AT);
    headers_put_u16(data + field, 0);
    uint64_t total =
        sum((uint64_t)h->protocol + bytes, data + addresses, h->ip_version == 4 ? 8 : 32);
    uint16_t checksum = fold(sum(total, data + h->transport_at, bytes));
    if (checksum == 0 && h->protocol == HEADERS_UDP)
        checksum = 0xffff; /* 0 would say that there is none */
    headers_put_u16(data + field, checksum);
}

static void put_ipv4_checksum(uint8_t *ip)
{
    headers_put_u16(ip + 10, 0);
    headers_put_u16(ip + 10, fold(sum(0, ip, (ip[0] & 15u) * 4)));
}

static void finished(struct net_frame *made, const struct net_frame *from)
{
    made->checksum_blank = false;
    made->data_validated = true;
    made->gso_type = NET_GSO_NONE;
    made->gso_size_bytes = 0;
    made->stamp_ns = from->stamp_ns;
    made->arrived_ns = from->arrived_ns;
    made->source = from->source;
}

static int fill_checksum(const struct net_frame *frame, const struct headers *h,
                         offload_emit_fn *emit, void *ctx)
{
    struct net_frame *made = net_frame_copy(frame);
    if (made == NULL)
        return -ENOMEM;
    put_transport_checksum(made->data, h);
    finished(made, frame);
    emit(ctx, made, false);
    net_frame_put(made);
    return 0;
}

/* What all segments have in common. */
struct cut {
    const struct net_frame *frame;
    const struct headers *h;
    uint32_t header_bytes;  /* up to the TCP payload */
    uint32_t payload_bytes; /* of the frame */
    uint32_t segment_bytes; /* of payload in each, the last one may have less */
};

/* The segment whose payload begins at that offset: as the sender's TCP would have made it. */
static struct net_frame *segment_at(const struct cut *cut, uint32_t at, uint32_t number)
{
    uint32_t left = cut->payload_bytes - at;
    uint32_t bytes = left < cut->segment_bytes ? left : cut->segment_bytes;
    struct net_frame *made = net_frame_new_in(cut->frame->pool, cut->header_bytes + bytes);
    if (made == NULL)
        return NULL;
    struct headers h = *cut->h;
    h.end = made->length_bytes;
    memcpy(made->data, cut->frame->data, cut->header_bytes);
    memcpy(made->data + cut->header_bytes, cut->frame->data + cut->header_bytes + at, bytes);
    uint8_t *ip = made->data + h.ip_at, *tcp = made->data + h.transport_at;
    if (h.ip_version == 4) {
        headers_put_u16(ip + 2, h.end - h.ip_at);
        headers_put_u16(ip + 4, headers_u16(ip + 4) + number);
        put_ipv4_checksum(ip);
    } else {
        headers_put_u16(ip + 4, h.end - h.ip_at - 40);
    }
    headers_put_u32(tcp + 4, headers_u32(tcp + 4) + at);
    if (bytes < left)
        tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_FIN_PSH;
    if (number > 0)
        tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
    put_transport_checksum(made->data, &h);
    finished(made, cut->frame);
    return made;
}

static int cut_frame(const struct vif_features *features, const struct net_frame *frame,
                     const struct headers *h, offload_emit_fn *emit, void *ctx)
{
    uint32_t tcp_bytes = headers_tcp_bytes(frame->data, h);
    if (tcp_bytes == 0 || frame->gso_size_bytes == 0)
        return -EMSGSIZE;
    struct cut cut = {.frame = frame,
                      .h = h,
                      .header_bytes = h->transport_at + tcp_bytes,
                      .segment_bytes = frame->gso_size_bytes};
    cut.payload_bytes = h->end - cut.header_bytes;
    bool is_cut = cut.payload_bytes > cut.segment_bytes;
    if (cut.payload_bytes > cut.segment_bytes * OFFLOAD_SEGMENTS_MAX ||
        (is_cut && cut.segment_bytes < OFFLOAD_SEGMENT_BYTES_MIN) ||
        (cut.header_bytes + cut.segment_bytes > XEN_PAGE_SIZE && !features->sg))
        return -EMSGSIZE;
    uint32_t at = 0;
    for (uint32_t number = 0; number == 0 || at < cut.payload_bytes; number++) {
        assert(number < OFFLOAD_SEGMENTS_MAX);
        struct net_frame *made = segment_at(&cut, at, number);
        if (made == NULL)
            return -ENOMEM;
        emit(ctx, made, true);
        net_frame_put(made);
        at += cut.segment_bytes;
    }
    return 0;
}

int offload_apply(const struct vif_features *features, const struct net_frame *frame,
                  offload_emit_fn *emit, void *ctx)
{
    struct headers h;
    headers_read(frame->data, frame->length_bytes, &h);
    if (h.transport_at == 0)
        return -EMSGSIZE;
    if (frame->gso_type != NET_GSO_NONE)
        return cut_frame(features, frame, &h, emit, ctx);
    if (!takes_size(features, frame))
        return -EMSGSIZE;
    return fill_checksum(frame, &h, emit, ctx);
}
