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
    /* Any number of clients may ask for the same sectors at once, and each wants a copy. What joins
     * one read is bounded, and so is what is copied for joined requests, or answered by the cache
     * when a turn comes, between two looks at everything else. */
    JOINED_SECTORS_MAX = 2048,
    COPY_SECTORS = 256,
};

/* Requests are checked when they arrive, but the image may have shrunk while they waited. */
static bool still_on_disk(const struct vdisk *vdisk, const struct block_request *request)
{
    uint64_t sectors = vdisk->capabilities.sector_count;
    return request->sector_count <= sectors && request->sector <= sectors - request->sector_count;
}

static uint32_t cost_of_request(const struct block_request *request)
{
    return 1 + sectors_of(request) / COST_SECTORS;
}

static void wait_for_read(struct block_request *request, struct device_read *read,
                          enum block_request_state state)
{
    struct timer_clock *real_time = read->device->real_time;
    assert(request->read == NULL);
    request->state = state;
    request->read = read;
    /* Also where it is not scaled: it can be by the time that the read ends. */
    request->sent_ns = real_time != NULL ? tdf_clock_now_ns(real_time->clock) : 0;
    list_push_back(&read->waiting, &request->link);
}

/* The request, which is off the list, waits for its read no longer. */
static void leave_read(struct block_request *request)
{
    if (request->state == BLOCK_REQUEST_JOINED)
        sched_leave(&request->client->entity);
    request->read = NULL;
}

/* Hangs the request onto a read in flight that covers its sectors, if that has room. */
static bool join_read(struct block_client *client, struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    uint64_t offset;
    uint32_t bytes;
    image_read_span(&vdisk->image, request->sector, sectors_of(request), &offset, &bytes);
    struct inflight_read *flight =
        inflight_find(&vdisk->inflight, offset / BLOCK_SECTOR_BYTES, bytes / BLOCK_SECTOR_BYTES);
    if (flight == NULL)
        return false;
    struct device_read *read = container_of(flight, struct device_read, flight);
    if (read->joined_sectors + sectors_of(request) > JOINED_SECTORS_MAX)
        return false;
    read->joined_sectors += sectors_of(request);
    wait_for_read(request, read, BLOCK_REQUEST_JOINED);
    sched_join(&vdisk->device->sched, &client->entity, now_ns);
    vdisk->stats.shared++;
    return true;
}

/* Not in the cache. Not inlined: a hit need not save the registers that all of this takes. */
__attribute__((noinline)) static void submit_miss(struct block_client *client,
                                                  struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    struct sched *sched = &vdisk->device->sched;
    assert(still_on_disk(vdisk, request)); /* what is cached is on it anyway */
    vdisk->stats.misses++;
    request->cache_state = vdisk->cache_state;
    request->client = client;
    if (!list_is_empty(&client->gated) || !scale_has_token(client)) {
        request->state = BLOCK_REQUEST_GATED;
        list_push_back(&client->gated, &request->link);
        return;
    }
    client->tokens++;
    if (join_read(client, request, now_ns)) {
        sched_charge(sched, &client->entity, cost_of_request(request));
        return;
    }
    request->state = BLOCK_REQUEST_QUEUED;
    request->turn = vdisk->device->turn;
    list_push_back(&client->queue, &request->link);
    sched_enqueue(sched, &client->entity, now_ns);
}

/* What is no small read. */
__attribute__((noinline)) static void submit_other(struct block_request *request)
{
    request->done(request, -EOPNOTSUPP);
}

void block_submit(struct block_client *client, struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    assert(request->state == BLOCK_REQUEST_IDLE);
    request->due_ns = 0;
    if (request->operation != BLOCK_READ || request->sector_count > BLOCK_REQUEST_SECTORS_MAX) {
        submit_other(request);
        return;
    }
    assert(request->sector_count > 0);
    if (!vdisk_serve(vdisk, request)) {
        submit_miss(client, request, now_ns);
        return;
    }
    vdisk->stats.hits++;
    request->done(request, 0);
}

/* Gives the next of those who wait its data. */
static void answer_next(struct device_read *read)
{
    struct block_request *request = request_of_link(list_pop_front(&read->waiting));
    leave_read(request);
    request->due_ns = read->io.due_ns;
    if (read->io.status == 0) {
        device_read_copy(read, request);
        if (!read->stale)
            device_read_keep(read, request);
    }
    scale_answer_late(request, read->io.status, read->ended_ns);
}

/* As far as this turn's copies go. Returns how many. */
static uint32_t answer_some(struct device_read *read)
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

/* Those who wait get turns of their own, before what their clients asked for later. */
static void put_back(struct device_read *read)
{
    struct device *device = read->device;
    struct block_request *request;
    while ((request = request_of_link(list_last(&read->waiting))) != NULL) {
        struct block_client *client = request->client;
        list_remove(&request->link);
        leave_read(request);
        request->state = BLOCK_REQUEST_QUEUED;
        request->turn = device->turn - 1; /* it has waited */
        list_push_front(&client->queue, &request->link);
        sched_enqueue(&device->sched, &client->entity, device->now_ns);
    }
}

static void release_read(struct device_read *read)
{
    struct device *device = read->device;
    assert(!read->under_way && list_is_empty(&read->waiting));
    read->next_free = device->free_reads;
    device->free_reads = read;
}

/* There is more to copy than this turn may: the read keeps its buffer until that is done, if there
 * is one to spare. */
static void copy_later(struct device_read *read)
{
    struct device *device = read->device;
    if (device->copying_count == DEVICE_READS_SPARE) {
        put_back(read);
        release_read(read);
        return;
    }
    if (device->real_time != NULL)
        read->ended_ns = tdf_clock_now_ns(device->real_time->clock);
    list_push_back(&device->copying, &read->copying);
    device->copying_count++;
}

