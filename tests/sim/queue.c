/* SPDX-License-Identifier: MIT */
/* queue: one ring of a front end: what it asks for there, and what it is answered. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static struct ask *ask_of(struct queue *q, const struct shadow_entry *entry)
{
    return &q->ask[shadow_index(&q->shadow, entry)];
}

void queue_push(struct queue *q)
{
    if (front_ring_push(&q->ring.half))
        q->front->doorbell = true;
}

static void fill_data(const struct ask *ask)
{
    uint64_t count = ask->entry->sector_count;
    uint8_t *bytes = malloc(count * BLOCK_SECTOR_BYTES);
    if (bytes == NULL)
        abort();
    if (order_is_write(ask))
        oracle_fill(bytes, ask->change.number, ask->change.first, count);
    else
        memset(bytes, 0xaa, count * BLOCK_SECTOR_BYTES);
    data_scatter(ask, bytes);
    free(bytes);
}

static void put_indirect(struct queue *ring, const struct ask *ask)
{
    struct blkif_request_indirect req = {.operation = BLKIF_OP_INDIRECT,
                                         .indirect_op = ask->entry->operation,
                                         .id = ask->entry->id,
                                         .sector_number = ask->entry->sector};
    data_put_lists(ask, &req);
    blkif_put_indirect(&ring->ring, &req);
}

/* On the ring of a queue, which may be another one than the entry's own. */
static void put(struct queue *ring, struct queue *q, struct shadow_entry *entry)
{
    struct ask *ask = ask_of(q, entry);
    ring->on_ring++;
    order_put(ask, ring);
    if (entry->operation == BLKIF_OP_DISCARD) {
        blkif_put_discard(&ring->ring,
                          &(struct blkif_request_discard){.operation = BLKIF_OP_DISCARD,
                                                          .id = entry->id,
                                                          .sector_number = entry->sector,
                                                          .nr_sectors = entry->sector_count});
        return;
    }
    if (ask->segment_count > 0)
        fill_data(ask);
    if (ask->is_indirect) {
        put_indirect(ring, ask);
        return;
    }
    struct blkif_request req = {.operation = entry->operation,
                                .nr_segments = (uint8_t)ask->segment_count,
                                .id = entry->id,
                                .sector_number = entry->sector};
    for (uint32_t i = 0; i < ask->segment_count; i++)
        req.seg[i] = ask->segment[i];
    blkif_put_request(&ring->ring, &req);
}

/* The oldest one of the queue that waits for a slot. */
static struct shadow_entry *first_waiting(struct queue *q)
{
    struct shadow_entry *entry = shadow_next(&q->shadow, 0);
    while (entry != NULL && ask_of(q, entry)->ring != RING_NONE)
        entry = shadow_next(&q->shadow, entry->sequence);
    return entry;
}

/* Whose requests go to this ring: its own, and those of queues for which there is none. */
static bool is_asked_at(const struct queue *q, const struct queue *ring)
{
    uint32_t rings = ring->front->life_queues;
    return q == ring || (q->index >= rings && q->index % rings == ring->index);
}

/* As many as there are slots for. */
static void fill(struct queue *ring)
{
    for (uint32_t i = 0; i < ring->front->queue_count; i++) {
        struct queue *q = &ring->front->queue[i];
        struct shadow_entry *entry;
        while (is_asked_at(q, ring) && front_ring_free(&ring->ring.half) > 0 &&
               (entry = first_waiting(q)) != NULL)
            put(ring, q, entry);
    }
}

bool queue_waits(struct queue *ring)
{
    bool any = false;
    for (uint32_t i = 0; i < ring->front->queue_count; i++) {
        struct queue *q = &ring->front->queue[i];
        any |= is_asked_at(q, ring) && first_waiting(q) != NULL;
    }
    return any;
}

/* Where it goes: mostly where others do, too. */
static void choose_place(struct ask *ask, uint64_t count)
{
    const struct front *f = ask->queue->front;
    bool far = world_pick(f->world, 3) == 0 || count > 2 * SIM_CACHE_SECTORS;
    uint64_t range = far ? f->told.sectors : 2 * SIM_CACHE_SECTORS;
    ask->entry->sector_count = count;
    ask->entry->sector = world_pick(f->world, (uint32_t)(range - count + 1));
}

/* Mostly as the logical block wants it. */
static bool is_to_be_aligned(const struct front *f)
{
    return f->told.block_sectors > 1 && world_pick(f->world, 16) > 0;
}

static void align(const struct front *f, uint64_t *sector)
{
    *sector -= *sector % f->told.block_sectors;
}

