/* SPDX-License-Identifier: MIT */
#include "service/block/disk_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "service/block/disk_queue_parts.h"

enum {
    /* A device that works serially idles while a long plug of submissions is prepared: hand reads
     * over in small chunks. What is left of a chunk goes with the poller's next run: mostly the one
     * that sleeps, so that submitting and waiting are one system call. */
    KICK_CHUNK = 2,
    /* Cost of a read in turns: one, plus one for every further 16 KiB (the device's transfer time).
     */
    COST_SECTORS = 32,
};

/* The widest span that a request can need: its sectors and a block's rest at either end. The image
 * may be smaller now, and grow. */
static size_t buffer_bytes(const struct image *image)
{
    size_t bytes =
        BLKIF_SECTORS_MAX * (size_t)BLKIF_SECTOR_SIZE + 2 * (size_t)image->block_size_bytes;
    return (bytes + XEN_PAGE_SIZE - 1) & ~(size_t)(XEN_PAGE_SIZE - 1);
}

static int create_reads(struct disk_queue *q, uint32_t depth, size_t each_bytes)
{
    q->pool = NULL;
    int rc = posix_memalign(&q->pool, XEN_PAGE_SIZE, each_bytes * depth);
    if (rc != 0)
        return -rc;
    q->reads = calloc(depth, sizeof(*q->reads));
    if (q->reads == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < depth; i++) {
        struct disk_read *read = &q->reads[i];
        read->queue = q;
        read->buffer = (uint8_t *)q->pool + i * each_bytes;
        read->next_free = q->free_reads;
        q->free_reads = read;
    }
    return 0;
}

int disk_queue_create(const struct disk_queue_config *config, pending_done_fn *done,
                      struct disk_queue **out, char *why, size_t why_bytes)
{
    *out = NULL;
    struct disk_queue *q = calloc(1, sizeof(*q));
    if (q == NULL) {
        snprintf(why, why_bytes, "out of memory for the disk queue");
        return -ENOMEM;
    }
    q->image = config->image;
    q->done = done;
    q->depth = config->depth;
    q->real_time = config->real_time;
    sched_init(&q->sched, config->depth, config->depth_isolated);
    uint64_t secret = 0;
    if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
        secret = (uint64_t)(uintptr_t)q; /* a guessable key only makes buckets less even */
    inflight_init(&q->inflight, secret);

    size_t each_bytes = buffer_bytes(config->image);
    int rc = create_reads(q, config->depth, each_bytes);
    if (rc == 0)
        rc = cache_create(config->cache_bytes, config->policy, &q->cache);
    if (rc < 0) {
        snprintf(why, why_bytes, "out of memory for %u read buffers and a cache of %zu bytes",
                 config->depth, config->cache_bytes);
        disk_queue_destroy(q);
        return rc;
    }
    struct disk_config disk = {.poller = config->poller,
                               .image = config->image,
                               .pool = q->pool,
                               .pool_bytes = each_bytes * config->depth,
                               .depth = config->depth,
                               .model = config->model,
                               .clock = config->model_clock};
    rc = config->engine->create(&disk, &q->disk, why, why_bytes);
    if (rc < 0) {
        disk_queue_destroy(q);
        return rc;
    }
    *out = q;
    return 0;
}

void disk_queue_destroy(struct disk_queue *q)
{
    if (q == NULL)
        return;
    if (q->disk != NULL)
        q->disk->ops->destroy(q->disk);
    cache_destroy(q->cache);
    free(q->reads);
    free(q->pool);
    free(q);
}

static struct disk_read *read_of_flight(struct inflight_read *flight)
{
    return (struct disk_read *)((uint8_t *)flight - offsetof(struct disk_read, flight));
}

/* Requests are checked when they arrive, but the image may have shrunk while they waited. */
static bool still_on_disk(const struct disk_queue *q, const struct pending *p)
{
    uint64_t sectors = q->image->size_bytes / BLKIF_SECTOR_SIZE;
    return p->sector_count <= sectors && p->sector <= sectors - p->sector_count;
}

