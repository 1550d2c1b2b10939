/* SPDX-License-Identifier: MIT */
#include "fakes/fake_netfront.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ring/gnttab.h"

enum { RING_PAGES = 2, SPARE_PAGES = 16 };

int fake_netfront_open(struct fake_netfront *nf, domid_t domid, uint32_t index)
{
    *nf = (struct fake_netfront){.fd = -1};
    int rc = segment_create(SPARE_PAGES + RING_PAGES + 2 * NETIF_RING_ENTRIES, domid, &nf->segment,
                            &nf->fd);
    if (rc < 0)
        return rc;
    struct grant_entry_v1 *table = nf->segment.gnttab;
    uint32_t pfn = nf->segment.free_pfn;
    gnttab_grant_access(table, FAKE_NETFRONT_TX_RING_REF, DOM0_DOMID, pfn, false);
    gnttab_grant_access(table, FAKE_NETFRONT_RX_RING_REF, DOM0_DOMID, pfn + 1, false);
    nf->tx_pfn = pfn + RING_PAGES;
    nf->rx_pfn = nf->tx_pfn + NETIF_RING_ENTRIES;
    for (uint32_t i = 0; i < NETIF_RING_ENTRIES; i++) {
        gnttab_grant_access(table, FAKE_NETFRONT_TX_REF + i, DOM0_DOMID, nf->tx_pfn + i, true);
        gnttab_grant_access(table, FAKE_NETFRONT_RX_REF + i, DOM0_DOMID, nf->rx_pfn + i, false);
    }
    fake_netfront_restart(nf, index);
    return 0;
}

void fake_netfront_restart(struct fake_netfront *nf, uint32_t index)
{
    struct sring *tx = segment_page(&nf->segment, nf->segment.free_pfn);
    struct sring *rx = segment_page(&nf->segment, nf->segment.free_pfn + 1);
    sring_init(tx, index);
    sring_init(rx, index);
    front_ring_init(&nf->tx.half, tx, NETIF_RING_ENTRIES, index);
    front_ring_init(&nf->rx.half, rx, NETIF_RING_ENTRIES, index);
}

void fake_netfront_close(struct fake_netfront *nf)
{
    segment_detach(&nf->segment);
    close(nf->fd);
}

/* The next slot's own page. */
static void put_piece(struct fake_netfront *nf, const uint8_t *data, uint32_t bytes, uint32_t size,
                      uint16_t flags)
{
    uint32_t slot = nf->tx.half.req_prod_pvt & (NETIF_RING_ENTRIES - 1);
    uint32_t offset = XEN_PAGE_SIZE - bytes;
    memcpy((uint8_t *)segment_page(&nf->segment, nf->tx_pfn + slot) + offset, data, bytes);
    netif_tx_put_request(&nf->tx, &(struct netif_tx_request){.gref = FAKE_NETFRONT_TX_REF + slot,
                                                             .offset = (uint16_t)offset,
                                                             .flags = flags,
                                                             .id = (uint16_t)slot,
                                                             .size = (uint16_t)size});
}

static void put_extras(struct fake_netfront *nf, const struct fake_tx *how)
{
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};
    if (how->gso_type != 0) {
        extra.u.gso.type = how->gso_type;
        extra.u.gso.size = how->gso_size;
        extra.flags = how->has_stamp ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
        netif_tx_put_extra(&nf->tx, &extra);
    }
    if (how->has_stamp) {
        extra = (struct netif_extra_info){.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP};
        splitdom_netif_stamp_put(&extra, how->stamp_ns);
        netif_tx_put_extra(&nf->tx, &extra);
    }
}

