/* SPDX-License-Identifier: MIT */
/*
 * vdisk: a virtual disk: an image, what Dom0 keeps of it in memory, and what a front end is told of
 * it. Any number of vdisks may lie on one device, any number of clients may use one vdisk.
 *
 * Reads in flight are known by vdisk, so that a miss can join the read of another client's; the
 * device below only counts them.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_VDISK_H
#define SPLITDOM_SERVICE_BLOCK_VDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/why.h"
#include "service/block/cache/cache.h"
#include "service/block/cache/cache_claims.h"
#include "service/block/cache/rereads.h"
#include "service/block/engine/image.h"
#include "service/block/inflight.h"

struct device;

struct vdisk_capabilities {
    uint64_t sector_count;
    /* What a front end has to keep to: any sector can be read and written, for Dom0 reads and
     * writes the block around it. So this is 512 whatever the disk below. */
    uint32_t logical_sector_bytes;
    /* What is quick. A disk whose size is no whole number of blocks does not claim blocks: this is
     * a sector then. */
    uint32_t physical_sector_bytes;
    bool writable; /* as the image was opened */
    /* These two turn false for good when the disk below answers that it can't
     * (block_client_on_change). */
    bool flush;
    bool discard;
    /* Of discards: what is not a whole block of this size, counted from the alignment on, stays. */
    uint32_t discard_granularity_bytes;
    uint32_t discard_alignment_bytes;
};

/* Of requests. */
struct vdisk_stats {
    uint64_t hits;   /* answered from the cache */
    uint64_t misses; /* needed the device */
    uint64_t shared; /* of the misses: joined a read that was in flight already */
    uint64_t writes;
    uint64_t flushes;
    uint64_t discards;
};

struct vdisk {
    struct device *device;
    struct image image;
    struct cache *cache;
    struct cache_claims claims; /* of domains that read the cache by themselves */
    struct vdisk_capabilities capabilities;
    struct vdisk_stats stats;

    /* The block layer's. */
    struct inflight inflight;
    struct rereads rereads; /* of what was written and is not in the cache */
    uint32_t cache_state;   /* changes when something is put into the cache */
    uint32_t client_count;
    struct list clients;
    struct list changes;                            /* writes and discards at the engine */
    void (*let_go)(void *ctx, struct cache *cache); /* as configured */
    void *let_go_ctx;
};

struct vdisk_config {
    struct device *device; /* outlives the vdisk */
    size_t cache_bytes;
    const struct cache_policy *policy;
    bool shared_cache; /* domains may map the cache, if the system has what that takes */
    /* Optional: destroys the retired cache of a vdisk that has ended, which takes its time. NULL:
     * that is done at once. */
    void (*let_go)(void *ctx, struct cache *cache);
    void *let_go_ctx;
};

/*
 * Puts an open image onto a device; on success *image is the vdisk's and closed here. Errors:
 * -errno with a line for people in why: -ENOMEM, -ENOTSUP the image wants larger blocks than the
 * device was made for.
 */
int vdisk_create(const struct vdisk_config *config, struct image *image, struct vdisk **out,
                 struct why *why);
/* Whether it may be destroyed: no client is open and nothing of it is at the device. */
bool vdisk_is_idle(const struct vdisk *vdisk);
/* It is idle. Closes the image. NULL allowed. */
void vdisk_destroy(struct vdisk *vdisk);

/*
 * Goes on with another descriptor of the same file, opened to be written as well, whatever is under
 * way. The size stays the one that is known. On success *image is closed here. Errors: -errno with
 * a line for people in why; the vdisk is what it was.
 */
int vdisk_reopen(struct vdisk *vdisk, struct image *image, struct why *why);

/*
 * Looks at the image again, whose size or contents may have changed. In any case what was read
 * before, or is being read now, answers nobody who asks later. Errors: those of image_refresh; the
 * vdisk has the size that it had.
 */
int vdisk_refresh(struct vdisk *vdisk, struct why *why);
/* The image has changed, and is measured: what was read before, or is being read now, answers
 * nobody who asks later. */
void vdisk_image_changed(struct vdisk *vdisk);

/* Reads that domains say they found in the shared cache, all told. */
uint64_t vdisk_claimed_reads(struct vdisk *vdisk);

/* A hint: a request for this sector (any number) will be submitted at once. */
void vdisk_expect(const struct vdisk *vdisk, uint64_t sector);

#endif
