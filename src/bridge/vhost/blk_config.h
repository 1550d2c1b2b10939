/* SPDX-License-Identifier: MIT */
/*
 * blk_config: what a disk is to the guest: its features and its configuration space (VIRTIO 1.1,
 * sections 5.2.3 and 5.2.4). Pure functions.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_BLK_CONFIG_H
#define SPLITDOM_BRIDGE_VHOST_BLK_CONFIG_H

#include <linux/virtio_blk.h>
#include <stdint.h>

#include "splitdom/blkfront.h"

enum {
    BLK_SEGMENT_BYTES_MAX = 128 * 1024,
    BLK_SEGMENTS_MAX = 126, /* with header and status, half of SPLIT_QUEUE_PIECES_MAX */
};

/* The feature bits of the device, those of its queues included. */
uint64_t blk_config_features(const struct blkfront_geometry *geometry);

void blk_config_fill(struct virtio_blk_config *config, const struct blkfront_geometry *geometry,
                     uint16_t queue_count);

#endif
