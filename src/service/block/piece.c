/* SPDX-License-Identifier: MIT */
/*
 * piece: writes, flushes, discards, and reads that are too large for a buffer.
 *
 * A request goes to the engine in one piece or several, each of which takes a turn of its client's,
 * so that nobody waits behind 16 MiB. It is answered when all have ended, with the first error of
 * any. A small write is one piece: its data is taken out of the segments once, into the job's
 * buffer. A large read or write goes straight to and from the segments' memory, or, where alignment
 * does not allow that, in pieces through buffers that end where a block does. A write of parts of
 * blocks reads the blocks first.
 */
#include <errno.h>
#include <sys/uio.h>

#include "service/block/device_private.h"
#include "service/block/segments.h"
#include "service/block/tail.h"
#include "service/block/trace.h"

enum {
    DIRECT_SECTORS = 2048,    /* of a piece: 1 MiB */
    DISCARD_SECTORS = 131072, /* likewise, 64 MiB: what is freed is paid for by the file system */
    DISCARD_COST_SECTORS = 4096,
    VECTOR_MAX = 1024, /* parts of a piece: IOV_MAX */
    VECTOR_BYTES = VECTOR_MAX * sizeof(struct iovec),
};

/* A job's vector lies in its buffer, with the tail behind it: such a job has no other use for it.
 */
_Static_assert(VECTOR_BYTES + TAIL_BYTES_MAX <= BLOCK_REQUEST_SECTORS_MAX * BLOCK_SECTOR_BYTES,
               "a buffer holds a vector and a tail");

static int check_operation(const struct vdisk *vdisk, const struct block_request *request)
{
    const struct vdisk_capabilities *can = &vdisk->capabilities;
    switch (request->operation) {
    case BLOCK_READ:
        return 0;
    case BLOCK_WRITE:
        return can->writable ? 0 : -EROFS;
    case BLOCK_FLUSH:
        return can->flush ? 0 : -EOPNOTSUPP;
    case BLOCK_DISCARD:
        return !can->writable ? -EROFS : can->discard ? 0 : -EOPNOTSUPP;
    }
    return -EOPNOTSUPP;
}

int piece_check(const struct block_client *client, struct block_request *request)
{
    struct vdisk *vdisk = client->vdisk;
    int rc = check_operation(vdisk, request);
    if (rc < 0)
        return rc;
    bool has_data = request->operation == BLOCK_READ || request->operation == BLOCK_WRITE;
    assert(still_on_disk(vdisk, request));
    assert((request->sector_count == 0) == (request->operation == BLOCK_FLUSH));
    assert(!has_data || (request->sector_count <= BLOCK_REQUEST_SECTORS_LIMIT &&
                         request->segment_count <= BLOCK_REQUEST_SEGMENTS_LIMIT));
    request->begun = 0;
    request->job_count = 0;
    request->next = (struct segment_place){0};
    request->status = 0;
    request->sent_ns = 0;
    request->is_abandoned = false;
    request->is_direct = has_data && request->sector_count > BLOCK_REQUEST_SECTORS_MAX &&
                         segments_fit(request, &vdisk->image);
    return 0;
}

/* Sectors of the request's next piece; at most, if it is direct. */
static uint32_t next_sectors(const struct block_request *request, uint32_t block_bytes)
{
    uint64_t left = request->sector_count - request->begun;
    uint32_t most = request->operation == BLOCK_DISCARD ? DISCARD_SECTORS
                    : request->is_direct                ? DIRECT_SECTORS
                                                        : BLOCK_REQUEST_SECTORS_MAX;
    if (left <= most)
        return (uint32_t)left;
    /* To the last whole block's end. */
    uint64_t sector = request->sector + request->begun;
    uint64_t block_sectors = block_bytes / BLOCK_SECTOR_BYTES;
    uint64_t end = (sector + most) & ~(block_sectors - 1);
    return end > sector ? (uint32_t)(end - sector) : most;
}

uint32_t piece_cost(const struct block_request *request)
{
    uint32_t sectors = next_sectors(request, request->client->vdisk->image.block_size_bytes);
    return 1 +
           sectors / (request->operation == BLOCK_DISCARD ? DISCARD_COST_SECTORS : COST_SECTORS);
}

/* Between the job's buffer and its owner's segments, as far as the engine does not do it. */
static void copy_data(const struct device_job *job)
{
    if (job->owner->is_direct) {
        tail_copy(job);
        return;
    }
    uint8_t *data = job->buffer + (job->sector * BLOCK_SECTOR_BYTES - job->io.offset_bytes);
    segments_copy(job->owner, job->place, data, job->sector_count);
}

/* What the engine answered, as one of the statuses that requests end with. */
static int status_of(const struct device_job *job)
{
    switch (job->io.status) {
    case 0:
    case -EIO:
    case -ENOSPC:
    case -EROFS:
    case -EOPNOTSUPP:
        return job->io.status;
    case -EDQUOT:
        return -ENOSPC;
    case -EINVAL: /* fdatasync(2) of what can't be synchronised */
        return job->io.operation == DISK_FLUSH ? -EOPNOTSUPP : -EIO;
    default:
        return -EIO;
    }
}

