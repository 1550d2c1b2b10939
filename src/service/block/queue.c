/* SPDX-License-Identifier: MIT */
#include "service/block/queue.h"

#include <assert.h>
#include <errno.h>

#include "service/block/device_private.h"

enum {
    /* A device that works serially idles while a long plug of submissions is prepared: hand reads
     * over in small chunks. What is left of a chunk goes with the poller's next run: mostly the one
     * that sleeps, so that submitting and waiting are one system call. */
    KICK_CHUNK = 2,
    /* Cost of a read in turns: one, plus one for every further 16 KiB (the device's transfer time).
     */
    COST_SECTORS = 32,
};

/* Requests are checked when they arrive, but the image may have shrunk while they waited. */
static bool still_on_disk(const struct vdisk *vdisk, const struct block_request *request)
{
    uint64_t sectors = vdisk->capabilities.sector_count;
    return request->sector_count <= sectors && request->sector <= sectors - request->sector_count;
}

static void wait_for_read(struct block_request *request, struct device_read *read)
{
    struct timer_clock *real_time = read->device->real_time;
    request->state = BLOCK_REQUEST_READING;
    request->read = read;
    /* Also where it is not scaled: it can be by the time that the read ends. */
    request->sent_ns = real_time != NULL ? tdf_clock_now_ns(real_time->clock) : 0;
    list_push_back(&read->waiting, &request->link);
}

/* Hangs the request onto a read in flight that covers its sectors. */
static bool join_read(struct vdisk *vdisk, struct block_request *request)
{
    uint64_t offset;
    uint32_t bytes;
    image_read_span(&vdisk->image, request->sector, request->sector_count, &offset, &bytes);
    struct inflight_read *flight =
        inflight_find(&vdisk->inflight, offset / BLOCK_SECTOR_BYTES, bytes / BLOCK_SECTOR_BYTES);
    if (flight == NULL)
        return false;
    wait_for_read(request, container_of(flight, struct device_read, flight));
    vdisk->stats.shared++;
    return true;
}

void block_submit(struct block_client *client, struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    assert(request->state == BLOCK_REQUEST_IDLE && request->operation == BLOCK_READ);
    assert(request->sector_count > 0 && request->sector_count <= BLOCK_REQUEST_SECTORS_MAX);
    assert(still_on_disk(vdisk, request));
    request->due_ns = 0;
    if (vdisk_serve(vdisk, request)) {
        vdisk->stats.hits++;
        request->done(request, 0);
        return;
    }
    struct device *device = vdisk->device;
    vdisk->stats.misses++;
    request->cache_state = vdisk->cache_state;
    request->client = client;
    if (!list_is_empty(&client->gated) || !scale_has_token(client)) {
        request->state = BLOCK_REQUEST_GATED;
        list_push_back(&client->gated, &request->link);
        return;
    }
    client->tokens++;
    if (join_read(vdisk, request))
        return;
    request->state = BLOCK_REQUEST_QUEUED;
    request->turn = device->turn;
    list_push_back(&client->queue, &request->link);
    sched_enqueue(&device->sched, &client->entity, now_ns);
}

static void read_done(struct disk_io *io)
{
    struct device_read *read = container_of(io, struct device_read, io);
    struct device *device = read->device;
    int status = io->status;

    device_read_prefetch(read);
    device->freed_ns = io->due_ns;
    if (!read->stale)
        inflight_remove(&read->vdisk->inflight, &read->flight);
    read->under_way = false;
    device->in_flight--;
    if (status < 0)
        device->stats.errors++;
    if (read->client != NULL)
        sched_complete(&device->sched, &read->client->entity, device->now_ns);

    /* done may submit requests and even cancel others: the list is consumed from its head. */
    struct block_request *request;
    while ((request = request_of_link(list_pop_front(&read->waiting))) != NULL) {
        request->read = NULL;
        request->due_ns = io->due_ns;
        if (status == 0) {
            device_read_copy(read, request);
            if (!read->stale)
                device_read_keep(read, request);
        }
        scale_answer_late(request, status);
    }
    read->client = NULL;
    read->next_free = device->free_reads;
    device->free_reads = read;
}

