/* SPDX-License-Identifier: MIT */
/*
 * fake_vdisk: a vdisk of its own on a device of its own whose operations end when the test says so
 * (fake_disk.h).
 */
#ifndef SPLITDOM_TESTS_FAKE_VDISK_H
#define SPLITDOM_TESTS_FAKE_VDISK_H

#include "fakes/fake_disk.h"
#include "service/block/device.h"
#include "service/block/vdisk.h"

struct fake_vdisk {
    struct device *device;
    struct vdisk *vdisk;
    struct fake_disk *disk;
};

struct fake_vdisk_config {
    uint64_t sector_count;
    uint32_t block_size_bytes;         /* 0: 512 */
    uint32_t memory_align_bytes;       /* 0: as the block */
    uint32_t cache_sectors;            /* 0: no cache */
    const struct cache_policy *policy; /* NULL: LRU */
    uint32_t depth;
    uint32_t depth_isolated; /* 0: depth */
    uint32_t depth_alone;    /* 0: depth */
    bool writable;
};

/* Aborts when out of memory. */
void fake_vdisk_create(struct fake_vdisk *fake, const struct fake_vdisk_config *config);
/* Hands to the disk what may go there. */
void fake_vdisk_dispatch(const struct fake_vdisk *fake);
/* The same, and lets all that is at the disk succeed, until nothing is. */
void fake_vdisk_finish(const struct fake_vdisk *fake);
/* Clients are closed. Ends what is at the disk. */
void fake_vdisk_destroy(struct fake_vdisk *fake);

#endif
