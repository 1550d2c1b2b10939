/* SPDX-License-Identifier: MIT */
#include "service/block/vdisk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/prefetch.h"
#include "service/block/device_private.h"

enum { CACHE_LINE_BYTES = 64 };

static struct vdisk_capabilities capabilities_of(const struct image *image)
{
    bool whole = image->size_bytes % image->block_size_bytes == 0;
    return (struct vdisk_capabilities){.sector_count = image->size_bytes / BLOCK_SECTOR_BYTES,
                                       .logical_sector_bytes = BLOCK_SECTOR_BYTES,
                                       .physical_sector_bytes =
                                           whole ? image->block_size_bytes : BLOCK_SECTOR_BYTES,
                                       .writable = image->writable,
                                       .flush = image->writable,
                                       .discard = image->writable,
                                       .discard_granularity_bytes = image->block_size_bytes};
}

int vdisk_create(const struct vdisk_config *config, struct image *image, struct vdisk **out,
                 struct why *why)
{
    struct device *device = config->device;
    *out = NULL;
    if (image_align_bytes(image) > device->align_bytes)
        return why_fail(why, -ENOTSUP,
                        "the image is read in blocks of %u bytes, its disk in blocks of %u",
                        image_align_bytes(image), device->align_bytes);
    struct vdisk *vdisk = calloc(1, sizeof(*vdisk));
    int rc =
        vdisk == NULL ? -ENOMEM : cache_create(config->cache_bytes, config->policy, &vdisk->cache);
    if (rc < 0) {
        free(vdisk);
        return why_fail(why, rc,
                        "out of memory for a cache of %zu bytes; --cache-percent or --cache-bytes "
                        "make it smaller",
                        config->cache_bytes);
    }
    if (config->shared_cache)
        (void)cache_share(vdisk->cache); /* else domains ask us for everything, as ever */
    vdisk->let_go = config->let_go;
    vdisk->let_go_ctx = config->let_go_ctx;
    vdisk->device = device;
    vdisk->image = *image;
    vdisk->capabilities = capabilities_of(image);
    uint64_t secret = 0;
    if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
        secret = (uint64_t)(uintptr_t)vdisk; /* a guessable key only makes buckets less even */
    inflight_init(&vdisk->inflight, secret);
    if (device->engine->ops->attach != NULL)
        device->engine->ops->attach(device->engine, &vdisk->image);
    device->vdisk_count++;
    *image = (struct image){.fd = -1};
    *out = vdisk;
    return 0;
}

bool vdisk_is_idle(const struct vdisk *vdisk)
{
    const struct device *device = vdisk->device;
    bool idle = vdisk->client_count == 0;
    for (uint32_t i = 0; idle && i < device->job_count; i++)
        idle = !device->jobs[i].under_way || device->jobs[i].vdisk != vdisk;
    return idle;
}

void vdisk_destroy(struct vdisk *vdisk)
{
    if (vdisk == NULL)
        return;
    assert(vdisk_is_idle(vdisk));
    struct device *device = vdisk->device;
    if (device->engine->ops->detach != NULL)
        device->engine->ops->detach(device->engine, &vdisk->image);
    device->vdisk_count--;
    cache_retire(vdisk->cache);
    if (vdisk->let_go != NULL)
        vdisk->let_go(vdisk->let_go_ctx, vdisk->cache);
    else
        cache_destroy(vdisk->cache);
    rereads_free(&vdisk->rereads);
    image_close(&vdisk->image);
    free(vdisk);
}

int vdisk_reopen(struct vdisk *vdisk, struct image *image, struct why *why)
{
    struct disk *engine = vdisk->device->engine;
    struct image *ours = &vdisk->image;
    assert(image->device == ours->device && image->inode == ours->inode);
    /* The number stays, for reads that are still to be sent; what was sent holds the old file. */
    if (dup3(image->fd, ours->fd, O_CLOEXEC) < 0)
        return why_fail_errno(why, -errno, "%s: cannot be opened anew", image->path);
    if (engine->ops->kick != NULL)
        engine->ops->kick(engine); /* what names the file by its place at the engine */
    if (engine->ops->detach != NULL)
        engine->ops->detach(engine, ours);
    close(image->fd);
    free(ours->path);
    image->fd = ours->fd;
    image->size_bytes = ours->size_bytes;
    *ours = *image;
    *image = (struct image){.fd = -1};
    if (engine->ops->attach != NULL)
        engine->ops->attach(engine, ours);
    vdisk->capabilities = capabilities_of(ours);
    return 0;
}