static void note_incapable(struct device_job *job)
{
    struct vdisk_capabilities *can = &job->vdisk->capabilities;
    if (job->io.operation == DISK_DISCARD)
        vdisk_cannot(job->vdisk, &can->discard);
    if (job->io.operation == DISK_FLUSH)
        vdisk_cannot(job->vdisk, &can->flush);
}

/* Its owner waits for its memory, nobody for the answer. done may close the client. */
static void answer_abandoned(struct block_request *request)
{
    struct block_client *client = request->client;
    assert(client->tokens > 0);
    client->tokens--;
    request->state = BLOCK_REQUEST_IDLE;
    scale_admit(client);
    request->done(request, request->status);
}

static void answer(struct block_request *request)
{
    assert(request->job_count == 0 && request->state == BLOCK_REQUEST_WORKING);
    if (request->is_abandoned)
        answer_abandoned(request);
    else if (request->sent_ns == 0) /* the device had nothing to do: no time is to be scaled */
        scale_answer(request, request->status);
    else
        scale_answer_late(request, request->status, 0);
}

/* No more pieces of the request are to be sent. It is on no list then. */
static void stop(struct block_request *request)
{
    struct block_client *client = request->client;
    if (request->state == BLOCK_REQUEST_QUEUED) {
        list_remove(&request->link);
        sched_cancel(&client->vdisk->device->sched, &client->entity);
    } else if (request->state == BLOCK_REQUEST_BLOCKED) {
        list_remove(&request->link);
        job_leave(request);
    }
    request->state = BLOCK_REQUEST_WORKING;
}

static void fail(struct block_request *request, int status)
{
    stop(request);
    if (request->status == 0)
        request->status = status;
}

static void tell_owner(const struct device_job *job, struct block_request *request)
{
    int status = status_of(job);
    BLOCK_PROBE(completed, request);
    block_trace(request, TRACE_COMPLETED);
    request->job_count--;
    if (job->io.due_ns > request->due_ns)
        request->due_ns = job->io.due_ns;
    if (status < 0)
        fail(request, status);
    if (request->job_count == 0 && request->state == BLOCK_REQUEST_WORKING)
        answer(request);
}

/* The blocks around what it writes have been read. False: it need not write any more. */
static bool merge(struct device_job *job)
{
    struct disk_io *io = &job->io;
    if (io->status < 0 || job->owner == NULL)
        return false;
    copy_data(job);
    job->merges = false;
    io->operation = DISK_WRITE;
    job->device->engine->ops->submit(job->device->engine, io);
    return true;
}

static void piece_done(struct disk_io *io)
{
    struct device_job *job = container_of(io, struct device_job, io);
    if (job->merges && merge(job))
        return;
    job_ended(job);
    if (status_of(job) == -EOPNOTSUPP)
        note_incapable(job);
    if (list_is_linked(&job->changing)) {
        job->fills_cache = job->fills_cache && !job->merges;
        change_end(job);
    }
    if (io->status == 0 && job->owner != NULL && io->operation == DISK_READ && !job->merges)
        copy_data(job);
    struct block_request *owner = job->owner;
    job->owner = NULL;
    if (owner != NULL)
        tell_owner(job, owner);
    job_release(job);
}

/* The widest span of whole blocks within the piece, which may be empty. */
static void shrink_to_blocks(struct device_job *job, const struct image *image)
{
    uint64_t mask = (uint64_t)image->block_size_bytes - 1;
    uint64_t first = job->sector * BLOCK_SECTOR_BYTES;
    uint64_t end = first + (uint64_t)job->sector_count * BLOCK_SECTOR_BYTES;
    first = (first + mask) & ~mask;
    end &= ~mask;
    job->io.offset_bytes = first;
    job->io.length_bytes = end > first ? (uint32_t)(end - first) : 0;
    job->sector = first / BLOCK_SECTOR_BYTES;
    job->sector_count = job->io.length_bytes / BLOCK_SECTOR_BYTES;
}

/* Fills the job with the request's next piece. Returns how many sectors of it that is. */
static uint32_t make_piece(struct device_job *job, struct block_client *client,
                           const struct block_request *request)
{
    static const enum disk_operation operations[] = {[BLOCK_READ] = DISK_READ,
                                                     [BLOCK_WRITE] = DISK_WRITE,
                                                     [BLOCK_FLUSH] = DISK_FLUSH,
                                                     [BLOCK_DISCARD] = DISK_DISCARD};
    struct disk_io *io = &job->io;
    const struct image *image = &client->vdisk->image;
    uint32_t sectors = next_sectors(request, image->block_size_bytes);
    *io = (struct disk_io){.image = image,
                           .operation = operations[request->operation],
                           .buffer = job->buffer,
                           .done = piece_done};
    if (request->is_direct) {
        io->iov = (struct iovec *)(void *)job->buffer;
        sectors =
            segments_vector(request, request->next, sectors, io->iov, VECTOR_MAX, &io->iov_count);
        tail_replace(job, VECTOR_MAX);
    }
    job->vdisk = client->vdisk;
    job->sector = request->sector + request->begun;
    job->sector_count = sectors;
    job->place = request->next;
    job->stale = true; /* to be neither joined nor kept as a read */
    job->merges = false;
    job->fills_cache = io->operation == DISK_WRITE && !request->is_direct;
    if (io->operation == DISK_DISCARD)
        shrink_to_blocks(job, image);
    else if (io->operation != DISK_FLUSH)
        image_read_span(image, job->sector, sectors, &io->offset_bytes, &io->length_bytes);
    if (io->operation == DISK_WRITE && io->length_bytes != sectors * BLOCK_SECTOR_BYTES) {
        job->merges = true;
        io->operation = DISK_READ;
    }
    return sectors;
}

