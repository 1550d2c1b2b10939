/* SPDX-License-Identifier: MIT */
/* queue: one ring of a front end: what it asks for there, and what it is answered. */
#include <string.h>

#include "ring/gnttab.h"
#include "world.h"

/* The rings of all queues come first, then the data pages of all. */
static uint32_t data_number(const struct queue *q, const struct shadow_entry *entry)
{
    const struct front *f = q->front;
    return f->queue_count * front_ring_pages(f) + q->index * blkif_ring_entries(f->page_order) +
           shadow_index(&q->shadow, entry);
}

static grant_ref_t data_ref(const struct queue *q, const struct shadow_entry *entry)
{
    return SIM_FIRST_REF + data_number(q, entry);
}

static uint8_t *data_page(struct queue *q, const struct shadow_entry *entry)
{
    const struct segment *segment = &q->front->segment;
    return segment_page(segment, segment->free_pfn + data_number(q, entry));
}

static struct ask *ask_of(struct queue *q, const struct shadow_entry *entry)
{
    return &q->ask[shadow_index(&q->shadow, entry)];
}

static bool is_change(const struct shadow_entry *entry)
{
    return entry->operation == BLKIF_OP_WRITE || entry->operation == BLKIF_OP_DISCARD;
}

void queue_push(struct queue *q)
{
    if (front_ring_push(&q->ring.half))
        q->front->doorbell = true;
}

