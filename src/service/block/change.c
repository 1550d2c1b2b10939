/* SPDX-License-Identifier: MIT */
/*
 * change: what a write or discard under way means for others.
 *
 * From when it begins until it has ended nobody can know what its sectors hold. So
 *   - they leave the cache before it is sent, in steps if they are many, and what it has written
 * may enter there when it has ended;
 *   - a read that the device has not answered by then, or is sent meanwhile, may bring what was
 *     there before: it answers those who asked already, is joined by nobody and kept by nobody;
 *   - another write or discard of the same blocks waits until it has ended. Each sector ends as the
 *     later one says, and who writes parts of blocks reads the rest as it is.
 * It is answered after that: whoever asks then finds what it has left.
 */
#include "service/block/device_private.h"

static bool overlaps(const struct disk_io *io, uint64_t offset_bytes, uint64_t length_bytes)
{
    return io->offset_bytes < offset_bytes + length_bytes &&
           offset_bytes < io->offset_bytes + io->length_bytes;
}

struct device_job *change_find(const struct vdisk *vdisk, uint64_t offset_bytes,
                               uint64_t length_bytes)
{
    for (struct list_node *node = list_first(&vdisk->changes); node != NULL;
         node = list_next(&vdisk->changes, node)) {
        struct device_job *job = container_of(node, struct device_job, changing);
        if (overlaps(&job->io, offset_bytes, length_bytes))
            return job;
    }
    return NULL;
}

void change_begin(struct device_job *job)
{
    struct vdisk *vdisk = job->vdisk;
    list_push_back(&vdisk->changes, &job->changing);
    cache_remove_begin(vdisk->cache, &job->removal, job->sector, job->sector_count);
    vdisk_outdate(vdisk, job->io.offset_bytes, job->io.length_bytes);
}

/* Until all of its sectors have left the cache the job is not sent: what is still there is what the
 * disk has. */
static bool clear(struct device_job *job)
{
    return cache_remove_on(job->vdisk->cache, &job->removal, &job->device->looks_left);
}

void change_send(struct device_job *job, const struct block_request *request)
{
    job_begin(job, request);
    if (clear(job))
        job_submit(job);
    else
        list_push_back(&job->device->clearing, &job->clearing);
}

bool change_clear_on(struct device *device)
{
    struct list_node *node;
    device->looks_left = device->looks;
    bool any = !list_is_empty(&device->clearing);
    while (device->looks_left > 0 && (node = list_pop_front(&device->clearing)) != NULL) {
        struct device_job *job = container_of(node, struct device_job, clearing);
        if (clear(job))
            job_submit(job);
        else
            list_push_back(&device->clearing, &job->clearing);
    }
    device->looks_left = device->looks; /* those that begin now do not wait behind the others */
    return any;
}

/* What the cache had of it, it has again, now as it was written. Else a write takes room that
 * nothing has had yet, but puts others out only where that has been of use: who writes much and
 * reads little should neither pay for it nor empty the cache. */
static bool is_worth_keeping(const struct device_job *job)
{
    struct vdisk *vdisk = job->vdisk;
    return job->removal.removed > 0 || !cache_was_full(vdisk->cache) ||
           rereads_keep(&vdisk->rereads, cache_capacity(vdisk->cache), job->sector,
                        job->sector_count);
}

/* Its data is that of whole sectors, in a buffer that no domain can reach. */
static void keep_written(const struct device_job *job)
{
    struct vdisk *vdisk = job->vdisk;
    const uint8_t *data = job->buffer + (job->sector * BLOCK_SECTOR_BYTES - job->io.offset_bytes);
    vdisk->cache_state++;
    cache_claims_hear(&vdisk->claims, vdisk->cache);
    cache_insert_run(vdisk->cache, job->sector, job->sector_count, data);
}

void change_end(struct device_job *job)
{
    list_remove(&job->changing);
    if (job->io.status == 0 && job->fills_cache && is_worth_keeping(job))
        keep_written(job);
    job_put_back(job);
}