/* When the model is to see a request arrive: when it was asked for, or, if it had to wait for its
 * turn, when there was room; whatever the delays with which all this was noticed here. 0: now. */
static uint64_t arrival_ns(const struct device *device, const struct block_request *request)
{
    bool waited = request->turn + 1 != device->turn;
    return request->asked_ns != 0 && waited && device->freed_ns > request->asked_ns
               ? device->freed_ns
               : request->asked_ns;
}

static void send_to_disk(struct device *device, struct block_client *client,
                         struct block_request *request)
{
    struct device_read *read = device->free_reads;
    struct vdisk *vdisk = client->vdisk;
    device->free_reads = read->next_free;
    image_read_span(&vdisk->image, request->sector, request->sector_count, &read->io.offset_bytes,
                    &read->io.length_bytes);
    read->io.image = &vdisk->image;
    read->io.buffer = read->buffer;
    read->io.done = read_done;
    read->io.arrival_ns = arrival_ns(device, request);
    read->vdisk = vdisk;
    read->client = client;
    read->under_way = true;
    read->stale = false;
    read->first_sector = read->io.offset_bytes / BLOCK_SECTOR_BYTES;
    inflight_add(&vdisk->inflight, &read->flight, read->first_sector,
                 read->io.length_bytes / BLOCK_SECTOR_BYTES);
    wait_for_read(request, read);

    device->stats.reads++;
    device->stats.bytes += read->io.length_bytes;
    if (++device->in_flight > device->stats.in_flight_peak)
        device->stats.in_flight_peak = device->in_flight;
    device->engine->ops->submit(device->engine, &read->io);
}

static void kick_disk(struct device *device)
{
    if (device->engine->ops->kick != NULL)
        device->engine->ops->kick(device->engine);
}

static struct block_client *client_of_entity(const struct sched_entity *entity)
{
    return container_of(entity, struct block_client, entity);
}

static uint32_t cost_of(const struct sched_entity *entity)
{
    const struct block_client *client = client_of_entity(entity);
    return 1 + request_of_link(list_first(&client->queue))->sector_count / COST_SECTORS;
}

uint32_t device_dispatch(struct device *device, uint64_t now_ns)
{
    uint32_t sent = 0;
    struct sched_entity *entity;
    device->now_ns = now_ns;
    device->turn++;
    while (device->free_reads != NULL &&
           (entity = sched_pick(&device->sched, now_ns, cost_of)) != NULL) {
        struct block_client *client = client_of_entity(entity);
        struct vdisk *vdisk = client->vdisk;
        struct block_request *request = request_of_link(list_pop_front(&client->queue));
        if (!still_on_disk(vdisk, request)) {
            sched_complete(&device->sched, entity, now_ns);
            scale_answer(request, -EINVAL);
        } else if (request->cache_state != vdisk->cache_state && vdisk_serve(vdisk, request)) {
            /* somebody else's read brought it meanwhile */
            sched_complete(&device->sched, entity, now_ns);
            scale_answer(request, 0);
        } else if (join_read(vdisk, request)) {
            sched_complete(&device->sched, entity, now_ns);
        } else {
            send_to_disk(device, client, request);
            if (++sent % KICK_CHUNK == 0)
                kick_disk(device);
        }
    }
    return sent;
}

void block_cancel(struct block_request *request)
{
    struct block_client *client = request->client;
    switch (request->state) {
    case BLOCK_REQUEST_IDLE:
        return;
    case BLOCK_REQUEST_GATED: /* it has no token */
        list_remove(&request->link);
        request->state = BLOCK_REQUEST_IDLE;
        return;
    case BLOCK_REQUEST_QUEUED:
        list_remove(&request->link);
        sched_cancel(&client->vdisk->device->sched, &client->entity);
        break;
    case BLOCK_REQUEST_READING:
        list_remove(&request->link);
        request->read = NULL;
        break;
    case BLOCK_REQUEST_HELD:
        timer_stop(&request->hold);
        break;
    }
    client->tokens--;
    request->state = BLOCK_REQUEST_IDLE;
    scale_admit(client);
}
