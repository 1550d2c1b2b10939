/* SPDX-License-Identifier: MIT */
/*
 * front_ring: the front end's private half of a ring.
 *
 * One thread (or one lock) per ring: nothing here is atomic except the words shared with the back
 * end. The algorithm is Xen's (io/ring.h: RING_PUSH_REQUESTS_AND_CHECK_NOTIFY,
 * RING_FINAL_CHECK_FOR_RESPONSES, RING_COPY_RESPONSE), hardened: values that we wrote are never
 * read back, and the back end's index is checked against what is really in flight.
 */
#ifndef SPLITDOM_RING_FRONT_RING_H
#define SPLITDOM_RING_FRONT_RING_H

#include <assert.h>
#include <errno.h>

#include "ring/sring.h"

struct front_ring {
    struct blkif_sring *sring;
    uint32_t nr_ents;
    uint32_t req_prod_pvt; /* next request to be filled */
    uint32_t req_prod;     /* what the back end can see: our private copy of sring->req_prod */
    uint32_t rsp_cons;     /* next response to be taken */
    uint32_t rsp_prod;     /* checked copy of sring->rsp_prod; rsp_cons catches up with it */
};

/* FRONT_RING_ATTACH: the sring must have been made by sring_init with the same index. */
static inline void front_ring_init(struct front_ring *ring, struct blkif_sring *sring,
                                   uint32_t nr_ents, uint32_t index)
{
    *ring = (struct front_ring){.sring = sring,
                                .nr_ents = nr_ents,
                                .req_prod_pvt = index,
                                .req_prod = index,
                                .rsp_cons = index,
                                .rsp_prod = index};
}

static inline uint32_t front_ring_free(const struct front_ring *ring)
{
    return ring->nr_ents - (ring->req_prod_pvt - ring->rsp_cons);
}

/* Fills the next slot; the caller made sure that front_ring_free is not 0 and that there are at
 * most BLKIF_MAX_SEGMENTS_PER_REQUEST segments. Not visible yet. */
static inline void front_ring_put_request(struct front_ring *ring, const struct blkif_request *req)
{
    assert(req->nr_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST);
    uint32_t slot = ring->req_prod_pvt++ & (ring->nr_ents - 1);
    size_t bytes = offsetof(struct blkif_request, seg) +
                   req->nr_segments * sizeof(struct blkif_request_segment);
    memcpy(&ring->sring->ring[slot].req, req, bytes);
}

/* Stamps the request filled last, of at most BLKIF_STAMPED_SEGMENTS_MAX segments. */
static inline void front_ring_put_stamp(struct front_ring *ring, uint64_t stamp_ns)
{
    sring_set_stamp(ring->sring, (ring->req_prod_pvt - 1) & (ring->nr_ents - 1),
                    BLKIF_REQUEST_STAMP_BYTE, stamp_ns);
}

/* The stamp of the response taken last, before any further request is filled. */
static inline uint64_t front_ring_take_stamp(const struct front_ring *ring)
{
    return sring_stamp(ring->sring, (ring->rsp_cons - 1) & (ring->nr_ents - 1),
                       BLKIF_RESPONSE_STAMP_BYTE);
}

/*
 * Shows all filled slots to the back end. Returns whether the doorbell must be rung.
 *
 * Slots before index (release part of store_full) pairs with the load_acquire in
 * back_ring_look. Index store before event load (both full) pairs with the event store before index
 * load in back_ring_final_check: one of us sees the other, so a wake-up can't be lost.
 */
static inline bool front_ring_push(struct front_ring *ring)
{
    uint32_t old_prod = ring->req_prod;
    uint32_t new_prod = ring->req_prod_pvt;
    if (old_prod == new_prod)
        return false;
    ring->req_prod = new_prod;
    store_full_u32(&ring->sring->req_prod, new_prod);
    return sring_must_notify(old_prod, new_prod, load_full_u32(&ring->sring->req_event));
}

/* A cheap look from any thread, without the ring's lock: is there possibly a response? Advisory. */
static inline bool front_ring_has_hint(const struct front_ring *ring)
{
    return load_relaxed_u32(&ring->sring->rsp_prod) != load_relaxed_u32(&ring->rsp_cons);
}

/*
 * Takes one response out. Returns 1, 0 when there is none, or -EPROTO when the back end claims more
 * responses than there are requests in flight (an index that moved backwards included): the ring
 * can't be trusted any more.
 *
 * load_acquire pairs with the release part of store_full in back_ring_push.
 */
static inline int front_ring_take_response(struct front_ring *ring, struct blkif_response *rsp)
{
    if (ring->rsp_cons == ring->rsp_prod) {
        uint32_t prod = load_acquire_u32(&ring->sring->rsp_prod);
        if ((uint32_t)(prod - ring->rsp_cons) > (uint32_t)(ring->req_prod - ring->rsp_cons))
            return -EPROTO;
        if (prod == ring->rsp_cons)
            return 0;
        ring->rsp_prod = prod;
    }
    uint32_t slot = ring->rsp_cons & (ring->nr_ents - 1);
    sring_copy_words(rsp, &ring->sring->ring[slot].rsp, sizeof(*rsp));
    store_relaxed_u32(&ring->rsp_cons, ring->rsp_cons + 1); /* read by front_ring_has_hint */
    return 1;
}

/*
 * Before going to sleep with the ring drained: asks to be notified of the next response and looks
 * once more. True: something is there, don't sleep.
 *
 * Event store before index load (both full) pairs with back_ring_push.
 */
static inline bool front_ring_final_check(struct front_ring *ring)
{
    store_full_u32(&ring->sring->rsp_event, ring->rsp_cons + 1);
    return load_full_u32(&ring->sring->rsp_prod) != ring->rsp_cons;
}

#endif