/* On the ring of a queue, which may be another one than the entry's own. */
static void put(struct queue *ring, struct queue *q, struct shadow_entry *entry)
{
    struct ask *ask = ask_of(q, entry);
    uint64_t id = entry->id;
    ask->ring = (int)ring->index;
    ring->on_ring++;
    if (entry->operation == BLKIF_OP_DISCARD) {
        blkif_put_discard(&ring->ring,
                          &(struct blkif_request_discard){.operation = BLKIF_OP_DISCARD,
                                                          .id = id,
                                                          .sector_number = entry->sector,
                                                          .nr_sectors = entry->sector_count});
        return;
    }
    struct blkif_request req = {
        .operation = entry->operation, .id = id, .sector_number = entry->sector};
    if (entry->operation == BLKIF_OP_FLUSH_DISKCACHE) {
        ask->answered = q->front->world->changes_answered;
    } else {
        req.nr_segments = 1;
        req.seg[0].gref = data_ref(q, entry);
        req.seg[0].last_sect = (uint8_t)(entry->sector_count - 1);
        memset(data_page(q, entry), 0xaa, XEN_PAGE_SIZE);
    }
    if (entry->operation == BLKIF_OP_WRITE)
        oracle_fill(data_page(q, entry), ask->change.number, entry->sector, entry->sector_count);
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

bool can_do(const struct abilities *can, uint8_t operation, uint64_t sector, uint64_t sector_count)
{
    if (sector + sector_count > can->sectors)
        return false;
    switch (operation) {
    case BLKIF_OP_WRITE:
        return can->writable;
    case BLKIF_OP_DISCARD:
        return can->discard;
    case BLKIF_OP_FLUSH_DISKCACHE:
        return can->flush;
    default:
        return true;
    }
}

static void choose_span(struct queue *q, struct shadow_entry *entry, uint32_t sectors_max)
{
    uint32_t count = 1 + world_pick(q->front->world, sectors_max);
    uint32_t range = world_pick(q->front->world, 3) == 0 ? (uint32_t)q->front->told.sectors
                                                         : 2 * SIM_CACHE_SECTORS;
    entry->sector_count = count;
    entry->sector = world_pick(q->front->world, range - count + 1);
}

/* A new request, as the oracle is to know it. */
static void choose(struct queue *q, struct shadow_entry *entry)
{
    static const uint8_t operations[] = {BLKIF_OP_READ,    BLKIF_OP_READ,           BLKIF_OP_READ,
                                         BLKIF_OP_READ,    BLKIF_OP_WRITE,          BLKIF_OP_WRITE,
                                         BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE};
    struct world *w = q->front->world;
    struct ask *ask = ask_of(q, entry);
    uint64_t block_sectors = w->block_size_bytes / BLOCK_SECTOR_BYTES;
    ask->ring = RING_NONE;
    ask->repeated = false;
    entry->operation = operations[world_pick(w, 8)];
    if (!can_do(&q->front->told, entry->operation, 0, 0))
        entry->operation = BLKIF_OP_READ;
    entry->sector = entry->sector_count = 0;
    switch (entry->operation) {
    case BLKIF_OP_READ:
        choose_span(q, entry, SIM_SECTORS_MAX);
        ask->read = (struct oracle_read){
            .first = entry->sector, .end = entry->sector + entry->sector_count, .was = ask->was};
        oracle_begin_read(&w->oracle, &ask->read);
        break;
    case BLKIF_OP_WRITE:
        choose_span(q, entry, SIM_SECTORS_MAX);
        ask->change = (struct oracle_change){.first = entry->sector,
                                             .end = entry->sector + entry->sector_count,
                                             .number = w->next_number++};
        oracle_begin_change(&w->oracle, &ask->change);
        break;
    case BLKIF_OP_DISCARD: /* whole blocks */
        choose_span(q, entry, SIM_DISCARD_SECTORS_MAX);
        ask->change = (struct oracle_change){
            .first = (entry->sector + block_sectors - 1) / block_sectors * block_sectors,
            .end = (entry->sector + entry->sector_count) / block_sectors * block_sectors,
            .number = ORACLE_ZEROS};
        oracle_begin_change(&w->oracle, &ask->change);
        break;
    default:
        break;
    }
}

void queue_submit(struct queue *q)
{
    for (uint32_t count = 1 + world_pick(q->front->world, 12); count > 0; count--) {
        struct shadow_entry *entry = shadow_take(&q->shadow);
        if (entry == NULL)
            break;
        choose(q, entry);
        q->front->asked++;
    }
    fill(q);
    if (world_pick(q->front->world, 4) != 0) /* else several submits share a push */
        queue_push(q);
}

/* What an answer says is what the oracle allows. */
static void judge(struct queue *q, const struct shadow_entry *entry, bool succeeded)
{
    struct world *w = q->front->world;
    struct ask *ask = ask_of(q, entry);
    if (is_change(entry)) {
        oracle_end_change(&w->oracle, &ask->change, succeeded);
        w->changes_answered = w->disk.disk->clock;
    } else if (entry->operation == BLKIF_OP_READ) {
        uint64_t wrong =
            oracle_end_read(&w->oracle, &ask->read, succeeded ? data_page(q, entry) : NULL);
        if (wrong != UINT64_MAX)
            world_fail(w, "domain %u: wrong data in sector %llu", q->front->domid,
                       (unsigned long long)wrong);
    } else if (succeeded && w->disk.disk->flush_covered <= ask->answered) {
        world_fail(w, "domain %u: a flush is answered and the disk was not told", q->front->domid);
    }
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
static void judge_status(struct queue *q, const struct shadow_entry *entry, int16_t status)
{
    struct world *w = q->front->world;
    bool repeated = ask_of(q, entry)->repeated;
    bool can = can_do(&w->can, entry->operation, entry->sector, entry->sector_count);
    bool told = can_do(&q->front->told, entry->operation, entry->sector, entry->sector_count);
    if (status == BLKIF_RSP_OKAY && !can)
        world_fail(w, "domain %u: operation %u is answered, and the disk can't do it",
                   q->front->domid, entry->operation);
    if (status == BLKIF_RSP_EOPNOTSUPP && can)
        world_fail(w, "domain %u: operation %u is unknown, and the disk can do it", q->front->domid,
                   entry->operation);
    if (status != BLKIF_RSP_OKAY && (can ? w->disk_errors == 0 : !repeated && told))
        world_fail(w, "domain %u: error %d, and %s", q->front->domid, status,
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
        judge(q, entry, rsp.status == BLKIF_RSP_OKAY);
        judge_status(q, entry, rsp.status);
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
        if (is_change(entry))
            oracle_end_change(oracle, &ask->change, false);
        else if (entry->operation == BLKIF_OP_READ)
            (void)oracle_end_read(oracle, &ask->read, NULL);
    }
}

void queue_unask(struct queue *q)
{
    struct shadow_entry *entry = NULL;
    q->on_ring = 0;
    while ((entry = shadow_next(&q->shadow, entry == NULL ? 0 : entry->sequence)) != NULL) {
        ask_of(q, entry)->ring = RING_NONE;
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
