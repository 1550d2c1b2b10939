/* SPDX-License-Identifier: MIT */
/*
 * Requests for which nobody waits any more. Dom0 cannot be told, and may use the entry's data pages
 * until it has answered: so the entry stays taken until then, and the answer is dropped. The
 * caller's buffer is not affected, because data are copied from there when Dom0 is asked, and to
 * there only for a caller who waits.
 */
#include <errno.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/transfer.h"
#include "domu/cancel_hold.h"
#include "ring/evtchn.h"

void blkfront_abandon(struct blkfront_queue *queue, struct shadow_entry *entry,
                      struct wake_batch *wakes)
{
    if (entry->traced)
        blkfront_trace_drop(queue, entry);
    entry->waiter = NULL;
    entry->transfer = NULL;
    entry->buffer = NULL;
    if (list_is_linked(&entry->backlog)) { /* never asked */
        list_remove(&entry->backlog);
    } else if (entry->is_held) { /* answered already */
        heap_remove(&queue->held, &entry->held);
        entry->is_held = false;
    } else {
        entry->abandoned = true;
        return;
    }
    shadow_put(&queue->shadow, entry);
    blkfront_nudge(queue, false, wakes); /* an entry is free */
    if (queue->leader) /* it may be one who waits for that, and no response will come to wake it */
        evtchn_raise_upcall(queue->bf->shared_info, queue->vcpu);
    transfer_ask(queue);
}

static bool is_to_cancel(const struct shadow_entry *entry, const void *cookie)
{
    return entry->pending && !entry->abandoned && entry->waiter == NULL &&
           entry->transfer == NULL && entry->cookie == cookie;
}

static int cancel_entries(struct blkfront_queue *queue, const void *cookie, uint64_t now_ns,
                          struct wake_batch *wakes)
{
    int count = 0;
    for (uint32_t i = 0; i < queue->shadow.nr_entries && queue->async_pending > 0; i++) {
        struct shadow_entry *entry = &queue->shadow.entry[i];
        if (!is_to_cancel(entry, cookie))
            continue;
        blkfront_finish_entry(queue, entry, -ECANCELED, now_ns);
        blkfront_abandon(queue, entry, wakes);
        count++;
    }
    return count;
}

static int cancel_transfers(struct blkfront_queue *queue, const void *cookie, uint64_t now_ns,
                            struct wake_batch *wakes)
{
    int count = 0;
    for (uint32_t i = 0; i < queue->depth && queue->async_pending > 0; i++) {
        struct transfer *transfer = &queue->transfers[i];
        if (!transfer->pending || transfer->io.cookie != cookie)
            continue;
        transfer_finish_async(queue, transfer, -ECANCELED, now_ns);
        transfer_abandon(queue, transfer, wakes);
        count++;
    }
    return count;
}

int blkfront_cancel(struct blkfront *bf, void *cookie)
{
    CANCEL_HOLD();
    struct blkfront_queue *queue = &bf->queue[0];
    struct wake_batch wakes;
    wakes.count = 0;
    uint64_t now_ns = blkfront_now_ns(queue->bf);
    pthread_mutex_lock(&queue->lock);
    int rc = queue->failed;
    (void)blkfront_reap_ring(queue, &wakes); /* what is answered is not cancelled any more */
    int count = cancel_entries(queue, cookie, now_ns, &wakes);
    count += cancel_transfers(queue, cookie, now_ns, &wakes);
    blkfront_unlock(queue, &wakes);
    return rc < 0 ? rc : count;
}
