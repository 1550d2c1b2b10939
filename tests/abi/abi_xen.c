/* SPDX-License-Identifier: MIT */
/* The interfaces as the installed Xen headers have them. */
#include "abi.h"

#include "xen_headers.h"

/* "xvda" by the scheme in io/blkif.h: major 202 << 8 | disk 0 << 4 | partition 0. */
enum { ABI_PAGE_SHIFT = XEN_PAGE_SHIFT, ABI_DOM0 = 0, ABI_XVDA = 202 << 8 };

enum {
    ABI_BLKIF_SLOTS = offsetof(struct blkif_sring, ring),
    ABI_NETIF_TX_SLOTS = offsetof(struct netif_tx_sring, ring),
    ABI_NETIF_RX_SLOTS = offsetof(struct netif_rx_sring, ring),
    /* Xen's header does not name this either: a page full of segments. */
    ABI_SEGMENTS_PER_INDIRECT_PAGE = (1 << XEN_PAGE_SHIFT) / sizeof(struct blkif_request_segment),
};

/* clang-format off */
static const struct abi_entry entries[] = {
#include "abi_list.h"
};
/* clang-format on */

static uint32_t ring_entries(enum abi_ring ring, size_t bytes)
{
    struct blkif_sring sring;
    if (ring == ABI_RING_NETIF_TX)
        return (uint32_t)__CONST_RING_SIZE(netif_tx, bytes);
    if (ring == ABI_RING_NETIF_RX)
        return (uint32_t)__CONST_RING_SIZE(netif_rx, bytes);
    uint32_t by_type = (uint32_t)__CONST_RING_SIZE(blkif, bytes);
    uint32_t by_pointer = (uint32_t)__RING_SIZE(&sring, bytes);
    return by_type == by_pointer ? by_type : 0;
}

const struct abi abi_xen = {
    .entries = entries,
    .count = sizeof(entries) / sizeof(entries[0]),
    .ring_entries = ring_entries,
};
