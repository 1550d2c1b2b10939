/* SPDX-License-Identifier: MIT */
#include "fakes/fake_dom0_private.h"

#include <stdlib.h>
#include <string.h>

uint8_t *fake_dom0_page(struct fake_dom0 *dom0, grant_ref_t ref)
{
    if (ref >= dom0->segment.nr_grant_entries)
        abort();
    return segment_page(&dom0->segment, load_full_u32(&dom0->segment.gnttab[ref].frame));
}

static void read_sector(struct fake_dom0 *dom0, uint64_t sector, uint8_t *to)
{
    if (dom0->script.disk != NULL) {
        memcpy(to, dom0->script.disk + sector * BLKIF_SECTOR_SIZE, BLKIF_SECTOR_SIZE);
        return;
    }
    for (uint32_t w = 0; w < 64; w++)
        memcpy(to + w * sizeof(sector), &sector, sizeof(sector));
}

/* Data between the disk and one page. */
static void move(struct fake_dom0 *dom0, uint8_t operation, uint64_t *sector,
                 const struct blkif_request_segment *seg)
{
    uint8_t *page = fake_dom0_page(dom0, seg->gref);
    for (uint32_t s = seg->first_sect; s <= seg->last_sect; s++, ++*sector) {
        uint8_t *at = page + s * BLKIF_SECTOR_SIZE;
        if (operation == BLKIF_OP_READ)
            read_sector(dom0, *sector, at);
        else
            memcpy(dom0->script.disk + *sector * BLKIF_SECTOR_SIZE, at, BLKIF_SECTOR_SIZE);
    }
}

void fake_dom0_fill(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    uint64_t sector = req->sector_number;
    for (uint32_t i = 0; i < req->nr_segments; i++)
        move(dom0, BLKIF_OP_READ, &sector, &req->seg[i]);
}

bool fake_dom0_is_granted(struct fake_dom0 *dom0, grant_ref_t ref, bool readonly)
{
    if (ref >= dom0->segment.nr_grant_entries)
        return false;
    uint16_t flags = dom0->segment.gnttab[ref].flags;
    return (flags & GTF_type_mask) == GTF_permit_access &&
           ((flags & GTF_readonly) != 0) == readonly;
}

static int16_t move_all(struct fake_dom0 *dom0, uint8_t operation, uint64_t sector,
                        const struct blkif_request_segment *seg, uint32_t nr_segments)
{
    uint64_t end = sector;
    if (operation > BLKIF_OP_WRITE || nr_segments == 0 ||
        (operation == BLKIF_OP_WRITE && dom0->script.disk == NULL))
        return BLKIF_RSP_ERROR;
    for (uint32_t i = 0; i < nr_segments; i++) {
        end += seg[i].last_sect - seg[i].first_sect + 1u;
        if (seg[i].last_sect >= BLKIF_SECTORS_PER_PAGE || end > dom0->script.sectors ||
            !fake_dom0_is_granted(dom0, seg[i].gref, operation == BLKIF_OP_WRITE))
            return BLKIF_RSP_ERROR;
    }
    for (uint32_t i = 0; i < nr_segments; i++)
        move(dom0, operation, &sector, &seg[i]);
    return BLKIF_RSP_OKAY;
}

static int16_t do_indirect(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    struct blkif_request_indirect indirect = blkif_as_indirect(req);
    if (indirect.nr_segments > dom0->script.indirect_segments ||
        indirect.handle != dom0->at->key.devid ||
        !fake_dom0_is_granted(dom0, indirect.indirect_grefs[0], true))
        return BLKIF_RSP_ERROR;
    const void *segments = fake_dom0_page(dom0, indirect.indirect_grefs[0]);
    return move_all(dom0, indirect.indirect_op, indirect.sector_number, segments,
                    indirect.nr_segments);
}

static int16_t do_discard(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    struct blkif_request_discard discard = blkif_as_discard(req);
    if (dom0->script.disk == NULL || discard.flag != 0 || discard.nr_sectors == 0 ||
        discard.sector_number + discard.nr_sectors > dom0->script.sectors)
        return BLKIF_RSP_ERROR;
    memset(dom0->script.disk + discard.sector_number * BLKIF_SECTOR_SIZE, 0,
           discard.nr_sectors * BLKIF_SECTOR_SIZE);
    return BLKIF_RSP_OKAY;
}

void fake_dom0_sync(struct fake_dom0 *dom0)
{
    (void)load_full_u32(&dom0->done);
    store_full_u32(&dom0->asked, dom0->asked + 1);
}

static int16_t do_request(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    if (req->operation == BLKIF_OP_INDIRECT)
        return do_indirect(dom0, req);
    if (req->operation == BLKIF_OP_DISCARD)
        return do_discard(dom0, req);
    if (req->operation == BLKIF_OP_FLUSH_DISKCACHE && req->nr_segments == 0) {
        store_full_u32(&dom0->flushes, dom0->flushes + 1);
        return BLKIF_RSP_OKAY;
    }
    return move_all(dom0, req->operation, req->sector_number, req->seg, req->nr_segments);
}

int16_t fake_dom0_do(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    (void)load_full_u32(&dom0->asked);
    int16_t status = do_request(dom0, req);
    store_full_u32(&dom0->done, dom0->done + 1);
    return status;
}

uint8_t fake_dom0_operation(const struct blkif_request *req)
{
    return req->operation == BLKIF_OP_INDIRECT ? blkif_as_indirect(req).indirect_op
                                               : req->operation;
}

uint32_t fake_dom0_flushes(struct fake_dom0 *dom0)
{
    return load_full_u32(&dom0->flushes);
}