static bool choose_data(struct ask *ask)
{
    struct front *f = ask->queue->front;
    bool aligned = is_to_be_aligned(f);
    bool may = f->told.indirect > 0 &&
               (ask->entry->operation == BLKIF_OP_READ || ask->entry->operation == BLKIF_OP_WRITE);
    ask->is_indirect = may && world_pick(f->world, 4) == 0;
    uint64_t count = data_choose(ask, f->told.sectors, aligned);
    if (count == 0) {
        ask->is_indirect = false;
        return false;
    }
    choose_place(ask, count);
    if (aligned)
        align(f, &ask->entry->sector);
    return true;
}

static void begin_change(struct ask *ask, uint64_t first, uint64_t end, uint64_t number)
{
    ask->change = (struct oracle_change){.first = first, .end = end, .number = number};
    oracle_begin_change(&ask->queue->front->world->oracle, &ask->change);
}

static void begin_read(struct ask *ask)
{
    const struct shadow_entry *entry = ask->entry;
    ask->was = malloc(entry->sector_count * sizeof(*ask->was));
    if (ask->was == NULL)
        abort();
    ask->read = (struct oracle_read){
        .first = entry->sector, .end = entry->sector + entry->sector_count, .was = ask->was};
    oracle_begin_read(&ask->queue->front->world->oracle, &ask->read);
}

static void choose_discard(struct ask *ask)
{
    const struct front *f = ask->queue->front;
    choose_place(ask, f->told.block_sectors + world_pick(f->world, SIM_DISCARD_SECTORS_MAX));
    if (!is_to_be_aligned(f))
        return;
    align(f, &ask->entry->sector);
    align(f, &ask->entry->sector_count);
}

/* Whole blocks of the disk's. */
static void discarded(const struct ask *ask, uint64_t *first, uint64_t *end)
{
    uint64_t block = ask->queue->front->world->block_size_bytes / BLOCK_SECTOR_BYTES;
    *first = (ask->entry->sector + block - 1) / block * block;
    *end = (ask->entry->sector + ask->entry->sector_count) / block * block;
}

static uint8_t choose_operation(const struct queue *q)
{
    static const uint8_t operations[] = {
        BLKIF_OP_READ,         BLKIF_OP_READ,    BLKIF_OP_READ,
        BLKIF_OP_READ,         BLKIF_OP_READ,    BLKIF_OP_READ,
        BLKIF_OP_READ,         BLKIF_OP_WRITE,   BLKIF_OP_WRITE,
        BLKIF_OP_WRITE,        BLKIF_OP_WRITE,   BLKIF_OP_WRITE,
        BLKIF_OP_WRITE,        BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE,
        BLKIF_OP_WRITE_BARRIER};
    return operations[world_pick(q->front->world, 16)];
}

/* A new request, as the oracle is to know it. False: it has no pages for that now. */
static bool choose(struct queue *q, struct shadow_entry *entry)
{
    struct world *w = q->front->world;
    struct ask *ask = ask_of(q, entry);
    *ask = (struct ask){.queue = q, .entry = entry, .ring = RING_NONE};
    entry->operation = choose_operation(q);
    entry->sector = entry->sector_count = 0;
    if (!can_do(&q->front->told, ask))
        entry->operation = BLKIF_OP_READ;
    bool flushes =
        entry->operation == BLKIF_OP_FLUSH_DISKCACHE || entry->operation == BLKIF_OP_WRITE_BARRIER;
    if (entry->operation == BLKIF_OP_DISCARD)
        choose_discard(ask);
    else if ((!flushes || world_pick(w, 2) == 0) && !choose_data(ask))
        return false;
    uint64_t first = entry->sector, end = first + entry->sector_count;
    if (entry->operation == BLKIF_OP_DISCARD)
        discarded(ask, &first, &end);
    if (order_is_change(ask) && !oracle_has_room(&w->oracle, first, end)) {
        data_release(ask);
        return false;
    }
    order_begin(ask);
    if (order_is_change(ask))
        begin_change(ask, first, end, order_is_write(ask) ? w->next_number++ : ORACLE_ZEROS);
    else if (entry->operation == BLKIF_OP_READ)
        begin_read(ask);
    return true;
}

static void release(struct ask *ask)
{
    order_release(ask);
    data_release(ask);
    free(ask->was);
    ask->was = NULL;
}

void queue_submit(struct queue *q)
{
    for (uint32_t count = 1 + world_pick(q->front->world, 12); count > 0; count--) {
        struct shadow_entry *entry = shadow_take(&q->shadow);
        if (entry == NULL)
            break;
        if (!choose(q, entry)) {
            shadow_put(&q->shadow, entry);
            break;
        }
        q->front->asked++;
    }
    fill(q);
    if (world_pick(q->front->world, 4) != 0) /* else several submits share a push */
        queue_push(q);
}

static void judge_read(struct ask *ask, bool succeeded)
{
    struct front *f = ask->queue->front;
    uint8_t *bytes = malloc(ask->entry->sector_count * BLOCK_SECTOR_BYTES);
    if (bytes == NULL)
        abort();
    data_gather(ask, bytes);
    uint64_t wrong = oracle_end_read(&f->world->oracle, &ask->read, succeeded ? bytes : NULL);
    free(bytes);
    if (wrong != UINT64_MAX)
        world_fail(f->world, "domain %u: wrong data in sector %llu", f->domid,
                   (unsigned long long)wrong);
}

