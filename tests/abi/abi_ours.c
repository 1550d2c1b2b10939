/* SPDX-License-Identifier: MIT */
/* The interfaces as include/splitdom and src/ring have them. */
#include "abi.h"

#include "ring/blkif_ring.h"
#include "ring/netif_ring.h"
#include "splitdom/xen/blkif.h"
#include "splitdom/xen/grant_table.h"
#include "splitdom/xen/netif.h"
#include "splitdom/xen/shared_info.h"
#include "splitdom/xen/xenbus.h"
#include "splitdom/xen/xs_wire.h"

enum { ABI_PAGE_SHIFT = XEN_PAGE_SHIFT, ABI_DOM0 = DOM0_DOMID, ABI_XVDA = XENBUS_VBD_XVDA };

/* One type serves all devices. */
#define blkif_sring    sring
#define netif_tx_sring sring
#define netif_rx_sring sring
enum {
    ABI_BLKIF_SLOTS = offsetof(struct sring, slots),
    ABI_NETIF_TX_SLOTS = ABI_BLKIF_SLOTS,
    ABI_NETIF_RX_SLOTS = ABI_BLKIF_SLOTS,
    ABI_SEGMENTS_PER_INDIRECT_PAGE = BLKIF_SEGMENTS_PER_INDIRECT_PAGE,
};

/* clang-format off */
static const struct abi_entry entries[] = {
#include "abi_list.h"
};
/* clang-format on */

static uint32_t ring_entries(enum abi_ring ring, size_t bytes)
{
    uint32_t order = 0;
    while ((size_t)XEN_PAGE_SIZE << order < bytes)
        order++;
    if (ring == ABI_RING_BLKIF)
        return blkif_ring_entries(order);
    return sring_entries(order, ring == ABI_RING_NETIF_TX ? sizeof(union netif_tx_sring_entry)
                                                          : sizeof(union netif_rx_sring_entry));
}

const struct abi abi_ours = {
    .entries = entries,
    .count = sizeof(entries) / sizeof(entries[0]),
    .ring_entries = ring_entries,
};
