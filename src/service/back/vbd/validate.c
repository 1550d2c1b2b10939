/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/validate.h"

#include <assert.h>

/* A range of sectors within the disk. disk - count does not wrap once count <= disk. */
static bool is_on_disk(uint64_t sector, uint64_t sector_count, uint64_t disk_sectors)
{
    return sector_count <= disk_sectors && sector <= disk_sectors - sector_count;
}

/* Whole blocks only. Rarely asked for: a block mostly is a sector. */
static bool is_aligned(const struct blkif_request_segment *segments, uint32_t count,
                       uint64_t sector, uint32_t block_sectors)
{
    uint64_t bits = sector;
    for (uint32_t i = 0; i < count; i++)
        bits |= (uint32_t)(segments[i].last_sect - segments[i].first_sect) + 1;
    return (bits & (block_sectors - 1)) == 0;
}

/* Inlined into each caller: a read's way is the hot one. */
static inline int check_segments(const struct blkif_request_segment *segments, uint32_t count,
                                 uint64_t sector, const struct vbd_rights *rights)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct blkif_request_segment *seg = &segments[i];
        if (seg->last_sect >= BLKIF_SECTORS_PER_PAGE || seg->first_sect > seg->last_sect)
            return BLKIF_RSP_ERROR;
        total += (uint32_t)(seg->last_sect - seg->first_sect) + 1;
    }
    if (!is_on_disk(sector, total, rights->sector_count))
        return BLKIF_RSP_ERROR;
    if (rights->block_sectors != 1 && !is_aligned(segments, count, sector, rights->block_sectors))
        return BLKIF_RSP_ERROR;
    /* What the block layer relies on, and asserts in its turn (block_submit). */
    assert(total > 0 && total <= count * BLKIF_SECTORS_PER_PAGE);
    return (int)total;
}

static inline int check_direct(const struct blkif_request *req, const struct vbd_rights *rights)
{
    if (req->nr_segments == 0 || req->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    return check_segments(req->seg, req->nr_segments, req->sector_number, rights);
}

int validate_read(const struct blkif_request *req, const struct vbd_rights *rights)
{
    return check_direct(req, rights);
}

int validate_write(const struct blkif_request *req, const struct vbd_rights *rights)
{
    return rights->write ? check_direct(req, rights) : BLKIF_RSP_ERROR;
}

int validate_flush(const struct blkif_request *req, const struct vbd_rights *rights)
{
    if (!rights->flush)
        return BLKIF_RSP_EOPNOTSUPP;
    return req->nr_segments == 0 ? 0 : validate_write(req, rights);
}

int validate_discard(const struct blkif_request_discard *req, const struct vbd_rights *rights)
{
    if (!rights->discard || (req->flag & BLKIF_DISCARD_SECURE) != 0)
        return BLKIF_RSP_EOPNOTSUPP;
    bool aligned =
        ((uint32_t)(req->sector_number | req->nr_sectors) & (rights->block_sectors - 1)) == 0;
    return aligned && req->nr_sectors > 0 &&
                   is_on_disk(req->sector_number, req->nr_sectors, rights->sector_count)
               ? BLKIF_RSP_OKAY
               : BLKIF_RSP_ERROR;
}

int validate_indirect(const struct blkif_request_indirect *req, const struct vbd_rights *rights)
{
    bool allowed =
        req->indirect_op == BLKIF_OP_READ || (req->indirect_op == BLKIF_OP_WRITE && rights->write);
    return allowed && req->nr_segments > 0 && req->nr_segments <= BLKIF_MAX_INDIRECT_SEGMENTS
               ? BLKIF_RSP_OKAY
               : BLKIF_RSP_ERROR;
}

int validate_indirect_segments(const struct blkif_request_indirect *req,
                               const struct blkif_request_segment *segments,
                               const struct vbd_rights *rights)
{
    assert(validate_indirect(req, rights) == BLKIF_RSP_OKAY);
    return check_segments(segments, req->nr_segments, req->sector_number, rights);
}