static void wait_for_read(struct disk_queue *q, struct pending *p, struct disk_read *read)
{
    p->state = PENDING_READING;
    p->read = read;
    /* Also where it is not scaled: it can be by the time that the read ends. */
    p->sent_ns = q->real_time != NULL ? tdf_clock_now_ns(q->real_time->clock) : 0;
    pending_list_append(&read->waiting, p);
}

/* Hangs p onto a read in flight that covers its sectors. */
static bool join_read(struct disk_queue *q, struct pending *p)
{
    uint64_t offset;
    uint32_t bytes;
    image_read_span(q->image, p->sector, p->sector_count, &offset, &bytes);
    struct inflight_read *flight =
        inflight_find(&q->inflight, offset / BLKIF_SECTOR_SIZE, bytes / BLKIF_SECTOR_SIZE);
    if (flight == NULL)
        return false;
    struct disk_read *read = read_of_flight(flight);
    wait_for_read(q, p, read);
    q->stats.shared++;
    return true;
}

void disk_queue_read(struct disk_queue *q, struct disk_client *client, struct pending *p,
                     uint64_t now_ns)
{
    if (disk_queue_serve(q, p)) {
        q->stats.hits++;
        q->done(p, 0);
        return;
    }
    q->stats.misses++;
    p->cache_state = q->cache_state;
    p->client = client;
    if (client->gated.head != NULL || !disk_queue_has_place(q, client)) {
        p->state = PENDING_GATED;
        pending_list_append(&client->gated, p);
        return;
    }
    client->places++;
    if (join_read(q, p))
        return;
    p->state = PENDING_QUEUED;
    p->turn = q->turn;
    pending_list_append(&client->queue, p);
    sched_enqueue(&q->sched, &client->entity, now_ns);
}

static void read_done(struct disk_io *io)
{
    struct disk_read *read = (struct disk_read *)io;
    struct disk_queue *q = read->queue;
    int status = io->status;

    disk_read_prefetch(read);
    q->freed_ns = io->due_ns;
    if (!read->stale)
        inflight_remove(&q->inflight, &read->flight);
    read->under_way = false;
    q->in_flight--;
    if (status < 0)
        q->stats.disk_errors++;
    if (read->client != NULL)
        sched_complete(&q->sched, &read->client->entity, q->now_ns);

    /* done may take new requests in and even cancel others: the list is consumed from its head. */
    struct pending *p;
    while ((p = read->waiting.head) != NULL) {
        pending_list_remove(&read->waiting, p);
        p->read = NULL;
        p->due_ns = io->due_ns;
        if (status == 0) {
            disk_read_copy(read, p);
            if (!read->stale)
                disk_read_keep(read, p);
        }
        disk_queue_answer_scaled(q, p, status);
    }
    read->client = NULL;
    read->next_free = q->free_reads;
    q->free_reads = read;
}

/* When the model is to see p arrive: when it was asked for, or, if it had to wait for its turn,
 * when there was room; whatever the delays with which all this was noticed here. 0: now. */
static uint64_t arrival_ns(const struct disk_queue *q, const struct pending *p)
{
    bool waited = p->turn + 1 != q->turn;
    return p->asked_ns != 0 && waited && q->freed_ns > p->asked_ns ? q->freed_ns : p->asked_ns;
}

