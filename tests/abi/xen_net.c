/* SPDX-License-Identifier: MIT */
#include "xen_net.h"

#include <stdlib.h>

#include "xen_headers.h"

enum { PAGE_BYTES = 4096, NOT_A_FRAME = 0xffff };

struct xen_net {
    struct xen_net_pages pages;
    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
    uint16_t last_of[XEN_NET_SLOTS]; /* by id: the last slot of a frame says so by its own id */
};

struct xen_net *xen_net_create(const struct xen_net_pages *pages)
{
    struct xen_net *net = calloc(1, sizeof(*net));
    struct netif_tx_sring *tx = pages->tx_ring;
    struct netif_rx_sring *rx = pages->rx_ring;
    if (net == NULL)
        return NULL;
    net->pages = *pages;
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    tx->req_prod = tx->rsp_prod = rx->req_prod = rx->rsp_prod = pages->index;
    tx->req_event = tx->rsp_event = rx->req_event = rx->rsp_event = pages->index + 1;
    FRONT_RING_ATTACH(&net->tx, tx, pages->index, PAGE_BYTES);
    FRONT_RING_ATTACH(&net->rx, rx, pages->index, PAGE_BYTES);
    return net;
}

void xen_net_destroy(struct xen_net *net)
{
    free(net);
}

static netif_tx_request_t *put_piece(struct xen_net *net, const uint8_t *data, uint32_t bytes)
{
    RING_IDX slot = net->tx.req_prod_pvt & (XEN_NET_SLOTS - 1);
    netif_tx_request_t *req = RING_GET_REQUEST(&net->tx, net->tx.req_prod_pvt);
    net->tx.req_prod_pvt++;
    req->gref = net->pages.tx_ref + slot;
    req->offset = (PAGE_BYTES - bytes) / 2;
    req->id = slot;
    req->size = bytes;
    req->flags = 0;
    net->last_of[slot] = NOT_A_FRAME;
    memcpy(net->pages.tx_data + (size_t)slot * PAGE_BYTES + req->offset, data, bytes);
    return req;
}

static void put_gso(struct xen_net *net, const struct xen_net_frame *frame)
{
    struct netif_extra_info *gso =
        (struct netif_extra_info *)RING_GET_REQUEST(&net->tx, net->tx.req_prod_pvt);
    net->tx.req_prod_pvt++;
    gso->u.gso.size = frame->gso_size;
    gso->u.gso.type = frame->gso_type;
    gso->u.gso.pad = 0;
    gso->u.gso.features = 0;
    gso->type = XEN_NETIF_EXTRA_TYPE_GSO;
    gso->flags = 0;
}

bool xen_net_send(struct xen_net *net, const struct xen_net_frame *frame, bool *notify)
{
    uint32_t pieces = (frame->length_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    if (RING_FREE_REQUESTS(&net->tx) < pieces + 1)
        return false;
    netif_tx_request_t *first = NULL, *last = NULL;
    for (uint32_t at = 0; at < frame->length_bytes; at += PAGE_BYTES) {
        uint32_t left = frame->length_bytes - at;
        if (last != NULL)
            last->flags |= NETTXF_more_data;
        last = put_piece(net, frame->data + at, left < PAGE_BYTES ? left : PAGE_BYTES);
        if (first == NULL) {
            first = last;
            first->flags |= frame->checksum_blank ? NETTXF_csum_blank : 0;
            first->flags |= frame->data_validated ? NETTXF_data_validated : 0;
            first->flags |= frame->gso_type != 0 ? NETTXF_extra_info : 0;
            if (frame->gso_type != 0)
                put_gso(net, frame);
        }
    }
    first->size = frame->length_bytes;
    net->last_of[last->id] = last->id;
    int told;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->tx, told);
    *notify = told != 0;
    return true;
}

