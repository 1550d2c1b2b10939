/* SPDX-License-Identifier: MIT */
/*
 * An answer costs one wake-up, not one of who leads and another one.
 *
 * What the others take off the ring for a thread that lies there is finished, but its entry is
 * given back by the thread itself: until Dom0 has woken it, nobody else is to sleep on its word.
 * Dom0 does so, for it has shown the answer after the thread stored ASLEEP, or the thread has seen
 * it.
 *
 * Who waits for a slot of the ring, for an answer that is held back (from an earlier Dom0, too), or
 * for several requests, has no request that Dom0 would answer next: such a thread waits as
 * blkfront_wait.c says.
 *
 * A thread that is alone waits as that says, too: it has nobody else to wake. And many do: then
 * Dom0 is what all of them wait for, and threads that wake each other take none of its time.
 */
#include "domu/blkfront/blkfront_sleep.h"

#include <assert.h>

#include "base/clock.h"
#include "domu/blkfront/transfer.h"
#include "ring/sleeper.h"
#include "trace/trace_probe.h"

enum { LOOK_NS = 1000000000, LIE_MIN = 2, LIE_MAX = 16 };

/* Ids without words need differ among the queues of a disk only. */
void blkfront_take_words(struct blkfront *bf)
{
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        queue->has_words = extents_take(&bf->domu->sleepers, bf->nr_entries, &queue->first_id) == 0;
        if (!queue->has_words)
            queue->first_id = SLEEPERS_MAX + i * bf->nr_entries;
    }
}

void blkfront_give_words(struct blkfront *bf)
{
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        if (queue->has_words)
            extents_give(&bf->domu->sleepers, queue->first_id, bf->nr_entries);
        queue->has_words = false;
    }
}

void blkfront_start_words(struct blkfront_queue *queue)
{
    struct sleepers *sleepers = queue->bf->domu->life.segment.sleepers;
    bool woken = queue->has_words && !queue->stamped && load_relaxed_u32(&sleepers->woken_by_dom0);
    queue->words = woken ? &sleepers->word[queue->first_id] : NULL;
}

bool blkfront_may_lie(const struct blkfront_queue *queue, const struct read_waiter *waiter)
{
    uint32_t in_flight = queue->shadow.nr_entries - queue->shadow.free_count;
    return queue->words != NULL && waiter->entry != NULL && !waiter->entry->is_held &&
           !list_is_linked(&waiter->entry->backlog) && in_flight >= LIE_MIN && in_flight <= LIE_MAX;
}

/* Then the thread looks at its ring unasked: a Dom0 that answers what nobody has asked for wakes
 * nobody, and is to be found out. */
static int64_t rest_ns(const struct read_waiter *waiter)
{
    int64_t left_ns = blkfront_left_ns(waiter);
    return left_ns < 0 || left_ns > LOOK_NS ? LOOK_NS : left_ns;
}

void blkfront_lie(struct blkfront_queue *queue, struct read_waiter *waiter,
                  struct wake_batch *wakes)
{
    uint32_t *word = &queue->words[shadow_index(&queue->shadow, waiter->entry)];
    assert(waiter->entry->pending && !waiter->lies);
    sleeper_lie_down(word);
    if (front_ring_is_answered(&queue->ring.half)) {
        sleeper_rise(word);
        return;
    }
    waiter->lies = true;
    queue->lying++;
    blkfront_unlock(queue, wakes);
    sleeper_sleep(word, rest_ns(waiter));
    uint64_t woken_ns = load_relaxed_u32(&queue->traced) > 0 ? clock_monotonic_ns() : 0;
    TRACE_PROBE(woken, load_relaxed_u32(&queue->bf->domu->domid), 0, 0);
    pthread_mutex_lock(&queue->lock);
    sleeper_rise(word);
    waiter->lies = false;
    queue->lying--;
    queue->woken_ns = woken_ns;
    queue->stats.upcalls++;
    if (!waiter->entry->pending) {
        shadow_free(&queue->shadow, waiter->entry);
        transfer_ask(queue); /* which may wait for an entry */
    }
    if (queue->linking || queue->failed != 0)
        pthread_cond_broadcast(&queue->link_changed);
}

void blkfront_rouse(struct blkfront_queue *queue)
{
    for (uint32_t i = 0; queue->lying > 0 && i < queue->shadow.nr_entries; i++)
        sleeper_rouse(&queue->words[i]);
}
