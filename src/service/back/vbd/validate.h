/* SPDX-License-Identifier: MIT */
/*
 * validate: is this block request one that we may carry out? Pure: private copy in, verdict out.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VALIDATE_H
#define SPLITDOM_SERVICE_BACK_VBD_VALIDATE_H

#include <stdint.h>

#include "splitdom/xen/blkif.h"

/*
 * Checks a request that was copied off a ring. disk_sectors: size of the disk. Returns
 * BLKIF_RSP_OKAY and the number of sectors in *sector_count, or the status to answer with:
 * BLKIF_RSP_EOPNOTSUPP for operations that this disk does not offer, BLKIF_RSP_ERROR for a write
 * to the read-only disk and for everything malformed: no segments or more than 11, a segment that
 * is backwards or leaves its page, sectors beyond the end of the disk (overflow of the sum
 * included).
 */
int16_t validate_request(const struct blkif_request *req, uint64_t disk_sectors,
                         uint32_t *sector_count);

#endif
