/* SPDX-License-Identifier: MIT */
/*
 * back_ring: the back end's private half of a ring.
 *
 * One thread per ring. Algorithm of xen/include/public/io/ring.h (RING_COPY_REQUEST,
 * RING_PUSH_RESPONSES_AND_CHECK_NOTIFY, RING_FINAL_CHECK_FOR_REQUESTS) with the strict index check
 * described at back_ring_look.
 */
#ifndef SPLITDOM_RING_BACK_RING_H
#define SPLITDOM_RING_BACK_RING_H

#include <errno.h>

#include "ring/sring.h"

struct back_ring {
    struct blkif_sring *sring;
    uint32_t nr_ents;
    uint32_t req_cons;     /* next request to be taken */
    uint32_t req_prod;     /* checked copy of sring->req_prod; req_cons catches up with it */
    uint32_t rsp_prod_pvt; /* next response to be filled */
    uint32_t rsp_prod;     /* what the front end can see: our private copy of sring->rsp_prod */
};

/* BACK_RING_ATTACH */
static inline void back_ring_init(struct back_ring *ring, struct blkif_sring *sring,
                                  uint32_t nr_ents, uint32_t index)
{
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
 * How many requests wait: > 0, 0, or -EPROTO when the index makes no sense.
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

/*
 * Takes the next request out (back_ring_look said that there is one). The copy is the only version
 * to be checked and used: the front end can change the slot at any time. Only the first
 * min(nr_segments, 11) segments are filled in; nr_segments itself is as the front end wrote it.
 */
static inline void back_ring_take_request(struct back_ring *ring, struct blkif_request *req)
{
    const union blkif_sring_entry *slot =
        &ring->sring->ring[ring->req_cons++ & (ring->nr_ents - 1)];
    sring_copy_words(req, &slot->req, offsetof(struct blkif_request, seg));
    size_t segments = req->nr_segments;
    if (segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    sring_copy_words(req->seg, slot->req.seg, segments * sizeof(req->seg[0]));
}

/* Fills the next response slot, padding included (XSA-216). Not visible yet. */
static inline void back_ring_put_response(struct back_ring *ring, uint64_t id, uint8_t operation,
                                          int16_t status)
{
    struct blkif_response *slot =
        &ring->sring->ring[ring->rsp_prod_pvt++ & (ring->nr_ents - 1)].rsp;
    struct blkif_response rsp;
    memset(&rsp, 0, sizeof(rsp));
    rsp.id = id;
    rsp.operation = operation;
    rsp.status = status;
    memcpy(slot, &rsp, sizeof(rsp));
}

/* The stamp of the request taken last, before any response is filled. */
static inline uint64_t back_ring_take_stamp(const struct back_ring *ring)
{
    return sring_stamp(ring->sring, (ring->req_cons - 1) & (ring->nr_ents - 1),
                       BLKIF_REQUEST_STAMP_BYTE);
}

/* Stamps the response filled last. */
static inline void back_ring_put_stamp(struct back_ring *ring, uint64_t stamp_ns)
{
    sring_set_stamp(ring->sring, (ring->rsp_prod_pvt - 1) & (ring->nr_ents - 1),
                    BLKIF_RESPONSE_STAMP_BYTE, stamp_ns);
}

/*
 * Shows all filled responses to the front end. Returns whether it must be notified.
 *
 * Slots before index (release) pairs with load_acquire in front_ring_take_response. Index store
 * before event load (both full) pairs with front_ring_final_check. rsp_event may hold anything: a
 * wrong value costs the front end a missing or a needless event, nobody else.
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

#endif
