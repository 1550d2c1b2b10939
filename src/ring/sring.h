/* SPDX-License-Identifier: MIT */
/*
 * sring: the shared pages (1 to 16) through which requests and responses of any device travel.
 *
 * Layout of DEFINE_RING_TYPES in xen/include/public/io/ring.h: a header of 64 bytes, then the
 * slots. The header is the same for every device; the size of a slot is not (blkif: 112 bytes,
 * blkif_ring.h). A typed ring passes its slot size as a constant, so the compiler folds it.
 *
 * The indices are free-running: they count requests and responses since the ring was made and wrap
 * at 2^32. Only the slot number is reduced (index modulo nr_ents, a power of two). All arithmetic
 * and every comparison is on differences.
 *
 * Requests and responses share the slots. A response is written at index rsp_prod, over a request
 * that was consumed long ago, but not necessarily over the request that it answers. So the back end
 * works on its own copy of a request, and the front end remembers what it asked for.
 *
 *     rsp_cons <= rsp_prod <= req_cons <= req_prod <= rsp_cons + nr_ents     (as differences)
 *     ^ front     ^ back      ^ back      ^ front
 *
 * The peer cannot touch the private halves: struct front_ring and struct back_ring.
 */
#ifndef SPLITDOM_RING_SRING_H
#define SPLITDOM_RING_SRING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ring/barrier.h"
#include "splitdom/xen/grant_table.h"

struct sring {
    uint32_t req_prod;  /* front writes: requests below this index are complete */
    uint32_t req_event; /* back writes: "ring the doorbell when req_prod passes this" */
    uint32_t rsp_prod;  /* back writes: responses below this index are complete */
    uint32_t rsp_event; /* front writes: "send an event when rsp_prod passes this" */
    uint8_t pvt[4];
    uint8_t pad[44];
    uint64_t slots[]; /* nr_ents slots of slot_bytes each */
};

_Static_assert(offsetof(struct sring, slots) == 64, "slots start on the second cache line");

/* Slots in a ring of 2^page_order pages: what fits, rounded down to a power of two. */
static inline uint32_t sring_entries(uint32_t page_order, size_t slot_bytes)
{
    size_t fit =
        (((size_t)XEN_PAGE_SIZE << page_order) - offsetof(struct sring, slots)) / slot_bytes;
    uint32_t entries = 1;
    while ((size_t)entries * 2 <= fit)
        entries *= 2;
    return entries;
}

/*
 * SHARED_RING_INIT, run by the front end before it shares the pages. The events start one ahead, so
 * the first request and the first response notify. index: where both directions start (0 in life,
 * just below 2^32 in tests).
 */
static inline void sring_init(struct sring *sring, uint32_t index)
{
    memset(sring, 0, offsetof(struct sring, slots));
    sring->req_prod = index;
    sring->rsp_prod = index;
    sring->req_event = index + 1;
    sring->rsp_event = index + 1;
}

/* The slot of an index, in a ring of nr_ents slots. */
static inline void *sring_slot(struct sring *sring, uint32_t nr_ents, uint32_t index,
                               size_t slot_bytes)
{
    return (uint8_t *)sring->slots + (index & (nr_ents - 1)) * slot_bytes;
}

/*
 * The notification hold-off, for both directions: after the producer index went from old_prod to
 * new_prod, is the consumer waiting for an index in (old_prod, new_prod]?
 */
static inline bool sring_must_notify(uint32_t old_prod, uint32_t new_prod, uint32_t event)
{
    return (uint32_t)(new_prod - event) < (uint32_t)(new_prod - old_prod);
}

/* Words that a structure of any members is copied by. */
typedef uint64_t __attribute__((may_alias)) sring_word64;
typedef uint32_t __attribute__((may_alias)) sring_word32;

/*
 * Copies out of shared memory. Each word is read exactly once: volatile keeps the compiler from
 * going back to the source when a field is needed again (the double fetch of XSA-155).
 * word_bytes is 8 or 4, a constant: what the alignment of the slots allows. bytes is a multiple
 * of it.
 */
static inline void sring_copy_words(void *private_copy, const void *shared, size_t bytes,
                                    size_t word_bytes)
{
    if (word_bytes == sizeof(uint64_t)) {
        const volatile sring_word64 *from = shared;
        sring_word64 *to = private_copy;
        for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
            to[i] = from[i];
    } else {
        const volatile sring_word32 *from = shared;
        sring_word32 *to = private_copy;
        for (size_t i = 0; i < bytes / sizeof(uint32_t); i++)
            to[i] = from[i];
    }
}

#endif