/* What an answer says is what the oracle allows. */
static void judge(struct ask *ask, bool succeeded)
{
    struct world *w = ask->queue->front->world;
    order_judge(ask, succeeded);
    w->indirect += ask->is_indirect;
    w->barriers += ask->entry->operation == BLKIF_OP_WRITE_BARRIER;
    if (ask->entry->operation == BLKIF_OP_READ)
        judge_read(ask, succeeded);
    if (!order_is_change(ask))
        return;
    oracle_end_change(&w->oracle, &ask->change, succeeded);
    w->changes_answered = w->disk.disk->clock;
}

/* Of which queue the answer is. */
static struct queue *whose(const struct queue *ring, uint64_t id, struct shadow_entry **out)
{
    for (uint32_t i = 0; i < ring->front->queue_count; i++) {
        struct queue *q = &ring->front->queue[i];
        *out = shadow_find(&q->shadow, id);
        if (*out != NULL)
            return ask_of(q, *out)->ring == (int)ring->index ? q : NULL;
    }
    return NULL;
}

/* May it have failed, or succeeded? What is asked once more may be too much for this Dom0. */
static void judge_status(const struct ask *ask, int16_t status)
{
    struct queue *q = ask->queue;
    const struct shadow_entry *entry = ask->entry;
    struct world *w = q->front->world;
    bool repeated = ask->repeated;
    bool can = can_do(&w->can, ask);
    bool told = can_do(&q->front->told, ask);
    if (status == BLKIF_RSP_OKAY && !can)
        world_fail(w, "domain %u: operation %u is answered, and the disk can't do it",
                   q->front->domid, entry->operation);
    if (status == BLKIF_RSP_EOPNOTSUPP && can)
        world_fail(w, "domain %u: operation %u is unknown, and the disk can do it", q->front->domid,
                   entry->operation);
    if (status != BLKIF_RSP_OKAY && (can ? w->disk_errors == 0 : !repeated && told))
        world_fail(w, "domain %u: error %d to %s %u of %llu + %llu in %u segments, and %s",
                   q->front->domid, status, ask->is_indirect ? "indirect" : "direct",
                   entry->operation, (unsigned long long)entry->sector,
                   (unsigned long long)entry->sector_count, ask->segment_count,
                   can ? "the disk had none" : "Dom0 had said that it could");
}

void queue_reap(struct queue *ring)
{
    struct blkif_response rsp;
    struct front *f = ring->front;
    int rc;
    while ((rc = blkif_take_response(&ring->ring, &rsp)) > 0) {
        struct shadow_entry *entry;
        struct queue *q = whose(ring, rsp.id, &entry);
        if (q == NULL || rsp.operation != entry->operation) {
            world_fail(f->world, "domain %u: an answer to nothing: id %llx", f->domid,
                       (unsigned long long)rsp.id);
            return;
        }
        judge(ask_of(q, entry), rsp.status == BLKIF_RSP_OKAY);
        judge_status(ask_of(q, entry), rsp.status);
        release(ask_of(q, entry));
        shadow_put(&q->shadow, entry);
        ring->on_ring--;
        f->answered++;
        f->failed += rsp.status != BLKIF_RSP_OKAY;
    }
    if (rc < 0)
        world_fail(f->world, "domain %u: Dom0's index makes no sense", f->domid);
    if (f->phase == FRONT_CONNECTED && queue_waits(ring)) {
        fill(ring);
        queue_push(ring);
    }
}

/* Whatever Dom0 has begun for it ends as it may: nobody hears of that. */
void queue_forget(struct queue *q)
{
    struct oracle *oracle = &q->front->world->oracle;
    struct shadow_entry *entry = NULL;
    while ((entry = shadow_next(&q->shadow, entry == NULL ? 0 : entry->sequence)) != NULL) {
        struct ask *ask = ask_of(q, entry);
        if (order_is_change(ask))
            oracle_end_change(oracle, &ask->change, false);
        else if (entry->operation == BLKIF_OP_READ)
            (void)oracle_end_read(oracle, &ask->read, NULL);
        release(ask);
    }
}

void queue_unask(struct queue *q)
{
    struct shadow_entry *entry = NULL;
    q->on_ring = 0;
    while ((entry = shadow_next(&q->shadow, entry == NULL ? 0 : entry->sequence)) != NULL) {
        order_unask(ask_of(q, entry));
        ask_of(q, entry)->repeated = true;
    }
}

/* What was asked for in a former life is asked again, in the old order. */
void queue_repeat(struct queue *q)
{
    fill(q);
    if (world_pick(q->front->world, 2) == 0)
        queue_push(q); /* also before Dom0 has connected */
}
