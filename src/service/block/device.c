/* SPDX-License-Identifier: MIT */
#include "service/block/device.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "service/block/device_private.h"

enum {
    BUFFER_ALIGN = 4096,
    POOL_ALIGN = 1 << 21, /* a huge page, in which a buffer is one part of memory (tail.h) */
};

static size_t round_up(size_t bytes, size_t align)
{
    return (bytes + align - 1) & ~(align - 1);
}

/* The widest span that a request can need: its sectors and a block's rest at either end. */
static size_t buffer_bytes(uint32_t align_bytes)
{
    size_t bytes = BLOCK_REQUEST_SECTORS_MAX * (size_t)BLOCK_SECTOR_BYTES + 2 * (size_t)align_bytes;
    return round_up(round_up(bytes, align_bytes), BUFFER_ALIGN);
}

static int create_jobs(struct device *device, size_t each_bytes)
{
    size_t bytes = each_bytes * device->job_count;
    size_t align = bytes >= POOL_ALIGN ? POOL_ALIGN : BUFFER_ALIGN;
    if (align < device->align_bytes)
        align = device->align_bytes;
    bytes = round_up(bytes, align); /* whole huge pages */
    int rc = posix_memalign(&device->pool, align, bytes);
    if (rc != 0)
        return -rc;
    (void)madvise(device->pool, bytes, MADV_HUGEPAGE); /* a matter of speed */
    device->jobs = calloc(device->job_count, sizeof(*device->jobs));
    if (device->jobs == NULL)
        return -ENOMEM;
    for (uint32_t i = device->job_count; i-- > 0;) { /* so that the first buffer is used first */
        struct device_job *job = &device->jobs[i];
        job->device = device;
        job->buffer = (uint8_t *)device->pool + i * each_bytes;
        job->next_free = device->free_jobs;
        device->free_jobs = job;
    }
    return 0;
}

int device_create(const struct device_config *config, struct device **out, struct why *why)
{
    *out = NULL;
    assert((config->align_bytes & (config->align_bytes - 1)) == 0);
    assert(config->align_bytes >= BLOCK_SECTOR_BYTES);
    struct device *device = calloc(1, sizeof(*device));
    if (device == NULL)
        return why_fail(why, -ENOMEM, "out of memory for the disk's queue");
    device->align_bytes = config->align_bytes;
    device->depth = config->depth_alone > config->depth ? config->depth_alone : config->depth;
    device->looks = device->looks_left = CLEARING_LOOKS;
    device->job_count = device->depth + DEVICE_JOBS_SPARE;
    device->real_time = config->real_time;
    device->log = config->log;
    sched_init(&device->sched, config->depth, config->depth_isolated);
    sched_set_depth_alone(&device->sched, config->depth_alone);

    size_t each_bytes = buffer_bytes(config->align_bytes);
    int rc = create_jobs(device, each_bytes);
    if (rc < 0) {
        (void)why_fail(why, rc, "out of memory for %u read buffers", device->job_count);
    } else {
        struct disk_config engine = {.poller = config->poller,
                                     .pool = device->pool,
                                     .pool_bytes = each_bytes * device->job_count,
                                     .depth = device->depth,
                                     .model = config->model,
                                     .clock = config->model_clock,
                                     .nbd = config->nbd};
        rc = config->engine->create(&engine, &device->engine, why);
    }
    if (rc < 0) {
        device_destroy(device);
        return rc;
    }
    *out = device;
    return 0;
}

void device_destroy(struct device *device)
{
    if (device == NULL)
        return;
    assert(device->vdisk_count == 0);
    if (device->engine != NULL)
        device->engine->ops->destroy(device->engine);
    free(device->jobs);
    free(device->pool);
    free(device);
}

/* The reason is told here: a domain gets a status that has none. What cannot be done at all is no
 * failure: the disk is offered without it from then on. */
void device_note_failure(struct device *device, const struct disk_io *io)
{
    static const char *const names[] = {
        [DISK_READ] = "reading",
        [DISK_WRITE] = "writing",
        [DISK_FLUSH] = "flushing",
        [DISK_DISCARD] = "discarding",
    };

    device->stats.errors++;
    if (device->log != NULL && io->status != -EOPNOTSUPP)
        log_limited(device->log, &device->log_limit,
                    "%s: %s failed (%" PRIu32 " bytes at %" PRIu64 "): %s", io->image->path,
                    names[io->operation], io->length_bytes, io->offset_bytes,
                    strerror(-io->status));
}

const struct device_stats *device_stats(const struct device *device)
{
    return &device->stats;
}

uint32_t device_in_flight(const struct device *device)
{
    return device->in_flight;
}

struct disk *device_engine(struct device *device)
{
    return device->engine;
}
