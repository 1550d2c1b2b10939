/* SPDX-License-Identifier: MIT */
/*
 * sring: the shared page (or 2..16 pages) through which block requests and responses travel.
 *
 * Layout of DEFINE_RING_TYPES in xen/include/public/io/ring.h for blkif. The indices are
 * free-running: they count requests and responses since the ring was made and wrap at 2^32; only
 * the slot number is reduced (index modulo nr_ents, a power of two). All arithmetic and every
 * comparison is on differences.
 *
 * Requests and responses share the slots: a response is written at index rsp_prod, over a request
 * that was consumed long ago but not necessarily the one that it answers. So the back end works on
 * its own copy of a request, and the front end keeps a shadow of what it asked for.
 *
 *     rsp_cons <= rsp_prod <= req_cons <= req_prod <= rsp_cons + nr_ents     (as differences)
 *     ^ front     ^ back      ^ back      ^ front
 *
 * The private halves, which the peer cannot touch, are struct front_ring and struct back_ring.
 */
#ifndef SPLITDOM_RING_SRING_H
#define SPLITDOM_RING_SRING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ring/barrier.h"
#include "splitdom/xen/blkif.h"

enum { SRING_PAGE_ORDER_MAX = 4, SRING_ENTRIES_MAX = 512 };

union blkif_sring_entry {
    struct blkif_request req;
    struct blkif_response rsp;
};

struct blkif_sring {
    uint32_t req_prod;  /* front writes: requests below this index are complete */
    uint32_t req_event; /* back writes: "ring the doorbell when req_prod passes this" */
    uint32_t rsp_prod;  /* back writes */
    uint32_t rsp_event; /* front writes */
    uint8_t pvt[4];
    uint8_t pad[44];
    union blkif_sring_entry ring[];
};

_Static_assert(sizeof(union blkif_sring_entry) == 112, "slot is 112 bytes");
_Static_assert(offsetof(struct blkif_sring, ring) == 64, "slots start on the second cache line");

/* Slots in a ring of 2^order pages: what fits, rounded down to a power of two (32 << order). */
static inline uint32_t sring_entries(uint32_t page_order)
{
    size_t fit = (((size_t)XEN_PAGE_SIZE << page_order) - offsetof(struct blkif_sring, ring)) /
                 sizeof(union blkif_sring_entry);
    uint32_t entries = 1;
    while ((size_t)entries * 2 <= fit)
        entries *= 2;
    return entries;
}

/*
 * SHARED_RING_INIT, run by the front end before it shares the pages. The events start one ahead:
 * the first request and the first response ring. index: where both directions start (0 in life,
 * just below 2^32 in tests).
 */
static inline void sring_init(struct blkif_sring *sring, uint32_t index)
{
    memset(sring, 0, offsetof(struct blkif_sring, ring));
    sring->req_prod = index;
    sring->rsp_prod = index;
    sring->req_event = index + 1;
    sring->rsp_event = index + 1;
}

/*
 * The notification hold-off, for both directions: after the producer index went from old_prod to
 * new_prod, is the consumer waiting for an index in (old_prod, new_prod]?
 */
static inline bool sring_must_notify(uint32_t old_prod, uint32_t new_prod, uint32_t event)
{
    return (uint32_t)(new_prod - event) < (uint32_t)(new_prod - old_prod);
}

/* The time that a slot carries beside its request or its response, see splitdom/xen/blkif.h. */
static inline uint64_t sring_stamp(const struct blkif_sring *sring, uint32_t slot, size_t byte)
{
    return load_relaxed_u64(
        (const uint64_t *)(const void *)((const uint8_t *)&sring->ring[slot] + byte));
}

static inline void sring_set_stamp(struct blkif_sring *sring, uint32_t slot, size_t byte,
                                   uint64_t stamp_ns)
{
    store_relaxed_u64((uint64_t *)(void *)((uint8_t *)&sring->ring[slot] + byte), stamp_ns);
}

/*
 * Copies out of shared memory, each word read exactly once: volatile keeps the compiler from going
 * back to the source when it needs a field again (the double fetch of XSA-155).
 */
static inline void sring_copy_words(void *private_copy, const void *shared, size_t bytes)
{
    const volatile uint64_t *from = shared;
    uint64_t *to = private_copy;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        to[i] = from[i];
}

#endif