static void send_to_disk(struct disk_queue *q, struct disk_client *client, struct pending *p)
{
    struct disk_read *read = q->free_reads;
    q->free_reads = read->next_free;
    image_read_span(q->image, p->sector, p->sector_count, &read->io.offset_bytes,
                    &read->io.length_bytes);
    read->io.buffer = read->buffer;
    read->io.done = read_done;
    read->io.arrival_ns = arrival_ns(q, p);
    read->client = client;
    read->under_way = true;
    read->stale = false;
    read->first_sector = read->io.offset_bytes / BLKIF_SECTOR_SIZE;
    inflight_add(&q->inflight, &read->flight, read->first_sector,
                 read->io.length_bytes / BLKIF_SECTOR_SIZE);
    wait_for_read(q, p, read);

    q->stats.disk_reads++;
    q->stats.disk_bytes += read->io.length_bytes;
    if (++q->in_flight > q->stats.in_flight_peak)
        q->stats.in_flight_peak = q->in_flight;
    q->disk->ops->submit(q->disk, &read->io);
}

static void kick_disk(struct disk_queue *q)
{
    if (q->disk->ops->kick != NULL)
        q->disk->ops->kick(q->disk);
}

static uint32_t cost_of(const struct sched_entity *entity)
{
    const struct disk_client *client = (const struct disk_client *)entity;
    return 1 + client->queue.head->sector_count / COST_SECTORS;
}

uint32_t disk_queue_dispatch(struct disk_queue *q, uint64_t now_ns)
{
    uint32_t sent = 0;
    struct sched_entity *entity;
    q->now_ns = now_ns;
    q->turn++;
    while (q->free_reads != NULL && (entity = sched_pick(&q->sched, now_ns, cost_of)) != NULL) {
        struct disk_client *client = (struct disk_client *)entity;
        struct pending *p = client->queue.head;
        pending_list_remove(&client->queue, p);
        if (!still_on_disk(q, p)) {
            sched_complete(&q->sched, entity, now_ns);
            disk_queue_answer(q, p, -EINVAL);
        } else if (p->cache_state != q->cache_state && disk_queue_serve(q, p)) {
            /* somebody else's read brought it meanwhile */
            sched_complete(&q->sched, entity, now_ns);
            disk_queue_answer(q, p, 0);
        } else if (join_read(q, p)) {
            sched_complete(&q->sched, entity, now_ns);
        } else {
            send_to_disk(q, client, p);
            if (++sent % KICK_CHUNK == 0)
                kick_disk(q);
        }
    }
    return sent;
}

void disk_queue_cancel(struct disk_queue *q, struct disk_client *client, struct pending *p)
{
    if (p->state == PENDING_GATED) {
        pending_list_remove(&client->gated, p);
        p->state = PENDING_FREE;
        return;
    }
    if (p->state == PENDING_QUEUED) {
        pending_list_remove(&client->queue, p);
        sched_cancel(&q->sched, &client->entity);
    } else if (p->state == PENDING_READING) {
        pending_list_remove(&p->read->waiting, p);
        p->read = NULL;
    } else if (p->state == PENDING_HELD) {
        timer_stop(&p->hold);
    }
    client->places--;
    p->state = PENDING_FREE;
    disk_queue_admit(q, client);
}

void disk_client_detach(struct disk_queue *q, struct disk_client *client)
{
    assert(client->queue.head == NULL);
    for (struct disk_read *read = q->reads; client->entity.in_flight != 0; read++) {
        if (read->client == client) {
            read->client = NULL;
            sched_complete(&q->sched, &client->entity, q->now_ns);
        }
    }
    sched_entity_remove(&q->sched, &client->entity);
}

void disk_queue_image_changed(struct disk_queue *q)
{
    cache_clear(q->cache);
    for (uint32_t i = 0; i < q->depth; i++) {
        struct disk_read *read = &q->reads[i];
        if (read->under_way && !read->stale) {
            inflight_remove(&q->inflight, &read->flight);
            read->stale = true;
        }
    }
}

const struct disk_queue_stats *disk_queue_stats(const struct disk_queue *q)
{
    return &q->stats;
}

const struct cache *disk_queue_cache(const struct disk_queue *q)
{
    return q->cache;
}

struct disk *disk_queue_disk(const struct disk_queue *q)
{
    return q->disk;
}

uint32_t disk_queue_in_flight(const struct disk_queue *q)
{
    return q->in_flight;
}
