/* SPDX-License-Identifier: MIT */
/*
 * order: what must be on the disk when something is answered, and in which order that may be.
 *
 *   write      all of its sectors have been written, each at least once since it was asked for
 *   flush      the disk was told to flush after every change had ended that was answered before the
 *              flush was asked for; with data, also after that was written
 *   barrier    the same of all that was put on its ring before it; that is answered before it, and
 *              what was put there later is answered after it
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/container_of.h"
#include "world.h"

bool order_is_write(const struct ask *ask)
{
    return ask->entry->operation != BLKIF_OP_READ && ask->entry->operation != BLKIF_OP_DISCARD &&
           ask->segment_count > 0;
}

bool order_is_change(const struct ask *ask)
{
    return order_is_write(ask) || ask->entry->operation == BLKIF_OP_DISCARD;
}

static bool is_barrier(const struct ask *ask)
{
    return ask->entry->operation == BLKIF_OP_WRITE_BARRIER;
}

void order_begin(struct ask *ask)
{
    if (!order_is_write(ask))
        return;
    ask->ended = calloc(ask->entry->sector_count, sizeof(*ask->ended));
    if (ask->ended == NULL)
        abort();
}

void order_put(struct ask *ask, struct queue *ring)
{
    struct world *w = ring->front->world;
    ask->ring = (int)ring->index;
    ask->number = ++w->asks_put;
    ask->must_be_there = is_barrier(ask) ? w->disk.disk->clock : w->changes_answered;
    ask->ended_at = 0;
    ask->ended_left = ask->ended != NULL ? ask->entry->sector_count : 0;
    for (uint64_t i = 0; i < ask->ended_left; i++)
        ask->ended[i] = false;
    list_push_back(&w->asks, &ask->of_world);
    world_say(w, "domain %u, queue %u: request %llu: operation %u of %llu + %llu%s",
              ring->front->domid, ring->index, (unsigned long long)ask->number,
              ask->entry->operation, (unsigned long long)ask->entry->sector,
              (unsigned long long)ask->entry->sector_count, ask->is_indirect ? ", indirect" : "");
}

void order_unask(struct ask *ask)
{
    if (list_is_linked(&ask->of_world))
        list_remove(&ask->of_world);
    ask->ring = RING_NONE;
}

void order_release(struct ask *ask)
{
    order_unask(ask);
    free(ask->ended);
    ask->ended = NULL;
}

static struct ask *first_ask(const struct world *w)
{
    return container_or_null(list_first(&w->asks), struct ask, of_world);
}

static struct ask *next_ask(const struct world *w, const struct ask *ask)
{
    return container_or_null(list_next(&w->asks, &ask->of_world), struct ask, of_world);
}

/* What lies in the operation's memory there. */
static uint64_t word_at(const struct disk_io *io, uint64_t offset_bytes)
{
    uint64_t word;
    const uint8_t *memory = io->buffer;
    for (uint32_t i = 0; i < io->iov_count; i++) {
        memory = io->iov[i].iov_base;
        if (offset_bytes < io->iov[i].iov_len)
            break;
        offset_bytes -= io->iov[i].iov_len;
    }
    memcpy(&word, memory + offset_bytes, sizeof(word));
    return word;
}

static void note_written(struct ask *ask, const struct disk_io *io, uint64_t now)
{
    uint64_t io_first = io->offset_bytes / BLOCK_SECTOR_BYTES;
    uint64_t io_end = io_first + io->length_bytes / BLOCK_SECTOR_BYTES;
    uint64_t first = ask->change.first > io_first ? ask->change.first : io_first;
    uint64_t end = ask->change.end < io_end ? ask->change.end : io_end;
    for (uint64_t s = first; s < end; s++) {
        bool *ended = &ask->ended[s - ask->change.first];
        if (*ended ||
            word_at(io, (s - io_first) * BLOCK_SECTOR_BYTES) != oracle_word(ask->change.number, s))
            continue;
        *ended = true;
        ask->ended_left--;
        ask->ended_at = now;
    }
}

void order_disk_wrote(void *world, const struct disk_io *io)
{
    struct world *w = world;
    world_say(w, "the disk has written %llu + %u at %llu",
              (unsigned long long)io->offset_bytes / BLOCK_SECTOR_BYTES,
              io->length_bytes / BLOCK_SECTOR_BYTES, (unsigned long long)w->disk.disk->clock);
    for (struct ask *ask = first_ask(w); ask != NULL; ask = next_ask(w, ask))
        if (ask->ended_left > 0)
            note_written(ask, io, w->disk.disk->clock);
}

static void judge_barriers(struct ask *ask, bool succeeded)
{
    struct world *w = ask->queue->front->world;
    for (struct ask *at = first_ask(w); at != NULL; at = next_ask(w, at)) {
        if (at == ask || at->queue->front != ask->queue->front || at->ring != ask->ring)
            continue;
        if (is_barrier(at) && at->number < ask->number)
            world_fail(w, "domain %u: what comes after a barrier is answered before it",
                       ask->queue->front->domid);
        if (is_barrier(ask) && succeeded && at->number < ask->number)
            world_fail(w, "domain %u: a barrier is answered before what comes before it",
                       ask->queue->front->domid);
        /* Of one that failed, others may have written back what they found around their own. */
        if (succeeded && is_barrier(at) && at->number > ask->number &&
            ask->ended_at > at->must_be_there)
            at->must_be_there = ask->ended_at;
    }
}

void order_judge(struct ask *ask, bool succeeded)
{
    struct front *f = ask->queue->front;
    struct world *w = f->world;
    bool flushes = is_barrier(ask) || ask->entry->operation == BLKIF_OP_FLUSH_DISKCACHE;
    uint64_t covered = w->disk.disk->flush_covered;
    world_say(w, "domain %u: request %llu has %s", f->domid, (unsigned long long)ask->number,
              succeeded ? "its answer" : "failed");
    judge_barriers(ask, succeeded);
    if (!succeeded)
        return;
    if (ask->ended_left > 0)
        world_fail(w, "domain %u: a write is answered, and the disk has not had it", f->domid);
    if (flushes && covered <= ask->must_be_there)
        world_fail(w, "domain %u: a flush is answered and the disk was not told", f->domid);
    if (flushes && covered <= ask->ended_at)
        world_fail(w, "domain %u: a flush is answered, and its own data was not flushed", f->domid);
}