uint32_t fake_netfront_send(struct fake_netfront *nf, const uint8_t *data, uint32_t length_bytes,
                            const struct fake_tx *how, bool *notify)
{
    static const struct fake_tx plain;
    how = how != NULL ? how : &plain;
    uint32_t most = how->piece_bytes != 0 ? how->piece_bytes : XEN_PAGE_SIZE;
    uint32_t pieces = length_bytes > most ? (length_bytes + most - 1) / most : 1;
    uint32_t extras = (uint32_t)(how->gso_type != 0) + (uint32_t)how->has_stamp;
    if (front_ring_free(&nf->tx.half) < pieces + extras)
        return 0;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t at = i * most, left = length_bytes - at, bytes = left < most ? left : most;
        uint16_t flags = i + 1 < pieces ? NETTXF_more_data : 0;
        if (i == 0)
            flags |= (uint16_t)(how->flags | (extras > 0 ? NETTXF_extra_info : 0));
        put_piece(nf, data + at, bytes, i == 0 ? length_bytes : bytes, flags);
        if (i == 0)
            put_extras(nf, how);
    }
    bool rings = front_ring_push(&nf->tx.half);
    if (notify != NULL)
        *notify = rings;
    return pieces + extras;
}

uint32_t fake_netfront_post(struct fake_netfront *nf, uint32_t count, bool *notify)
{
    uint32_t posted = 0;
    for (; posted < count && front_ring_free(&nf->rx.half) > 0; posted++) {
        uint32_t slot = nf->rx.half.req_prod_pvt & (NETIF_RING_ENTRIES - 1);
        netif_rx_put_request(&nf->rx, (uint16_t)slot, FAKE_NETFRONT_RX_REF + slot);
    }
    bool rings = front_ring_push(&nf->rx.half);
    if (notify != NULL)
        *notify = rings;
    return posted;
}

static int take_extras(struct fake_netfront *nf, struct fake_rx *out)
{
    union netif_rx_sring_entry entry;
    uint32_t slot;
    do {
        if (netif_rx_take(&nf->rx, &entry, &slot) != 1)
            return -EPROTO;
        out->slots++;
        if (entry.extra.type == XEN_NETIF_EXTRA_TYPE_GSO) {
            out->gso_type = entry.extra.u.gso.type;
            out->gso_size = entry.extra.u.gso.size;
        } else if (entry.extra.type == SPLITDOM_NETIF_EXTRA_TYPE_STAMP) {
            out->has_stamp = true;
            out->stamp = entry.extra;
        } else {
            return -EPROTO;
        }
    } while ((entry.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0);
    return 0;
}

/* The page of that slot. */
static int take_data(struct fake_netfront *nf, const struct netif_rx_response *rsp, uint32_t slot,
                     struct fake_rx *out)
{
    if (rsp->id != slot)
        return -EPROTO;
    if (rsp->status < 0) {
        out->failed = true;
        return 0;
    }
    uint32_t bytes = (uint32_t)rsp->status;
    if (rsp->offset + bytes > XEN_PAGE_SIZE || out->length_bytes + bytes > FAKE_NETFRONT_FRAME_MAX)
        return -EPROTO;
    const uint8_t *page = segment_page(&nf->segment, nf->rx_pfn + slot);
    memcpy(out->data + out->length_bytes, page + rsp->offset, bytes);
    out->length_bytes += bytes;
    return 0;
}

int fake_netfront_receive(struct fake_netfront *nf, struct fake_rx *out)
{
    union netif_rx_sring_entry entry;
    uint32_t slot;
    memset(out, 0, offsetof(struct fake_rx, failed) + sizeof(out->failed));
    int rc = netif_rx_take(&nf->rx, &entry, &slot);
    if (rc != 1)
        return rc;
    out->flags = entry.rsp.flags;
    for (;;) {
        struct netif_rx_response rsp = entry.rsp;
        out->slots++;
        rc = take_data(nf, &rsp, slot, out);
        if (rc == 0 && (rsp.flags & NETRXF_extra_info) != 0)
            rc = take_extras(nf, out);
        if (rc < 0)
            return rc;
        if ((rsp.flags & NETRXF_more_data) == 0)
            return 1;
        if (netif_rx_take(&nf->rx, &entry, &slot) != 1)
            return -EPROTO;
    }
}
