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
#include "ring/evtchn.h"

void blkfront_abandon(struct blkfront *bf, struct shadow_entry *entry, struct wake_batch *wakes)
{
    entry->waiter = NULL;
    entry->transfer = NULL;
    entry->buffer = NULL;
    if (list_is_linked(&entry->backlog)) { /* never asked */
        list_remove(&entry->backlog);
    } else if (entry->is_held) { /* answered already */
        heap_remove(&bf->held, &entry->held);
        entry->is_held = false;
    } else {
        entry->abandoned = true;
        return;
    }
    shadow_put(&bf->shadow, entry);
    blkfront_nudge(bf, false, wakes); /* an entry is free */
    if (bf->leader) /* it may be one who waits for that, and no response will come to wake it */
        evtchn_raise_upcall(bf->shared_info, bf->vcpu);
    transfer_ask(bf);
}

static bool is_to_cancel(const struct shadow_entry *entry, const void *cookie)
{
    return entry->pending && !entry->abandoned && entry->waiter == NULL &&
           entry->transfer == NULL && entry->cookie == cookie;
}

static int cancel_entries(struct blkfront *bf, const void *cookie, uint64_t now_ns,
                          struct wake_batch *wakes)
{
    int count = 0;
    for (uint32_t i = 0; i < bf->shadow.nr_entries && bf->async_pending > 0; i++) {
        struct shadow_entry *entry = &bf->shadow.entry[i];
        if (!is_to_cancel(entry, cookie))
            continue;
        blkfront_finish_entry(bf, entry, -ECANCELED, now_ns);
        blkfront_abandon(bf, entry, wakes);
        count++;
    }
    return count;
}

static int cancel_transfers(struct blkfront *bf, const void *cookie, uint64_t now_ns,
                            struct wake_batch *wakes)
{
    int count = 0;
    for (uint32_t i = 0; i < bf->depth && bf->async_pending > 0; i++) {
        struct transfer *transfer = &bf->transfers[i];
        if (!transfer->pending || transfer->io.cookie != cookie)
            continue;
        transfer_finish_async(bf, transfer, -ECANCELED, now_ns);
        transfer_abandon(bf, transfer, wakes);
        count++;
    }
    return count;
}

int blkfront_cancel(struct blkfront *bf, void *cookie)
{
    struct wake_batch wakes;
    wakes.count = 0;
    uint64_t now_ns = blkfront_now_ns(bf);
    pthread_mutex_lock(&bf->lock);
    int rc = bf->failed;
    (void)blkfront_reap_ring(bf, &wakes); /* what is answered is not cancelled any more */
    int count = cancel_entries(bf, cookie, now_ns, &wakes);
    count += cancel_transfers(bf, cookie, now_ns, &wakes);
    blkfront_unlock(bf, &wakes);
    return rc < 0 ? rc : count;
}