void vdisk_outdate(struct vdisk *vdisk, uint64_t offset_bytes, uint64_t length_bytes)
{
    struct device *device = vdisk->device;
    if (vdisk->inflight.count == 0 && device->copying_count == 0)
        return;
    for (uint32_t i = 0; i < device->job_count; i++) {
        struct device_job *read = &device->jobs[i];
        if (read->vdisk != vdisk || read->stale ||
            read->io.offset_bytes >= offset_bytes + length_bytes ||
            offset_bytes >= read->io.offset_bytes + read->io.length_bytes)
            continue;
        if (read->under_way)
            inflight_remove(&vdisk->inflight, &read->flight);
        read->stale = true; /* also one that has ended and is still being copied */
    }
}

void vdisk_image_changed(struct vdisk *vdisk)
{
    struct device *device = vdisk->device;
    bool flush = vdisk->capabilities.flush, discard = vdisk->capabilities.discard;
    cache_clear(vdisk->cache);
    vdisk_outdate(vdisk, 0, UINT64_MAX);
    for (uint32_t i = 0; i < device->job_count; i++) {
        if (device->jobs[i].vdisk == vdisk)
            device->jobs[i].fills_cache = false;
    }
    vdisk->capabilities = capabilities_of(&vdisk->image);
    vdisk->capabilities.flush = vdisk->capabilities.flush && flush;
    vdisk->capabilities.discard = vdisk->capabilities.discard && discard;
}

int vdisk_refresh(struct vdisk *vdisk, struct why *why)
{
    int rc = image_refresh(&vdisk->image, why);
    vdisk_image_changed(vdisk);
    return rc;
}

uint64_t vdisk_claimed_reads(struct vdisk *vdisk)
{
    return cache_claims_count(&vdisk->claims, vdisk->cache);
}

void vdisk_expect(const struct vdisk *vdisk, uint64_t sector)
{
    cache_prefetch(vdisk->cache, sector);
}

bool vdisk_serve(struct vdisk *vdisk, const struct block_request *request)
{
    struct cache *cache = vdisk->cache;
    uint64_t sector = request->sector;
    if (request->sector_count == 1) {
        const struct block_segment *segment = &request->segments[0];
        /* Who asked has read there last: its lines come over while we look for the data. */
        prefetch_to_write(segment->address, BLOCK_SECTOR_BYTES);
        const void *data = cache_lookup(cache, sector);
        if (data == NULL)
            return false;
        /* Its length, which is a sector: what compilers make of a constant one is slower than the
         * C library's copy. */
        memcpy(segment->address, data, (size_t)segment->sector_count * BLOCK_SECTOR_BYTES);
        return true;
    }
    for (uint32_t i = 0; i < request->sector_count; i++) {
        if (cache_peek(cache, sector + i) == NULL)
            return false;
    }
    for (uint32_t i = 0; i < request->segment_count; i++) {
        const struct block_segment *segment = &request->segments[i];
        for (uint32_t k = 0; k < segment->sector_count; k++)
            memcpy(segment->address + (size_t)k * BLOCK_SECTOR_BYTES, cache_lookup(cache, sector++),
                   BLOCK_SECTOR_BYTES);
    }
    assert(sector == request->sector + request->sector_count);
    return true;
}

static const uint8_t *data_of(const struct device_job *read, const struct block_request *request)
{
    return read->buffer + (request->sector - read->first_sector) * BLOCK_SECTOR_BYTES;
}

/* The data comes from where the device put it, far from this CPU, and so does what the cache needs
 * to take it in: all of that is fetched side by side. */
void device_read_prefetch(const struct device_job *read)
{
    const struct block_request *request = request_of_link(list_first(&read->waiting));
    if (request == NULL || read->stale)
        return;
    const uint8_t *data = data_of(read, request);
    for (size_t i = 0; i < BLOCK_SECTOR_BYTES; i += CACHE_LINE_BYTES)
        __builtin_prefetch(data + i);
    cache_prefetch(read->vdisk->cache, request->sector);
    cache_prefetch_victim(read->vdisk->cache);
}

void device_read_copy(const struct device_job *read, const struct block_request *request)
{
    const uint8_t *data = data_of(read, request);
    for (uint32_t i = 0; i < request->segment_count; i++) {
        size_t bytes = (size_t)request->segments[i].sector_count * BLOCK_SECTOR_BYTES;
        memcpy(request->segments[i].address, data, bytes);
        data += bytes;
    }
    assert(data <= read->buffer + read->io.length_bytes);
}

/* Mostly those who wait for a read want the same sectors of it. */
void device_read_keep(struct device_job *read, const struct block_request *request)
{
    if (request->sector - read->kept_sector < read->kept_count &&
        request->sector + request->sector_count <= read->kept_sector + read->kept_count)
        return;
    read->kept_sector = request->sector;
    read->kept_count = sectors_of(request);
    struct vdisk *vdisk = read->vdisk;
    vdisk->cache_state++;
    cache_claims_hear(&vdisk->claims, vdisk->cache);
    cache_insert_run(vdisk->cache, request->sector, sectors_of(request), data_of(read, request));
}