int xen_net_collect(struct xen_net *net)
{
    int frames = 0, more;
    do {
        RING_IDX prod = net->tx.sring->rsp_prod;
        xen_rmb();
        if (RING_RESPONSE_PROD_OVERFLOW(&net->tx, prod))
            return -1;
        for (; net->tx.rsp_cons != prod; net->tx.rsp_cons++) {
            netif_tx_response_t rsp;
            RING_COPY_RESPONSE(&net->tx, net->tx.rsp_cons, &rsp);
            if (rsp.status == NETIF_RSP_NULL)
                continue;
            if (rsp.status != NETIF_RSP_OKAY || rsp.id >= XEN_NET_SLOTS)
                return -1;
            frames += net->last_of[rsp.id] == rsp.id;
            net->last_of[rsp.id] = NOT_A_FRAME;
        }
        RING_FINAL_CHECK_FOR_RESPONSES(&net->tx, more);
    } while (more);
    return frames;
}

void xen_net_post(struct xen_net *net, uint32_t pages, bool *notify)
{
    int told;
    while (net->rx.req_prod_pvt - net->rx.rsp_cons < pages) {
        RING_IDX slot = net->rx.req_prod_pvt & (XEN_NET_SLOTS - 1);
        netif_rx_request_t *req = RING_GET_REQUEST(&net->rx, net->rx.req_prod_pvt);
        net->rx.req_prod_pvt++;
        req->id = slot;
        req->pad = 0;
        req->gref = net->pages.rx_ref + slot;
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->rx, told);
    *notify = told != 0;
}

/* The next slot, whatever it holds. */
static bool next_slot(struct xen_net *net, netif_rx_response_t *rsp, RING_IDX *slot)
{
    if (net->rx.rsp_cons == net->rx.sring->rsp_prod)
        return false;
    xen_rmb();
    *slot = net->rx.rsp_cons & (XEN_NET_SLOTS - 1);
    RING_COPY_RESPONSE(&net->rx, net->rx.rsp_cons, rsp);
    net->rx.rsp_cons++;
    return true;
}

static bool take_gso(struct xen_net *net, struct xen_net_frame *frame)
{
    netif_rx_response_t slot;
    RING_IDX unused;
    if (!next_slot(net, &slot, &unused))
        return false;
    struct netif_extra_info gso;
    memcpy(&gso, &slot, sizeof(gso));
    frame->gso_type = gso.u.gso.type;
    frame->gso_size = gso.u.gso.size;
    return gso.type == XEN_NETIF_EXTRA_TYPE_GSO && gso.flags == 0;
}

int xen_net_receive(struct xen_net *net, struct xen_net_frame *frame)
{
    netif_rx_response_t rsp;
    RING_IDX slot;
    frame->length_bytes = 0;
    frame->gso_type = frame->gso_size = 0;
    if (!next_slot(net, &rsp, &slot)) {
        int more;
        RING_FINAL_CHECK_FOR_RESPONSES(&net->rx, more);
        return more != 0 ? xen_net_receive(net, frame) : 0;
    }
    frame->checksum_blank = (rsp.flags & NETRXF_csum_blank) != 0;
    frame->data_validated = (rsp.flags & NETRXF_data_validated) != 0;
    for (;;) {
        netif_rx_response_t piece = rsp;
        if (piece.id != slot || piece.status <= 0 || piece.offset + piece.status > PAGE_BYTES ||
            frame->length_bytes + piece.status > XEN_NET_FRAME_MAX)
            return -1;
        memcpy(frame->data + frame->length_bytes,
               net->pages.rx_data + (size_t)slot * PAGE_BYTES + piece.offset, piece.status);
        frame->length_bytes += piece.status;
        if ((piece.flags & NETRXF_extra_info) != 0 && !take_gso(net, frame))
            return -1;
        if ((piece.flags & NETRXF_more_data) == 0)
            return 1;
        if (!next_slot(net, &rsp, &slot))
            return -1;
    }
}