static void count(struct device *device, struct vdisk *vdisk, const struct block_request *request,
                  uint64_t bytes)
{
    switch (request->operation) {
    case BLOCK_READ:
        device->stats.reads++;
        device->stats.bytes += bytes;
        break;
    case BLOCK_WRITE:
        device->stats.writes++;
        device->stats.bytes_written += bytes;
        break;
    case BLOCK_FLUSH:
        device->stats.flushes++;
        break;
    case BLOCK_DISCARD:
        device->stats.discards++;
        break;
    }
    if (request->begun > 0)
        return;
    vdisk->stats.misses += request->operation == BLOCK_READ;
    vdisk->stats.writes += request->operation == BLOCK_WRITE;
    vdisk->stats.flushes += request->operation == BLOCK_FLUSH;
    vdisk->stats.discards += request->operation == BLOCK_DISCARD;
}

/* After one piece: the next waits for a turn of its own, or there is none. */
static void go_on(struct block_client *client, struct block_request *request, uint32_t sectors)
{
    struct device *device = client->vdisk->device;
    request->begun += sectors;
    if (request->segment_count > 0)
        request->next = segments_after(request, request->next, sectors);
    if (request->begun == request->sector_count) {
        request->state = BLOCK_REQUEST_WORKING;
        return;
    }
    request->state = BLOCK_REQUEST_QUEUED;
    request->turn = device->turn - 1; /* it has waited */
    list_push_front(&client->queue, &request->link);
    sched_enqueue(&device->sched, &client->entity, device->now_ns);
}

/* The turn is given back: nothing was sent. */
static void answer_if_over(struct device *device, struct block_client *client,
                           struct block_request *request)
{
    sched_complete(&device->sched, &client->entity, device->now_ns);
    if (request->job_count == 0 && request->state == BLOCK_REQUEST_WORKING)
        answer(request);
}

bool piece_take_turn(struct device *device, struct block_client *client,
                     struct block_request *request)
{
    struct vdisk *vdisk = client->vdisk;
    request->state = BLOCK_REQUEST_WORKING;
    if (!still_on_disk(vdisk, request)) {
        fail(request, -EINVAL);
        answer_if_over(device, client, request);
        return false;
    }
    struct device_job *job = job_take(device), *other = NULL;
    uint32_t sectors = make_piece(job, client, request);
    bool changes = request->operation == BLOCK_WRITE || request->operation == BLOCK_DISCARD;
    if (changes && job->io.length_bytes > 0)
        other = change_find(vdisk, job->io.offset_bytes, job->io.length_bytes);
    if (other != NULL) {
        job_release(job);
        job_wait(request, other, BLOCK_REQUEST_BLOCKED);
        sched_join(&device->sched, &client->entity, device->now_ns);
        sched_complete(&device->sched, &client->entity, device->now_ns);
        return false;
    }
    if (changes && job->io.length_bytes == 0) { /* no whole block of a discard's piece */
        job_release(job);
        go_on(client, request, sectors);
        answer_if_over(device, client, request);
        return false;
    }
    job->client = client;
    job->owner = request;
    if (request->sent_ns == 0)
        job_note_sent(device, request);
    count(device, vdisk, request, job->io.length_bytes);
    if (changes)
        change_begin(job);
    if (job->io.operation == DISK_WRITE)
        copy_data(job); /* while the cache's memory, in which change_send looks, is on its way */
    request->job_count++;
    BLOCK_PROBE(sent, request);
    block_trace(request, TRACE_SENT);
    if (changes)
        change_send(job, request);
    else
        job_send(job, request);
    go_on(client, request, sectors);
    return true;
}

bool piece_cancel(struct block_request *request)
{
    struct device *device = request->client->vdisk->device;
    bool all_begun = request->state == BLOCK_REQUEST_WORKING;
    stop(request);
    if (request->job_count == 0)
        return true;
    if (request->is_direct) {
        request->is_abandoned = true;
        if (!all_begun && request->status == 0)
            request->status = -ECANCELED;
        return false;
    }
    for (struct device_job *job = device->jobs; request->job_count > 0; job++) {
        if (job->owner == request) {
            job->owner = NULL;
            request->job_count--;
        }
    }
    return true;
}
