/* SPDX-License-Identifier: MIT */
/* read: reads that the cache and other requests can share. */
#include "service/block/device_private.h"
#include "service/block/trace.h"

enum {
    /* Any number of clients may ask for the same sectors at once, and each wants a copy. What joins
     * one read is bounded, and so is what is copied for joined requests between two looks at
     * everything else (device.copies_left). */
    JOINED_SECTORS_MAX = 2048,
};

bool read_join(struct block_client *client, struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    uint64_t offset;
    uint32_t bytes;
    if (vdisk->inflight.count == 0)
        return false;
    image_read_span(&vdisk->image, request->sector, sectors_of(request), &offset, &bytes);
    struct inflight_read *flight =
        inflight_find(&vdisk->inflight, offset / BLOCK_SECTOR_BYTES, bytes / BLOCK_SECTOR_BYTES);
    if (flight == NULL)
        return false;
    struct device_job *read = container_of(flight, struct device_job, flight);
    if (read->joined_sectors + sectors_of(request) > JOINED_SECTORS_MAX)
        return false;
    read->joined_sectors += sectors_of(request);
    job_note_sent(read->device, request);
    job_wait(request, read, BLOCK_REQUEST_JOINED);
    sched_join(&vdisk->device->sched, &client->entity, now_ns);
    vdisk->stats.shared++;
    return true;
}

/* Gives the next of those who wait its data. */
static void answer_next(struct device_job *read)
{
    struct block_request *request = request_of_link(list_pop_front(&read->waiting));
    job_leave(request);
    BLOCK_PROBE(completed, request);
    block_trace(request, TRACE_COMPLETED);
    request->due_ns = read->io.due_ns;
    if (read->io.status == 0) {
        device_read_copy(read, request);
        if (!read->stale)
            device_read_keep(read, request);
    }
    scale_answer_late(request, read->io.status, read->ended_ns);
}

/* As far as this turn's copies go. Returns how many. */
static uint32_t answer_some(struct device_job *read)
{
    struct device *device = read->device;
    struct block_request *request;
    uint32_t answered = 0;
    while ((request = request_of_link(list_first(&read->waiting))) != NULL &&
           request->sector_count <= device->copies_left) {
        device->copies_left -= sectors_of(request);
        answer_next(read);
        answered++;
    }
    return answered;
}

/* There is more to copy than this turn may: the read keeps its buffer until that is done, if there
 * is one to spare. */
static void copy_later(struct device_job *read)
{
    struct device *device = read->device;
    if (device->copying_count == DEVICE_JOBS_SPARE) {
        job_put_back(read);
        job_release(read);
        return;
    }
    if (device->real_time != NULL)
        read->ended_ns = tdf_clock_now_ns(device->real_time->clock);
    list_push_back(&device->copying, &read->copying);
    device->copying_count++;
}

static void read_done(struct disk_io *io)
{
    struct device_job *read = container_of(io, struct device_job, io);

    device_read_prefetch(read);
    if (!read->stale)
        inflight_remove(&read->vdisk->inflight, &read->flight);
    job_ended(read);

    /* The first one has its data at once: mostly it is the one that took a turn for that. */
    if (!list_is_empty(&read->waiting))
        answer_next(read);
    while (io->status < 0 && !list_is_empty(&read->waiting)) /* nothing to be copied */
        answer_next(read);
    (void)answer_some(read);
    if (list_is_empty(&read->waiting))
        job_release(read);
    else
        copy_later(read);
}

uint32_t read_copy_on(struct device *device)
{
    uint32_t answered = 0;
    struct list_node *node;
    while ((node = list_pop_front(&device->copying)) != NULL) {
        struct device_job *read = container_of(node, struct device_job, copying);
        answered += answer_some(read);
        if (!list_is_empty(&read->waiting)) {
            list_push_front(&device->copying, node);
            break;
        }
        device->copying_count--;
        job_release(read);
    }
    return answered;
}

void read_send(struct device *device, struct block_client *client, struct block_request *request)
{
    struct device_job *read = job_take(device);
    struct vdisk *vdisk = client->vdisk;
    image_read_span(&vdisk->image, request->sector, sectors_of(request), &read->io.offset_bytes,
                    &read->io.length_bytes);
    read->io.image = &vdisk->image;
    read->io.operation = DISK_READ;
    read->io.buffer = read->buffer;
    read->io.iov_count = 0;
    read->io.done = read_done;
    read->vdisk = vdisk;
    read->client = client;
    read->owner = NULL;
    read->joined_sectors = 0;
    read->ended_ns = 0;
    read->kept_count = 0;
    read->first_sector = read->io.offset_bytes / BLOCK_SECTOR_BYTES;
    read->stale = !list_is_empty(&vdisk->changes) &&
                  change_find(vdisk, read->io.offset_bytes, read->io.length_bytes) != NULL;
    if (!read->stale)
        inflight_add(&vdisk->inflight, &read->flight, read->first_sector,
                     read->io.length_bytes / BLOCK_SECTOR_BYTES);
    job_note_sent(device, request);
    job_wait(request, read, BLOCK_REQUEST_READING);

    device->stats.reads++;
    device->stats.bytes += read->io.length_bytes;
    job_send(read, request);
}

void read_drop(struct block_request *request)
{
    struct device_job *read = request->job;
    list_remove(&request->link);
    job_leave(request);
    if (list_is_linked(&read->copying) && list_is_empty(&read->waiting)) {
        list_remove(&read->copying);
        read->device->copying_count--;
        job_release(read);
    }
}
