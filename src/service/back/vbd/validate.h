/* SPDX-License-Identifier: MIT */
/*
 * validate: is this block request one that we may carry out? Pure: private copy in, verdict out, a
 * function for each kind.
 *
 * Each returns how many sectors the segments have, 0 where there are none, or, below 0, the status
 * to answer with: BLKIF_RSP_EOPNOTSUPP for what this disk does not offer, whatever else is wrong
 * with the request, and BLKIF_RSP_ERROR for a write to a read-only disk and for everything
 * malformed. Malformed is: segments that are too few or too many, backwards or beyond their page;
 * sectors beyond the end of the disk (overflow of the sum included); a first sector or a segment
 * that is no whole number of logical blocks.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VALIDATE_H
#define SPLITDOM_SERVICE_BACK_VBD_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/xen/blkif.h"

/* A disk as a front end may use it. */
struct vbd_rights {
    uint64_t sector_count;
    uint32_t block_sectors; /* of a logical block; a power of two */
    bool write, flush, discard;
};

/* READ: 1 to 11 segments. */
int validate_read(const struct blkif_request *req, const struct vbd_rights *rights);
/* WRITE: the same. */
int validate_write(const struct blkif_request *req, const struct vbd_rights *rights);
/* FLUSH_DISKCACHE and WRITE_BARRIER: without segments too, and then with any first sector. */
int validate_flush(const struct blkif_request *req, const struct vbd_rights *rights);
/* DISCARD: at least one sector, and not BLKIF_DISCARD_SECURE, which no node offers. */
int validate_discard(const struct blkif_request_discard *req, const struct vbd_rights *rights);
/* INDIRECT, what its slot says: READ or WRITE, 1 to 4096 segments. */
int validate_indirect(const struct blkif_request_indirect *req, const struct vbd_rights *rights);
/* Its segments, count of them, which validate_indirect let through. */
int validate_indirect_segments(const struct blkif_request_indirect *req,
                               const struct blkif_request_segment *segments,
                               const struct vbd_rights *rights);

#endif
