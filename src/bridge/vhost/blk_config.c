/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/blk_config.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "bridge/vhost/blk_request.h"

uint64_t blk_config_features(const struct blkfront_geometry *geometry)
{
    uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
                        1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_BLK_F_SIZE_MAX |
                        1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
                        1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_MQ;

    if (geometry->flush)
        features |= 1ULL << VIRTIO_BLK_F_FLUSH;
    if (geometry->read_only)
        return features | 1ULL << VIRTIO_BLK_F_RO;
    if (geometry->discard)
        features |= 1ULL << VIRTIO_BLK_F_DISCARD;
    return features | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
}

static uint8_t exponent(uint32_t physical_bytes, uint32_t logical_bytes)
{
    uint8_t result = 0;

    while (result < 16 && (uint64_t)logical_bytes << result < physical_bytes)
        result++;
    return result;
}

void blk_config_fill(struct virtio_blk_config *config, const struct blkfront_geometry *geometry,
                     uint16_t queue_count)
{
    uint32_t granularity = geometry->discard_granularity / BLK_SECTOR_BYTES;

    *config = (struct virtio_blk_config){
        .capacity = geometry->last_sector - geometry->first_sector + 1,
        .size_max = BLK_SEGMENT_BYTES_MAX,
        .seg_max = BLK_SEGMENTS_MAX,
        .blk_size = geometry->sector_size,
        .physical_block_exp = exponent(geometry->physical_sector_size, geometry->sector_size),
        .num_queues = queue_count,
        .max_discard_sectors = BLK_DISCARD_SECTORS_MAX,
        .max_discard_seg = 1,
        .discard_sector_alignment = granularity == 0 ? 1 : granularity,
        .max_write_zeroes_sectors = BLK_REQUEST_SECTORS_MAX,
        .max_write_zeroes_seg = 1,
    };
}
