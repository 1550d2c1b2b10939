/* SPDX-License-Identifier: MIT */
/*
 * blkif_ring: what a slot of a block device's ring holds. The rings themselves: blkif_front_ring.h
 * and blkif_back_ring.h.
 *
 * Instance of DEFINE_RING_TYPES(blkif, ...) in xen/include/public/io/blkif.h.
 */
#ifndef SPLITDOM_RING_BLKIF_RING_H
#define SPLITDOM_RING_BLKIF_RING_H

#include "ring/sring.h"
#include "splitdom/xen/blkif.h"

union blkif_sring_entry {
    struct blkif_request req;
    struct blkif_response rsp;
};

/* ENTRIES_MAX: slots of the largest ring, 32 << PAGE_ORDER_MAX. */
enum { BLKIF_RING_PAGE_ORDER_MAX = 4, BLKIF_RING_ENTRIES_MAX = 512 };

_Static_assert(sizeof(union blkif_sring_entry) == 112, "slot is 112 bytes");
_Static_assert(sizeof(struct blkif_request_indirect) <= BLKIF_REQUEST_STAMP_BYTE,
               "no request but one of eleven segments lies where its stamp does");

static inline uint32_t blkif_ring_entries(uint32_t page_order)
{
    return sring_entries(page_order, sizeof(union blkif_sring_entry));
}

static inline union blkif_sring_entry *blkif_ring_slot(struct sring *sring, uint32_t nr_ents,
                                                       uint32_t index)
{
    return sring_slot(sring, nr_ents, index, sizeof(union blkif_sring_entry));
}

/* The time that a slot carries beside its request or its response; byte is where, one of the
 * BLKIF_*_STAMP_BYTE of splitdom/xen/blkif.h. */
static inline uint64_t *blkif_ring_stamp(struct sring *sring, uint32_t nr_ents, uint32_t index,
                                         size_t byte)
{
    return (uint64_t *)(void *)((uint8_t *)blkif_ring_slot(sring, nr_ents, index) + byte);
}

#endif
