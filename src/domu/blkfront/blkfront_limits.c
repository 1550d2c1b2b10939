/* SPDX-License-Identifier: MIT */
/* blkfront_limits: what the disk can do, what may be asked of it, and how much at a time. */
#include <errno.h>
#include <sys/eventfd.h>

#include "domu/blkfront/blkfront_private.h"
#include "ring/barrier.h"

static uint32_t pages_for(uint32_t sectors)
{
    return (sectors + BLKIF_SECTORS_PER_PAGE - 1) / BLKIF_SECTORS_PER_PAGE;
}

static bool is_large(uint32_t sectors_per_request)
{
    return sectors_per_request > BLKIF_SECTORS_MAX;
}

uint32_t blkfront_pages_per_entry(uint32_t sectors_per_request)
{
    return pages_for(sectors_per_request) + (is_large(sectors_per_request) ? 1 : 0);
}

uint32_t blkfront_default_depth(uint32_t sectors_per_request)
{
    uint32_t fit = BLKFRONT_LARGE_PAGES / pages_for(sectors_per_request);
    bool fewer = is_large(sectors_per_request) && fit < BLKFRONT_DEPTH_DEFAULT;
    return fewer ? fit : BLKFRONT_DEPTH_DEFAULT;
}

uint32_t blkfront_entries(const struct blkfront_options *options, uint32_t ring_entries)
{
    bool few = is_large(options->sectors_per_request) && options->depth < ring_entries;
    return few ? options->depth : ring_entries;
}

void blkfront_take_first_limits(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    bf->learnt_absent = 0;
    pthread_mutex_unlock(&bf->lock);
    blkfront_take_limits(bf);
}

void blkfront_take_limits(struct blkfront *bf)
{
    const struct vbd_disk *disk = &bf->front.disk;
    uint32_t features = 0, limit = BLKIF_SECTORS_MAX;
    if ((disk->info & VDISK_READONLY) == 0)
        features |= BLKFRONT_CAN_WRITE;
    if (disk->flush)
        features |= BLKFRONT_CAN_FLUSH;
    if (disk->discard)
        features |= BLKFRONT_CAN_DISCARD;
    if (disk->max_indirect_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        limit = disk->max_indirect_segments < BLKIF_SEGMENTS_PER_INDIRECT_PAGE
                    ? disk->max_indirect_segments * BLKIF_SECTORS_PER_PAGE
                    : BLKFRONT_SECTORS_PER_REQUEST_MAX;
    if (limit > bf->options.sectors_per_request)
        limit = bf->options.sectors_per_request;
    /* A part of a request keeps the alignment of the whole. */
    uint32_t unit = disk->sector_size / BLKIF_SECTOR_SIZE;
    if (limit > unit)
        limit -= limit % unit;
    else if (unit <= BLKIF_SECTORS_PER_PAGE) /* a page is what the smallest entry has */
        limit = unit;
    pthread_mutex_lock(&bf->lock);
    store_relaxed_u32(&bf->request_sectors, limit);
    store_relaxed_u32(&bf->sector_size, disk->sector_size);
    store_relaxed_u32(&bf->physical_sector_size, disk->physical_sector_size);
    store_relaxed_u32(&bf->discard_granularity, disk->discard_granularity);
    store_relaxed_u32(&bf->discard_alignment, disk->discard_alignment);
    store_relaxed_u32(&bf->features, features & ~bf->learnt_absent);
    store_relaxed_u64(&bf->sectors, disk->sectors);
    if (bf->geometry_fd >= 0)
        (void)eventfd_write(bf->geometry_fd, 1);
    pthread_mutex_unlock(&bf->lock);
}

static int check_feature(struct blkfront *bf, enum blkfront_operation operation)
{
    uint32_t features = load_relaxed_u32(&bf->features);
    bool writes = operation == BLKFRONT_WRITE || operation == BLKFRONT_DISCARD;
    if (writes && (features & BLKFRONT_CAN_WRITE) == 0)
        return -EROFS;
    if (operation == BLKFRONT_DISCARD && (features & BLKFRONT_CAN_DISCARD) == 0)
        return -EOPNOTSUPP;
    if (operation == BLKFRONT_FLUSH && (features & BLKFRONT_CAN_FLUSH) == 0)
        return -EOPNOTSUPP;
    return 0;
}

int blkfront_check(struct blkfront *bf, enum blkfront_operation operation, uint64_t sector,
                   uint64_t sector_count)
{
    if (operation == BLKFRONT_READ || operation == BLKFRONT_WRITE ||
        operation == BLKFRONT_DISCARD) {
        if (!blkfront_has_sectors(bf, sector, sector_count))
            return -EINVAL;
    } else if (operation != BLKFRONT_FLUSH) {
        return -EINVAL;
    }
    return operation == BLKFRONT_READ ? 0 : check_feature(bf, operation);
}

void blkfront_cannot(struct blkfront *bf, uint8_t operation)
{
    pthread_mutex_lock(&bf->lock);
    if (operation == BLKIF_OP_FLUSH_DISKCACHE)
        bf->learnt_absent |= BLKFRONT_CAN_FLUSH;
    else if (operation == BLKIF_OP_DISCARD)
        bf->learnt_absent |= BLKFRONT_CAN_DISCARD;
    store_relaxed_u32(&bf->features, bf->features & ~bf->learnt_absent);
    pthread_mutex_unlock(&bf->lock);
}
