/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/validate.h"

#include <assert.h>

static int16_t check_operation(uint8_t operation)
{
    switch (operation) {
    case BLKIF_OP_READ:
        return BLKIF_RSP_OKAY;
    case BLKIF_OP_WRITE:
        return BLKIF_RSP_ERROR; /* known, but the disk is read-only: info has VDISK_READONLY */
    default:
        return BLKIF_RSP_EOPNOTSUPP; /* not advertised by any feature node, or unknown */
    }
}

int16_t validate_request(const struct blkif_request *req, uint64_t disk_sectors,
                         uint32_t *sector_count)
{
    *sector_count = 0;
    int16_t status = check_operation(req->operation);
    if (status != BLKIF_RSP_OKAY)
        return status;
    if (req->nr_segments == 0 || req->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;

    uint32_t total = 0;
    for (uint32_t i = 0; i < req->nr_segments; i++) {
        const struct blkif_request_segment *seg = &req->seg[i];
        if (seg->last_sect >= BLKIF_SECTORS_PER_PAGE || seg->first_sect > seg->last_sect)
            return BLKIF_RSP_ERROR;
        total += (uint32_t)(seg->last_sect - seg->first_sect) + 1;
    }
    /* total is small and disk_sectors - total does not wrap once total <= disk_sectors. */
    if (total > disk_sectors || req->sector_number > disk_sectors - total)
        return BLKIF_RSP_ERROR;
    /* What the block layer relies on, and asserts in its turn (block_submit). */
    assert(total > 0 && total <= BLKIF_SECTORS_MAX);
    *sector_count = total;
    return BLKIF_RSP_OKAY;
}
