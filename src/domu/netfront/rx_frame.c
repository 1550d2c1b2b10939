/* SPDX-License-Identifier: MIT */
#include "domu/netfront/rx_frame.h"

#include <string.h>

/* Extra infos follow the first response. */
static int take_extras(struct netif_rx_front_ring *ring, bool stamps, struct rx_frame *out)
{
    union netif_rx_sring_entry entry;
    uint32_t slot;
    for (uint32_t count = 0; count < RX_FRAME_EXTRAS_MAX; count++) {
        if (netif_rx_take(ring, &entry, &slot) != 1)
            return -EPROTO;
        out->nr_slots++;
        const struct netif_extra_info *extra = &entry.extra;
        if (extra->type == XEN_NETIF_EXTRA_TYPE_GSO && out->gso_type == XEN_NETIF_GSO_TYPE_NONE) {
            out->gso_type = extra->u.gso.type;
            out->gso_size_bytes = extra->u.gso.size;
            if ((out->gso_type != XEN_NETIF_GSO_TYPE_TCPV4 &&
                 out->gso_type != XEN_NETIF_GSO_TYPE_TCPV6) ||
                out->gso_size_bytes == 0)
                return -EPROTO;
        } else if (extra->type == SPLITDOM_NETIF_EXTRA_TYPE_STAMP && stamps && !out->has_stamp) {
            out->has_stamp = true;
            out->stamp = *extra;
        } else {
            return -EPROTO;
        }
        if ((extra->flags & XEN_NETIF_EXTRA_FLAG_MORE) == 0)
            return 0;
    }
    return -EPROTO;
}

/* Returns 0 or -EPROTO. */
static int add_piece(struct rx_frame *out, const struct netif_rx_response *rsp, uint32_t slot,
                     uint32_t nr_pages)
{
    const uint32_t page = slot & (nr_pages - 1);
    out->nr_slots++;
    if (rsp->id != page)
        return -EPROTO;
    if (rsp->status < 0) {
        out->damaged = true;
        return 0;
    }
    const uint32_t bytes = (uint32_t)rsp->status;
    if (out->nr_pieces == RX_FRAME_PIECES_MAX || rsp->offset + bytes > XEN_PAGE_SIZE)
        return -EPROTO;
    out->piece[out->nr_pieces++] =
        (struct rx_piece){.page = (uint16_t)page, .offset = rsp->offset, .bytes = (uint16_t)bytes};
    out->length_bytes += bytes;
    return 0;
}

static int judge(const struct rx_frame *frame)
{
    if (frame->damaged)
        return 1;
    return frame->length_bytes >= RX_FRAME_BYTES_MIN && frame->length_bytes <= XEN_NETIF_MAX_TX_SIZE
               ? 1
               : -EPROTO;
}

int rx_frame_take(struct netif_rx_front_ring *ring, uint32_t nr_pages, bool stamps,
                  struct rx_frame *out)
{
    union netif_rx_sring_entry entry;
    uint32_t slot;
    *out = (struct rx_frame){.nr_slots = 0};
    int rc = netif_rx_take(ring, &entry, &slot);
    if (rc != 1)
        return rc;
    out->checksum_blank = (entry.rsp.flags & NETRXF_csum_blank) != 0;
    out->data_validated = (entry.rsp.flags & NETRXF_data_validated) != 0;
    bool more = (entry.rsp.flags & NETRXF_more_data) != 0;
    bool extra = (entry.rsp.flags & NETRXF_extra_info) != 0;
    rc = add_piece(out, &entry.rsp, slot, nr_pages);
    if (rc == 0 && extra)
        rc = take_extras(ring, stamps, out);
    while (rc == 0 && more) {
        if (out->nr_slots > RX_FRAME_PIECES_MAX + RX_FRAME_EXTRAS_MAX ||
            netif_rx_take(ring, &entry, &slot) != 1)
            return -EPROTO;
        more = (entry.rsp.flags & NETRXF_more_data) != 0;
        rc = add_piece(out, &entry.rsp, slot, nr_pages);
    }
    return rc < 0 ? rc : judge(out);
}

void rx_frame_copy(const struct rx_frame *frame, const uint8_t *pages, void *to,
                   uint32_t room_bytes)
{
    uint8_t *at = to;
    for (uint32_t i = 0; i < frame->nr_pieces && room_bytes > 0; i++) {
        const struct rx_piece *piece = &frame->piece[i];
        uint32_t bytes = piece->bytes < room_bytes ? piece->bytes : room_bytes;
        memcpy(at, pages + (size_t)piece->page * XEN_PAGE_SIZE + piece->offset, bytes);
        at += bytes;
        room_bytes -= bytes;
    }
}
