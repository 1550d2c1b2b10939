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

void queue_put(struct queue *q, struct shadow_entry *entry)
{
    struct ask *ask = ask_of(q, entry);
    uint64_t id = entry->id;
    if (entry->operation == BLKIF_OP_DISCARD) {
        blkif_put_discard(&q->ring,
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
    blkif_put_request(&q->ring, &req);
}

static void choose_span(struct queue *q, struct shadow_entry *entry, uint32_t sectors_max)
{
    uint32_t count = 1 + world_pick(q->front->world, sectors_max);
    uint32_t range =
        world_pick(q->front->world, 3) == 0 ? SIM_IMAGE_SECTORS : 2 * SIM_CACHE_SECTORS;
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
    entry->operation = operations[world_pick(w, 8)];
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
        queue_put(q, entry);
        q->front->asked++;
    }
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

void queue_reap(struct queue *q)
{
    struct blkif_response rsp;
    int rc;
    while ((rc = blkif_take_response(&q->ring, &rsp)) > 0) {
        struct shadow_entry *entry = shadow_find(&q->shadow, rsp.id);
        if (entry == NULL || rsp.operation != entry->operation) {
            world_fail(q->front->world, "domain %u: an answer to nothing: id %llx", q->front->domid,
                       (unsigned long long)rsp.id);
            return;
        }
        judge(q, entry, rsp.status == BLKIF_RSP_OKAY);
        if (rsp.status != BLKIF_RSP_OKAY && q->front->world->disk_errors == 0)
            world_fail(q->front->world, "domain %u: error %d, and the disk had none",
                       q->front->domid, rsp.status);
        shadow_put(&q->shadow, entry);
        q->front->answered++;
        q->front->failed += rsp.status != BLKIF_RSP_OKAY;
    }
    if (rc < 0)
        world_fail(q->front->world, "domain %u: Dom0's index makes no sense", q->front->domid);
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

/* What was asked for in a former life is asked again, in the old order. */
void queue_repeat(struct queue *q)
{
    struct shadow_entry *entry = NULL;
    while ((entry = shadow_next(&q->shadow, entry == NULL ? 0 : entry->sequence)) != NULL)
        queue_put(q, entry);
    if (world_pick(q->front->world, 2) == 0)
        queue_push(q); /* also before Dom0 has connected */
}
