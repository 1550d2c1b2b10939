/* SPDX-License-Identifier: MIT */
/*
 * blkif_front_ring: a block front end's half of a ring: how requests get into slots and responses
 * out of them. All else (free slots, push, final check) is front_ring.h's, on `half`.
 */
#ifndef SPLITDOM_RING_BLKIF_FRONT_RING_H
#define SPLITDOM_RING_BLKIF_FRONT_RING_H

#include "ring/blkif_ring.h"
#include "ring/front_ring.h"

struct blkif_front_ring {
    struct front_ring half;
};

/* Fills the next slot; front_ring_free is not 0, and req has at most BLKIF_MAX_SEGMENTS_PER_REQUEST
 * segments: those are copied, the others are not. */
static inline void blkif_put_request(struct blkif_front_ring *ring, const struct blkif_request *req)
{
    assert(req->nr_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST);
    size_t bytes = offsetof(struct blkif_request, seg) +
                   req->nr_segments * sizeof(struct blkif_request_segment);
    memcpy(front_ring_put(&ring->half, sizeof(union blkif_sring_entry)), req, bytes);
}

/* The same for the other kinds. */
static inline void blkif_put_discard(struct blkif_front_ring *ring,
                                     const struct blkif_request_discard *req)
{
    assert(req->operation == BLKIF_OP_DISCARD);
    memcpy(front_ring_put(&ring->half, sizeof(union blkif_sring_entry)), req, sizeof(*req));
}

static inline void blkif_put_indirect(struct blkif_front_ring *ring,
                                      const struct blkif_request_indirect *req)
{
    assert(req->operation == BLKIF_OP_INDIRECT);
    assert(req->nr_segments <= BLKIF_MAX_INDIRECT_SEGMENTS);
    memcpy(front_ring_put(&ring->half, sizeof(union blkif_sring_entry)), req, sizeof(*req));
}

/* Stamps the request filled last: a discard, an indirect one, or one of at most
 * BLKIF_STAMPED_SEGMENTS_MAX segments. */
static inline void blkif_put_request_stamp(struct blkif_front_ring *ring, uint64_t stamp_ns)
{
    const struct front_ring *half = &ring->half;
    store_relaxed_u64(blkif_ring_stamp(half->sring, half->nr_ents, half->req_prod_pvt - 1,
                                       BLKIF_REQUEST_STAMP_BYTE),
                      stamp_ns);
}

/* Takes the next response out. Returns 1, 0 or -EPROTO as front_ring_take does. */
static inline int blkif_take_response(struct blkif_front_ring *ring, struct blkif_response *rsp)
{
    const void *slot;
    int rc = front_ring_take(&ring->half, sizeof(union blkif_sring_entry), &slot);
    if (rc == 1)
        sring_copy_words(rsp, slot, sizeof(*rsp), sizeof(uint64_t));
    return rc;
}

/* The stamp of the response taken last, before any further request is filled. */
static inline uint64_t blkif_take_response_stamp(const struct blkif_front_ring *ring)
{
    const struct front_ring *half = &ring->half;
    return load_relaxed_u64(blkif_ring_stamp(half->sring, half->nr_ents, half->rsp_cons - 1,
                                             BLKIF_RESPONSE_STAMP_BYTE));
}

#endif
