/* SPDX-License-Identifier: MIT */
/*
 * back_ring: the back end's half of a ring of any device: takes requests, publishes responses.
 *
 * The algorithm is Xen's (io/ring.h: RING_COPY_REQUEST, RING_PUSH_RESPONSES_AND_CHECK_NOTIFY,
 * RING_FINAL_CHECK_FOR_REQUESTS), with the strict check of the index that back_ring_look describes.
 *
 * A typed ring (blkif_back_ring.h) adds what a slot holds: it copies out of the slot that
 * back_ring_take returns, and fills the slot that back_ring_put returns.
 *
 * Threads: one for each ring. Nothing here blocks.
 */
#ifndef SPLITDOM_RING_BACK_RING_H
#define SPLITDOM_RING_BACK_RING_H

#include <assert.h>
#include <errno.h>

#include "ring/sring.h"

struct back_ring {
    struct sring *sring;
    uint32_t nr_ents;
    uint32_t req_cons;     /* next request to be taken */
    uint32_t req_prod;     /* checked copy of sring->req_prod; req_cons catches up with it */
    uint32_t rsp_prod_pvt; /* next response to be filled */
    uint32_t rsp_prod;     /* what the front end can see: our private copy of sring->rsp_prod */
};

/* BACK_RING_ATTACH. The sring outlives the half; nr_ents is sring_entries of its pages. */
static inline void back_ring_init(struct back_ring *ring, struct sring *sring, uint32_t nr_ents,
                                  uint32_t index)
{
    assert(nr_ents != 0 && (nr_ents & (nr_ents - 1)) == 0);
    *ring = (struct back_ring){.sring = sring,
                               .nr_ents = nr_ents,
                               .req_cons = index,
                               .req_prod = index,
                               .rsp_prod_pvt = index,
                               .rsp_prod = index};
}

/* Requests taken and not answered yet. */
static inline uint32_t back_ring_in_flight(const struct back_ring *ring)
{
    return ring->req_cons - ring->rsp_prod_pvt;
}

/*
 * How many requests wait: > 0, 0, or -EPROTO when the index is invalid: nothing has changed then.
 *
 * Xen's RING_REQUEST_PROD_OVERFLOW lets an index pass that moved backwards to between rsp_prod_pvt
 * and req_cons, after which a loop "until req_cons == req_prod" eats stale slots. The check here is
 * exact: new requests may fill only slots that are not in flight.
 *
 * load_acquire pairs with the release part of store_full in front_ring_push.
 */
static inline int back_ring_look(struct back_ring *ring)
{
    uint32_t prod = load_acquire_u32(&ring->sring->req_prod);
    if ((uint32_t)(prod - ring->req_cons) > ring->nr_ents - back_ring_in_flight(ring))
        return -EPROTO;
    ring->req_prod = prod;
    return (int)(prod - ring->req_cons);
}

/* Requests that are there and not taken, for people: takes no note of them. 0 when the index is
 * invalid. */
static inline uint32_t back_ring_waiting(const struct back_ring *ring)
{
    uint32_t waiting = load_acquire_u32(&ring->sring->req_prod) - ring->req_cons;
    return waiting <= ring->nr_ents - back_ring_in_flight(ring) ? waiting : 0;
}

/* The slot of the next request (back_ring_look said that there is one). The front end can change
 * the slot at any time: the caller copies it out once, and checks and uses the copy only. */
static inline const void *back_ring_take(struct back_ring *ring, size_t slot_bytes)
{
    assert(ring->req_cons != ring->req_prod);
    return sring_slot(ring->sring, ring->nr_ents, ring->req_cons++, slot_bytes);
}

/* The slot of the next response, for the caller to fill before back_ring_push. There is always
 * room, because a response takes the place of a request: there are never more responses than
 * requests that were taken. Not visible to the front end yet. */
static inline void *back_ring_put(struct back_ring *ring, size_t slot_bytes)
{
    assert(back_ring_in_flight(ring) != 0);
    return sring_slot(ring->sring, ring->nr_ents, ring->rsp_prod_pvt++, slot_bytes);
}

/*
 * Shows all filled responses to the front end. Returns whether it must be notified.
 *
 * Slots before index (release) pairs with load_acquire in front_ring_take. Index store before event
 * load (both full) pairs with front_ring_final_check. rsp_event may hold anything: a wrong value
 * costs the front end a missing or a needless event, nobody else.
 */
static inline bool back_ring_push(struct back_ring *ring)
{
    uint32_t old_prod = ring->rsp_prod;
    uint32_t new_prod = ring->rsp_prod_pvt;
    if (old_prod == new_prod)
        return false;
    ring->rsp_prod = new_prod;
    store_full_u32(&ring->sring->rsp_prod, new_prod);
    return sring_must_notify(old_prod, new_prod, load_full_u32(&ring->sring->rsp_event));
}

/*
 * Before going to sleep with the ring drained: asks for the doorbell at the next request and looks
 * once more. True: look again, don't sleep (also when the index is broken: back_ring_look will
 * say).
 *
 * Event store before index load (both full) pairs with front_ring_push.
 */
static inline bool back_ring_final_check(struct back_ring *ring)
{
    store_full_u32(&ring->sring->req_event, ring->req_cons + 1);
    return load_full_u32(&ring->sring->req_prod) != ring->req_cons;
}

/*
 * The same for a ring that is not drained, because what waits is not enough: asks for the doorbell
 * once there are count more requests than back_ring_look has seen, 1 to nr_ents. True: there are
 * already, or the index is broken.
 */
static inline bool back_ring_ask_for_more(struct back_ring *ring, uint32_t count)
{
    store_full_u32(&ring->sring->req_event, ring->req_prod + count);
    return (uint32_t)(load_full_u32(&ring->sring->req_prod) - ring->req_prod) >= count;
}

#endif
