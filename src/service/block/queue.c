/* SPDX-License-Identifier: MIT */
#include "service/block/queue.h"

#include <assert.h>
#include <errno.h>

#include "service/block/device_private.h"
#include "service/block/trace.h"

enum {
    /* A device that works serially idles while a long plug of submissions is prepared: hand reads
     * over in small chunks. What is left of a chunk goes with the poller's next run: mostly the one
     * that sleeps, so that submitting and waiting are one system call. */
    KICK_CHUNK = 2,
    /* What is copied for joined requests, or answered by the cache when a turn comes, between two
     * looks at everything else. */
    COPY_SECTORS = 256,
    /* What a turn counts for there that was neither. */
    TURN_SECTORS = 8,
};

static uint32_t cost_of_request(const struct block_request *request)
{
    return is_shared_read(request) ? 1 + sectors_of(request) / COST_SECTORS : piece_cost(request);
}

/* Whether the client may have one more request queued now; else the request waits for that. */
static bool is_admitted(struct block_client *client, struct block_request *request)
{
    request->client = client;
    if (list_is_empty(&client->gated) && scale_has_token(client)) {
        client->tokens++;
        return true;
    }
    request->state = BLOCK_REQUEST_GATED;
    list_push_back(&client->gated, &request->link);
    return false;
}

static void enqueue(struct block_client *client, struct block_request *request, uint64_t now_ns)
{
    struct device *device = client->vdisk->device;
    request->state = BLOCK_REQUEST_QUEUED;
    request->turn = device->turn;
    list_push_back(&client->queue, &request->link);
    sched_enqueue(&device->sched, &client->entity, now_ns);
}

/* Not in the cache. Not inlined: a hit need not save the registers that all of this takes. */
__attribute__((noinline)) static void submit_miss(struct block_client *client,
                                                  struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    assert(still_on_disk(vdisk, request)); /* what is cached is on it anyway */
    vdisk->stats.misses++;
    rereads_missed(&vdisk->rereads, request->sector);
    request->cache_state = vdisk->cache_state;
    if (!is_admitted(client, request))
        return;
    if (read_join(client, request, now_ns)) {
        sched_charge(&vdisk->device->sched, &client->entity, cost_of_request(request));
        return;
    }
    BLOCK_PROBE(queued, request);
    enqueue(client, request, now_ns);
}

__attribute__((noinline)) static void submit_pieces(struct block_client *client,
                                                    struct block_request *request, uint64_t now_ns)
{
    int rc = piece_check(client, request);
    if (rc < 0) {
        request->done(request, rc);
    } else if (is_admitted(client, request)) {
        BLOCK_PROBE(queued, request);
        enqueue(client, request, now_ns);
    }
}

void block_submit(struct block_client *client, struct block_request *request, uint64_t now_ns)
{
    struct vdisk *vdisk = client->vdisk;
    assert(request->state == BLOCK_REQUEST_IDLE);
    request->due_ns = 0;
    if (!is_shared_read(request)) {
        submit_pieces(client, request, now_ns);
        return;
    }
    if (!vdisk_serve(vdisk, request)) {
        submit_miss(client, request, now_ns);
        return;
    }
    vdisk->stats.hits++;
    request->done(request, 0);
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

static void count_sent(struct device *device, uint32_t *sent)
{
    if (++*sent % KICK_CHUNK == 0)
        kick_disk(device);
}

/* The client's oldest waiting request has its turn. Returns how many sectors were answered: 0, it
 * waits for a job now. *sent counts those that it took to the engine. */
__attribute__((always_inline)) static inline uint32_t
take_turn(struct device *device, struct block_client *client, uint32_t *sent, bool traced)
{
    struct vdisk *vdisk = client->vdisk;
    struct block_request *request = request_of_link(list_pop_front(&client->queue));
    assert(request->state == BLOCK_REQUEST_QUEUED);
    BLOCK_PROBE(picked, request);
    if (traced)
        block_trace(request, TRACE_PICKED);
    if (!is_shared_read(request)) {
        if (!piece_take_turn(device, client, request))
            return TURN_SECTORS;
        count_sent(device, sent);
        return 0;
    }
    uint32_t sector_count = sectors_of(request);
    bool exists = still_on_disk(vdisk, request);
    /* Somebody else's read may have brought it meanwhile. */
    if (!exists || (request->cache_state != vdisk->cache_state && vdisk_serve(vdisk, request))) {
        sched_complete(&device->sched, &client->entity, device->now_ns);
        scale_answer(request, exists ? 0 : -EINVAL);
        return sector_count;
    }
    if (read_join(client, request, device->now_ns)) {
        sched_complete(&device->sched, &client->entity, device->now_ns);
        return 0;
    }
    BLOCK_PROBE(sent, request);
    if (traced)
        block_trace(request, TRACE_SENT);
    read_send(device, client, request);
    count_sent(device, sent);
    return 0;
}

/* sched counts the jobs of those that are there, in_flight also those of clients that left. */
static inline struct sched_entity *next_turn(struct device *device, uint32_t answered_sectors)
{
    return device->in_flight < device->depth && answered_sectors < COPY_SECTORS
               ? sched_pick(&device->sched, device->now_ns, cost_of)
               : NULL;
}

/* The first one, and all that follow. Returns how many were answered or sent. Compiled twice:
 * without a trace there is nothing of it in here. */
__attribute__((always_inline)) static inline uint32_t
take_turns(struct device *device, struct sched_entity *entity, bool traced)
{
    uint32_t answered = 0, answered_sectors = 0, sent = 0;
    do {
        uint32_t sectors = take_turn(device, client_of_entity(entity), &sent, traced);
        answered_sectors += sectors;
        answered += sectors > 0;
    } while ((entity = next_turn(device, answered_sectors)) != NULL);
    return answered + sent;
}

__attribute__((noinline)) static uint32_t take_turns_traced(struct device *device,
                                                            struct sched_entity *entity)
{
    return take_turns(device, entity, true);
}

uint32_t device_dispatch(struct device *device, uint64_t now_ns)
{
    device->now_ns = now_ns;
    device->turn++;
    device->copies_left = COPY_SECTORS;
    uint32_t count = read_copy_on(device);
    count += change_clear_on(device);
    struct sched_entity *entity = next_turn(device, 0);
    if (entity != NULL)
        count += __builtin_expect(device->tracers == 0, true) ? take_turns(device, entity, false)
                                                              : take_turns_traced(device, entity);
    sched_turns_over(&device->sched);
    return count;
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
    case BLOCK_REQUEST_BLOCKED:
    case BLOCK_REQUEST_WORKING:
        if (!piece_cancel(request))
            return false;
        break;
    case BLOCK_REQUEST_QUEUED:
        if (!is_shared_read(request)) {
            if (!piece_cancel(request))
                return false;
            break;
        }
        list_remove(&request->link);
        sched_cancel(&client->vdisk->device->sched, &client->entity);
        break;
    case BLOCK_REQUEST_READING:
    case BLOCK_REQUEST_JOINED:
        read_drop(request);
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
