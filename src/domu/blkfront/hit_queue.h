/* SPDX-License-Identifier: MIT */
/*
 * hit_queue: asynchronous reads that the shared cache has served at once, from their submission
 * until they are reaped. Those are calls of one thread at a time, so the queue is that thread's own
 * and needs no lock.
 *
 * When hits were finished is told by the clock reading that their thread takes next, to submit
 * other requests or to reap: one reading for each call instead of two for each hit. The data were
 * there before that, and nobody could know earlier.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_HIT_QUEUE_H
#define SPLITDOM_DOMU_BLKFRONT_HIT_QUEUE_H

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "splitdom/blkfront.h"

struct hit_queue {
    struct blkfront_completion *done; /* a circular queue of depth */
    uint32_t depth, head, count;
    uint32_t open; /* so many, the last ones: their completed_ns is to be told */
};

/* -ENOMEM. */
static inline int hit_queue_init(struct hit_queue *queue, uint32_t depth)
{
    *queue = (struct hit_queue){.done = calloc(depth, sizeof(*queue->done)), .depth = depth};
    return queue->done != NULL ? 0 : -ENOMEM;
}

/* Accepts one that was never made. */
static inline void hit_queue_fini(struct hit_queue *queue)
{
    free(queue->done);
    queue->done = NULL;
}

static inline struct blkfront_completion *hit_queue_at(const struct hit_queue *queue,
                                                       uint32_t index)
{
    uint32_t slot = queue->head + index;
    return &queue->done[slot < queue->depth ? slot : slot - queue->depth];
}

/* The clock shows now_ns. */
static inline void hit_queue_tell(struct hit_queue *queue, uint64_t now_ns)
{
    for (; queue->open > 0; queue->open--)
        hit_queue_at(queue, queue->count - queue->open)->completed_ns = now_ns;
}

/* There is room for it. */
static inline void hit_queue_add(struct hit_queue *queue, const struct blkfront_io *io,
                                 uint64_t submitted_ns)
{
    assert(queue->count < queue->depth);
    struct blkfront_completion *hit = hit_queue_at(queue, queue->count);
    hit->sector = io->sector;
    hit->sector_count = io->sector_count;
    hit->operation = io->operation;
    hit->status = 0;
    hit->buffer = io->buffer;
    hit->cookie = io->cookie;
    hit->submitted_ns = submitted_ns;
    queue->count++;
    queue->open++;
}

/* The one that was finished first; NULL: there is none. */
static inline const struct blkfront_completion *hit_queue_first(const struct hit_queue *queue)
{
    return queue->count > 0 ? hit_queue_at(queue, 0) : NULL;
}

/* The first one leaves; its time has been told. */
static inline void hit_queue_drop_first(struct hit_queue *queue)
{
    assert(queue->count > queue->open);
    queue->head = queue->head + 1 < queue->depth ? queue->head + 1 : 0;
    queue->count--;
}

/* The first ones leave, max at most; their times have been told. Returns how many. */
static inline uint32_t hit_queue_take(struct hit_queue *queue, struct blkfront_completion *out,
                                      uint32_t max)
{
    uint32_t count = queue->count < max ? queue->count : max;
    uint32_t straight = queue->depth - queue->head;
    if (count == 0) /* out may be NULL */
        return 0;
    if (straight > count)
        straight = count;
    assert(count <= queue->count - queue->open);
    memcpy(out, &queue->done[queue->head], straight * sizeof(*out));
    memcpy(out + straight, queue->done, (count - straight) * sizeof(*out));
    queue->head = straight < count || queue->head + count == queue->depth ? count - straight
                                                                          : queue->head + count;
    queue->count -= count;
    return count;
}

#endif
