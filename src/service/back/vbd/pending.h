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

/* In the order of use. */
struct pending {
    struct vbd_ring *ring;
    struct pending *next_free;
    uint64_t id; /* echoed, as is the operation */
    uint8_t operation;
    uint64_t
        stamp_ns; /* completion in virtual time: when it was asked for, by the domain's clock */
    struct block_request request;
    struct block_segment segment[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    grant_ref_t gref[BLKIF_MAX_SEGMENTS_PER_REQUEST]; /* of the segments */
};

/* What validate_request lets through is what the block layer takes. */
_Static_assert((int)BLKIF_SECTORS_MAX <= (int)BLOCK_REQUEST_SECTORS_MAX,
               "a ring's largest request");
_Static_assert((int)BLKIF_SECTOR_SIZE == (int)BLOCK_SECTOR_BYTES, "both count in sectors");

#endif
