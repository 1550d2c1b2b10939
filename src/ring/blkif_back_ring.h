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

/* How much of a request there is beyond its head, the 24 bytes that all kinds have. */
static inline size_t blkif_segment_bytes(const struct blkif_request *req)
{
    size_t segments = req->nr_segments;
    if (segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    return segments * sizeof(req->seg[0]);
}

static inline size_t blkif_body_bytes(const struct blkif_request *req)
{
    const size_t head = offsetof(struct blkif_request, seg);
    switch (req->operation) {
    case BLKIF_OP_DISCARD:
        return sizeof(struct blkif_request_discard) - head;
    case BLKIF_OP_INDIRECT:
        return sizeof(struct blkif_request_indirect) - head;
    default:
        return req->operation < BLKIF_OP_DISCARD ? blkif_segment_bytes(req) : 0;
    }
}

/*
 * Takes the next request out (back_ring_look said that there is one). The copy is the only version
 * to be checked and used; each word of the slot is read once. Of segments only the first
 * min(nr_segments, 11) are filled in; nr_segments itself is as the front end wrote it. Of an
 * operation that there is not, the head alone is filled in. true: a READ; false: another one, which
 * blkif_as_discard and blkif_as_indirect show as what it is.
 */
static inline bool blkif_take_request(struct blkif_back_ring *ring, struct blkif_request *req)
{
    const union blkif_sring_entry *slot = back_ring_take(&ring->half, sizeof(*slot));
    sring_copy_words(req, &slot->req, offsetof(struct blkif_request, seg), sizeof(uint64_t));
    bool is_read = req->operation == BLKIF_OP_READ;
    size_t bytes =
        __builtin_expect(is_read, true) ? blkif_segment_bytes(req) : blkif_body_bytes(req);
    sring_copy_words(req->seg, slot->req.seg, bytes, sizeof(uint64_t));
    return is_read;
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