static void read_done(struct disk_io *io)
{
    struct device_read *read = container_of(io, struct device_read, io);
    struct device *device = read->device;

    assert(read->under_way && device->in_flight > 0);
    device_read_prefetch(read);
    device->freed_ns = io->due_ns;
    if (!read->stale)
        inflight_remove(&read->vdisk->inflight, &read->flight);
    read->under_way = false;
    device->in_flight--;
    if (io->status < 0)
        device->stats.errors++;
    if (read->client != NULL)
        sched_complete(&device->sched, &read->client->entity, device->now_ns);
    read->client = NULL;

    /* The first one has its data at once: mostly it is the one that took a turn for that. */
    if (!list_is_empty(&read->waiting))
        answer_next(read);
    while (io->status < 0 && !list_is_empty(&read->waiting)) /* nothing to be copied */
        answer_next(read);
    (void)answer_some(read);
    if (list_is_empty(&read->waiting))
        release_read(read);
    else
        copy_later(read);
}

/* Goes on with the reads that ended and have not reached all, oldest first. Returns how many
 * requests were answered. */
static uint32_t copy_on(struct device *device)
{
    uint32_t answered = 0;
    struct list_node *node;
    while ((node = list_pop_front(&device->copying)) != NULL) {
        struct device_read *read = container_of(node, struct device_read, copying);
        answered += answer_some(read);
        if (!list_is_empty(&read->waiting)) {
            list_push_front(&device->copying, node);
            break;
        }
        device->copying_count--;
        release_read(read);
    }
    return answered;
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
    assert(read !=
           NULL); /* in_flight is below depth, and copying_count at most what is beside it */
    device->free_reads = read->next_free;
    image_read_span(&vdisk->image, request->sector, sectors_of(request), &read->io.offset_bytes,
                    &read->io.length_bytes);
    read->io.image = &vdisk->image;
    read->io.buffer = read->buffer;
    read->io.done = read_done;
    read->io.arrival_ns = arrival_ns(device, request);
    read->vdisk = vdisk;
    read->client = client;
    read->under_way = true;
    read->stale = false;
    read->joined_sectors = 0;
    read->ended_ns = 0;
    read->kept_count = 0;
    read->first_sector = read->io.offset_bytes / BLOCK_SECTOR_BYTES;
    inflight_add(&vdisk->inflight, &read->flight, read->first_sector,
                 read->io.length_bytes / BLOCK_SECTOR_BYTES);
    wait_for_read(request, read, BLOCK_REQUEST_READING);

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
    return cost_of_request(request_of_link(list_first(&client->queue)));
}

/* The client's oldest waiting request has its turn. Returns how many sectors were answered: 0, it
 * waits for a read now. *sent counts those that it took to the engine. */
static uint32_t take_turn(struct device *device, struct block_client *client, uint32_t *sent)
{
    struct vdisk *vdisk = client->vdisk;
    struct block_request *request = request_of_link(list_pop_front(&client->queue));
    uint32_t sector_count = sectors_of(request);
    assert(request->state == BLOCK_REQUEST_QUEUED);
    bool exists = still_on_disk(vdisk, request);
    /* Somebody else's read may have brought it meanwhile. */
    if (!exists || (request->cache_state != vdisk->cache_state && vdisk_serve(vdisk, request))) {
        sched_complete(&device->sched, &client->entity, device->now_ns);
        scale_answer(request, exists ? 0 : -EINVAL);
        return sector_count;
    }
    if (join_read(client, request, device->now_ns)) {
        sched_complete(&device->sched, &client->entity, device->now_ns);
        return 0;
    }
    send_to_disk(device, client, request);
    if (++*sent % KICK_CHUNK == 0)
        kick_disk(device);
    return 0;
}

uint32_t device_dispatch(struct device *device, uint64_t now_ns)
{
    device->now_ns = now_ns;
    device->turn++;
    device->copies_left = COPY_SECTORS;
    uint32_t answered = copy_on(device), answered_sectors = 0, sent = 0;
    struct sched_entity *entity;
    /* sched counts the reads of those that are there, in_flight also those of clients that left. */
    while (device->in_flight < device->depth && answered_sectors < COPY_SECTORS &&
           (entity = sched_pick(&device->sched, now_ns, cost_of)) != NULL) {
        uint32_t sectors = take_turn(device, client_of_entity(entity), &sent);
        answered_sectors += sectors;
        answered += sectors > 0;
    }
    sched_turns_over(&device->sched);
    return answered + sent;
}

/* The request waits for its read no longer, and will not be answered. */
static void drop_from_read(struct block_request *request)
{
    struct device_read *read = request->read;
    list_remove(&request->link);
    leave_read(request);
    if (list_is_linked(&read->copying) && list_is_empty(&read->waiting)) {
        list_remove(&read->copying);
        read->device->copying_count--;
        release_read(read);
    }
}

bool block_cancel(struct block_request *request)
{
    struct block_client *client = request->client;
    switch (request->state) {
    case BLOCK_REQUEST_IDLE:
        return true;
    case BLOCK_REQUEST_GATED: /* it has no token */
        list_remove(&request->link);
        request->state = BLOCK_REQUEST_IDLE;
        return true;
    case BLOCK_REQUEST_QUEUED:
        list_remove(&request->link);
        sched_cancel(&client->vdisk->device->sched, &client->entity);
        break;
    case BLOCK_REQUEST_READING:
    case BLOCK_REQUEST_JOINED:
        drop_from_read(request);
        break;
    case BLOCK_REQUEST_HELD:
        timer_stop(&request->hold);
        break;
    }
    assert(client->tokens > 0);
    client->tokens--;
    request->state = BLOCK_REQUEST_IDLE;
    scale_admit(client);
    return true;
}
