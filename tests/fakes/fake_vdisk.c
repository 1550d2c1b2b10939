/* SPDX-License-Identifier: MIT */
#include "fakes/fake_vdisk.h"

#include <stdlib.h>

#include "service/block/engine/sector.h"
#include "service/block/queue.h"

void fake_vdisk_create(struct fake_vdisk *fake, const struct fake_vdisk_config *config)
{
    uint32_t block = config->block_size_bytes != 0 ? config->block_size_bytes : BLOCK_SECTOR_BYTES;
    uint32_t memory = config->memory_align_bytes != 0 ? config->memory_align_bytes : block;
    struct device_config device = {
        .engine = &fake_disk_ops,
        .align_bytes = block > memory ? block : memory,
        .depth = config->depth,
        .depth_alone = config->depth_alone,
        .depth_isolated = config->depth_isolated != 0 ? config->depth_isolated : config->depth};
    struct image image = {.fd = -1,
                          .writable = config->writable,
                          .size_bytes = config->sector_count * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = block,
                          .memory_align_bytes = memory};
    struct why why;

    if (device_create(&device, &fake->device, &why) < 0)
        abort();
    fake->disk = fake_disk_current();
    struct vdisk_config vdisk = {.device = fake->device,
                                 .cache_bytes = (size_t)config->cache_sectors * BLOCK_SECTOR_BYTES,
                                 .policy = config->policy != NULL ? config->policy
                                                                  : cache_policy_find("lru")};
    if (vdisk_create(&vdisk, &image, &fake->vdisk, &why) < 0)
        abort();
}

void fake_vdisk_destroy(struct fake_vdisk *fake)
{
    fake_disk_complete_all(fake->disk, 0);
    vdisk_destroy(fake->vdisk);
    device_destroy(fake->device);
}

void fake_vdisk_dispatch(const struct fake_vdisk *fake)
{
    while (device_dispatch(fake->device, 0) > 0)
        continue;
}

void fake_vdisk_finish(const struct fake_vdisk *fake)
{
    fake_vdisk_dispatch(fake);
    while (fake->disk->waiting_count > 0) {
        fake_disk_complete(fake->disk, 0, 0);
        fake_vdisk_dispatch(fake);
    }
}
