/* SPDX-License-Identifier: MIT */
/*
 * pending: one request of a ring between its arrival there and its response: a block request and
 * what only the ring knows of it.
 *
 * A fixed pool per ring, as many as the ring has slots: a request that was taken always finds one.
 * (Linux xen-blkback: struct pending_req.)
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_PENDING_H
#define SPLITDOM_SERVICE_BACK_VBD_PENDING_H

#include <stdint.h>

#include "service/block/request.h"
#include "splitdom/xen/blkif.h"

struct vbd_ring;

/* What is done in turn for one request of a front end. */
enum pending_step {
    PENDING_DRAIN, /* all earlier requests of the ring are answered first */
    PENDING_FLUSH_BEFORE,
    PENDING_TRANSFER,
    PENDING_FLUSH_AFTER,
};

/* The segments of an indirect request. In the same piece of memory: its grants, and the copy of
 * what the front end's pages say. */
struct pending_indirect {
    grant_ref_t *gref;
    struct blkif_request_segment *named;
    struct block_segment segment[];
};

/* In the order of use. What follows the times is set for what is no plain read. */
struct pending {
    struct vbd_ring *ring;
    struct pending *next_free;
    uint8_t operation; /* echoed, as is request.id */
    struct block_request request;
    struct block_segment segment[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    grant_ref_t gref[BLKIF_MAX_SEGMENTS_PER_REQUEST]; /* of the segments */
    /* Completion in virtual time: when it was asked for, by the domain's clock, and the same as
     * request.asked_ns of its first step. */
    uint64_t stamp_ns, asked_ns;

    enum pending_step step, last_step; /* the one under way, and the one after which it is done */
    enum block_operation transfer;     /* of PENDING_TRANSFER, like the next three */
    uint32_t segment_count;
    uint64_t sector, sector_count;
    uint32_t gref_count;               /* pages that are mapped for it */
    struct pending_indirect *indirect; /* or NULL: the segments and grants are those above */
};

/* What validate.h lets through is what the block layer takes. */
_Static_assert((int)BLKIF_SECTORS_MAX <= (int)BLOCK_REQUEST_SECTORS_MAX,
               "a ring's largest request");
_Static_assert((int)BLKIF_INDIRECT_SECTORS_MAX <= (int)BLOCK_REQUEST_SECTORS_LIMIT &&
                   (int)BLKIF_MAX_INDIRECT_SEGMENTS <= (int)BLOCK_REQUEST_SEGMENTS_LIMIT,
               "an indirect request's largest");
_Static_assert((int)BLKIF_SECTOR_SIZE == (int)BLOCK_SECTOR_BYTES, "both count in sectors");

#endif
