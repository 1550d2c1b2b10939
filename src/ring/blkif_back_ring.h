/* SPDX-License-Identifier: MIT */
/*
 * blkif_back_ring: a block back end's half of a ring: how requests get out of slots and responses
 * into them. All else (look, in flight, push, final check) is back_ring.h's, on `half`.
 */
#ifndef SPLITDOM_RING_BLKIF_BACK_RING_H
#define SPLITDOM_RING_BLKIF_BACK_RING_H

#include "ring/back_ring.h"
#include "ring/blkif_ring.h"

struct blkif_back_ring {
    struct back_ring half;
};

/*
 * Takes the next request out (back_ring_look said that there is one). The copy is the only version
 * to be checked and used; each word of the slot is read once. true: a request with its segments in
 * it, of which only the first min(nr_segments, 11) are filled in; nr_segments itself is as the
 * front end wrote it. false: the operation is DISCARD or INDIRECT, to be looked at with
 * blkif_as_discard or blkif_as_indirect, or one beyond those, with nothing but operation and id.
 */
static inline bool blkif_take_request(struct blkif_back_ring *ring, struct blkif_request *req)
{
    const union blkif_sring_entry *slot = back_ring_take(&ring->half, sizeof(*slot));
    sring_copy_words(req, &slot->req, offsetof(struct blkif_request, seg), sizeof(uint64_t));
    if (__builtin_expect(req->operation >= BLKIF_OP_DISCARD, false)) {
        size_t bytes = req->operation == BLKIF_OP_DISCARD    ? sizeof(struct blkif_request_discard)
                       : req->operation == BLKIF_OP_INDIRECT ? sizeof(struct blkif_request_indirect)
                                                             : offsetof(struct blkif_request, seg);
        sring_copy_words(req->seg, slot->req.seg, bytes - offsetof(struct blkif_request, seg),
                         sizeof(uint64_t));
        return false;
    }
    size_t segments = req->nr_segments;
    if (segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    sring_copy_words(req->seg, slot->req.seg, segments * sizeof(req->seg[0]), sizeof(uint64_t));
    return true;
}

/* A private copy of that kind, as what it is. */
static inline struct blkif_request_discard blkif_as_discard(const struct blkif_request *req)
{
    struct blkif_request_discard discard;
    memcpy(&discard, req, sizeof(discard));
    return discard;
}

static inline struct blkif_request_indirect blkif_as_indirect(const struct blkif_request *req)
{
    struct blkif_request_indirect indirect;
    memcpy(&indirect, req, sizeof(indirect));
    return indirect;
}

/* The stamp of the request taken last, before any response is filled. */
static inline uint64_t blkif_take_request_stamp(const struct blkif_back_ring *ring)
{
    const struct back_ring *half = &ring->half;
    return load_relaxed_u64(
        blkif_ring_stamp(half->sring, half->nr_ents, half->req_cons - 1, BLKIF_REQUEST_STAMP_BYTE));
}

/* Fills the next response slot, padding included (XSA-216). */
static inline void blkif_put_response(struct blkif_back_ring *ring, uint64_t id, uint8_t operation,
                                      int16_t status)
{
    struct blkif_response rsp;
    memset(&rsp, 0, sizeof(rsp));
    rsp.id = id;
    rsp.operation = operation;
    rsp.status = status;
    memcpy(back_ring_put(&ring->half, sizeof(union blkif_sring_entry)), &rsp, sizeof(rsp));
}

/* Stamps the response filled last. */
static inline void blkif_put_response_stamp(struct blkif_back_ring *ring, uint64_t stamp_ns)
{
    const struct back_ring *half = &ring->half;
    store_relaxed_u64(blkif_ring_stamp(half->sring, half->nr_ents, half->rsp_prod_pvt - 1,
                                       BLKIF_RESPONSE_STAMP_BYTE),
                      stamp_ns);
}

#endif
