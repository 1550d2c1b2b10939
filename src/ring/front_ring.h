/* SPDX-License-Identifier: MIT */
/*
 * front_ring: the front end's half of a ring of any device: publishes requests, takes responses.
 *
 * The algorithm is Xen's (io/ring.h: RING_PUSH_REQUESTS_AND_CHECK_NOTIFY,
 * RING_FINAL_CHECK_FOR_RESPONSES, RING_COPY_RESPONSE), with two additions: values that we wrote are
 * never read back, and the back end's index is checked against what is really in flight.
 *
 * A typed ring (blkif_front_ring.h) adds what a slot holds: it fills the slot that front_ring_put
 * returns, and copies out of the slot that front_ring_take returns.
 *
 * Threads: one, or one lock, for each ring. Only the words shared with the back end are atomic, and
 * rsp_cons, for front_ring_has_hint. Nothing here blocks.
 */
#ifndef SPLITDOM_RING_FRONT_RING_H
#define SPLITDOM_RING_FRONT_RING_H

#include <assert.h>
#include <errno.h>

#include "ring/sring.h"

struct front_ring {
    struct sring *sring;
    uint32_t nr_ents;
    uint32_t req_prod_pvt; /* next request to be filled */
    uint32_t req_prod;     /* what the back end can see: our private copy of sring->req_prod */
    uint32_t rsp_cons;     /* next response to be taken */
    uint32_t rsp_prod;     /* checked copy of sring->rsp_prod; rsp_cons catches up with it */
};

/* A new life at the same address: sring was made again by sring_init with the same index. Other
 * threads may be in front_ring_has_hint meanwhile. nr_ents is sring_entries of its pages. */
static inline void front_ring_restart(struct front_ring *ring, uint32_t nr_ents, uint32_t index)
{
    assert(nr_ents != 0 && (nr_ents & (nr_ents - 1)) == 0);
    ring->nr_ents = nr_ents;
    ring->req_prod_pvt = index;
    ring->req_prod = index;
    store_relaxed_u32(&ring->rsp_cons, index);
    ring->rsp_prod = index;
}

/* FRONT_RING_ATTACH. The sring was made by sring_init with the same index and outlives the half. */
static inline void front_ring_init(struct front_ring *ring, struct sring *sring, uint32_t nr_ents,
                                   uint32_t index)
{
    ring->sring = sring;
    front_ring_restart(ring, nr_ents, index);
}

/* How many requests can be put now. */
static inline uint32_t front_ring_free(const struct front_ring *ring)
{
    return ring->nr_ents - (ring->req_prod_pvt - ring->rsp_cons);
}

/* The slot of the next request, for the caller to fill before front_ring_push. The caller made sure
 * that front_ring_free is not 0. Not visible to the back end yet. */
static inline void *front_ring_put(struct front_ring *ring, size_t slot_bytes)
{
    assert(front_ring_free(ring) != 0);
    return sring_slot(ring->sring, ring->nr_ents, ring->req_prod_pvt++, slot_bytes);
}

/*
 * Shows all filled slots to the back end. Returns whether the doorbell must be rung.
 *
 * Slots before index (release part of store_full) pairs with the load_acquire in
 * back_ring_look. Index store before event load (both full) pairs with the event store before index
 * load in back_ring_final_check: one of us sees the other, so a wake-up can't be lost. req_event
 * may hold anything: a wrong value costs a missing or a needless doorbell.
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
 * The slot of the next response. Returns 1 and sets *slot, for the caller to copy out before the
 * next front_ring_push; 0 when there is none; -EPROTO when the back end claims more responses than
 * there are requests in flight (an index that moved backwards included): the ring can't be trusted
 * any more.
 *
 * load_acquire pairs with the release part of store_full in back_ring_push.
 */
static inline int front_ring_take(struct front_ring *ring, size_t slot_bytes, const void **slot)
{
    if (ring->rsp_cons == ring->rsp_prod) {
        uint32_t prod = load_acquire_u32(&ring->sring->rsp_prod);
        if ((uint32_t)(prod - ring->rsp_cons) > (uint32_t)(ring->req_prod - ring->rsp_cons))
            return -EPROTO;
        if (prod == ring->rsp_cons)
            return 0;
        ring->rsp_prod = prod;
    }
    *slot = sring_slot(ring->sring, ring->nr_ents, ring->rsp_cons, slot_bytes);
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

/* The same for who is woken otherwise (ring/sleeper.h): asks for no event. */
static inline bool front_ring_is_answered(const struct front_ring *ring)
{
    return load_full_u32(&ring->sring->rsp_prod) != ring->rsp_cons;
}

/*
 * The same for who waits for several: asks to be notified once count more responses are there,
 * 1 to as many as are in flight. True: they are, or the back end lies; don't sleep.
 */
static inline bool front_ring_await(struct front_ring *ring, uint32_t count)
{
    store_full_u32(&ring->sring->rsp_event, ring->rsp_cons + count);
    return (uint32_t)(load_full_u32(&ring->sring->rsp_prod) - ring->rsp_cons) >= count;
}

#endif
