/* SPDX-License-Identifier: MIT */
/*
 * blkfront_ring: requests onto the ring, responses off it, and what a failure of the disk means
 * for both.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/container_of.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/transfer.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/futex.h"

void blkfront_push(struct blkfront *bf)
{
    if (front_ring_push(&bf->ring.half))
        bf->kick_owed = true;
}

void waiter_list_append(struct waiter_list *list, struct read_waiter *waiter)
{
    waiter->next = NULL;
    waiter->prev = list->tail;
    if (list->tail != NULL)
        list->tail->next = waiter;
    else
        list->head = waiter;
    list->tail = waiter;
}

void waiter_list_remove(struct waiter_list *list, struct read_waiter *waiter)
{
    if (waiter->prev != NULL)
        waiter->prev->next = waiter->next;
    else
        list->head = waiter->next;
    if (waiter->next != NULL)
        waiter->next->prev = waiter->prev;
    else
        list->tail = waiter->prev;
}

void blkfront_unlist(struct blkfront *bf, struct read_waiter *waiter)
{
    if (waiter->listed)
        waiter_list_remove(&bf->sleepers, waiter);
    waiter->listed = false;
}

void blkfront_wake(struct wake_batch *wakes)
{
    for (uint32_t i = 0; i < wakes->count; i++)
        (void)futex_wake(wakes->word[i], 1, FUTEX_SCOPE_PRIVATE);
    wakes->count = 0;
}

/* Stores word; if the thread slept, it is to be woken. */
static void set_word(struct read_waiter *waiter, uint32_t word, struct wake_batch *wakes)
{
    uint32_t *address = &waiter->word;
    if (exchange_full_u32(address, word) != WAITER_SLEEPING)
        return;
    if (wakes->count == BLKFRONT_WAKES_MAX)
        blkfront_wake(wakes);
    wakes->word[wakes->count++] = address;
}

void blkfront_nudge(struct blkfront *bf, bool all, struct wake_batch *wakes)
{
    for (struct read_waiter *waiter = bf->sleepers.head; waiter != NULL; waiter = waiter->next) {
        if (all || waiter->any)
            set_word(waiter, WAITER_AWAKE, wakes);
    }
}

/* One that sleeps is woken by blkfront_unlock, in turn; until then its word stays SLEEPING, so that
 * it cannot leave by itself and take its place on the list with it. */
void blkfront_finish_waiter(struct blkfront *bf, struct read_waiter *waiter, int status)
{
    blkfront_unlist(bf, waiter);
    waiter->status = status;
    if (load_relaxed_u32(&waiter->word) == WAITER_SLEEPING)
        waiter_list_append(&bf->answered, waiter);
    else
        store_release_u32(&waiter->word, WAITER_DONE);
}

static int32_t errno_of(int16_t status)
{
    switch (status) {
    case BLKIF_RSP_OKAY:
        return 0;
    case BLKIF_RSP_EOPNOTSUPP:
        return -EOPNOTSUPP;
    default:
        return -EIO;
    }
}

void blkfront_finish_async(struct blkfront *bf, const struct blkfront_completion *done)
{
    /* Pairs with blkfront_submit_io, which admits no more than done[] has room for. */
    assert(bf->async_pending > 0 && bf->done_count < bf->depth);
    uint32_t slot = (bf->done_head + bf->done_count) % bf->depth;
    bf->done[slot] = *done;
    if (done->completed_ns < done->submitted_ns) /* Dom0's stamp says so; no latency is negative */
        bf->done[slot].completed_ns = done->submitted_ns;
    bf->done_count++;
    bf->async_pending--;
}

void blkfront_finish_entry(struct blkfront *bf, const struct shadow_entry *entry, int32_t status,
                           uint64_t completed_ns)
{
    blkfront_finish_async(bf, &(struct blkfront_completion){.sector = entry->sector,
                                                            .sector_count = entry->sector_count,
                                                            .operation = entry->operation,
                                                            .status = status,
                                                            .buffer = entry->buffer,
                                                            .cookie = entry->cookie,
                                                            .submitted_ns = entry->submitted_ns,
                                                            .completed_ns = completed_ns});
}

static void finish(struct blkfront *bf, struct shadow_entry *entry, int32_t status,
                   uint64_t completed_ns)
{
    shadow_put(&bf->shadow, entry);
    if (entry->waiter != NULL)
        blkfront_finish_waiter(bf, entry->waiter, status);
    else if (entry->transfer != NULL)
        transfer_part_done(bf, entry->transfer, status, completed_ns);
    else if (!entry->abandoned)
        blkfront_finish_entry(bf, entry, status, completed_ns);
}

/* Takes the first entry that is held back off the heap. */
static struct shadow_entry *unhold(struct blkfront *bf, struct heap_node *node)
{
    struct shadow_entry *entry = container_of(node, struct shadow_entry, held);
    heap_remove(&bf->held, node);
    entry->is_held = false;
    return entry;
}

/* Delivers answers that were held back: those that are due by now_ns. Returns how many. */
static uint32_t deliver(struct blkfront *bf, uint64_t now_ns)
{
    struct heap_node *node;
    uint32_t count = 0;
    while ((node = heap_first(&bf->held)) != NULL && node->key <= now_ns) {
        struct shadow_entry *entry = unhold(bf, node);
        finish(bf, entry, entry->status, node->key);
        count++;
    }
    return count;
}

/* One reading for all answers that are taken off together: they were all there when the first was
 * taken, and the next requests wait for the lock. */
static uint64_t batch_now_ns(struct blkfront *bf)
{
    if (bf->batch_ns == 0)
        bf->batch_ns = blkfront_now_ns(bf);
    return bf->batch_ns;
}

/* Delivers an answer at its stamp: now, if our clock has reached that. */
static void finish_stamped(struct blkfront *bf, struct shadow_entry *entry, int32_t status)
{
    uint64_t stamp_ns = bf->stamped ? blkif_take_response_stamp(&bf->ring) : 0;
    uint64_t now_ns = 0;
    if (stamp_ns != 0)
        stamp_ns += domain_clock_offset_ns(bf->clock);
    if (stamp_ns != 0 || entry->waiter == NULL)
        now_ns = batch_now_ns(bf);
    if (stamp_ns <= now_ns) {
        finish(bf, entry, status, stamp_ns != 0 ? stamp_ns : now_ns);
        return;
    }
    entry->status = status;
    entry->is_held = true;
    heap_insert(&bf->held, &entry->held, stamp_ns);
    if (bf->leader && heap_first(&bf->held) == &entry->held) /* it sleeps for longer than that */
        evtchn_raise_upcall(bf->shared_info, bf->vcpu);
}

/* Returns 0, or -EPROTO: the answer fits nothing that Dom0 has been asked. */
static int take_answer(struct blkfront *bf, const struct blkif_response *rsp)
{
    struct shadow_entry *entry = shadow_find(&bf->shadow, rsp->id);
    if (entry == NULL || entry->is_held || list_is_linked(&entry->backlog) ||
        rsp->operation != entry->operation || rsp->status > BLKIF_RSP_OKAY)
        return -EPROTO;
    int32_t status = errno_of(rsp->status);
    bf->stats.responses++;
    if (status < 0)
        bf->stats.errors++;
    if (entry->abandoned) {
        shadow_put(&bf->shadow, entry);
        return 0;
    }
    /* Dom0 can go on writing to the page; what counts is the one copy taken here. */
    if (status == 0 && entry->operation == BLKIF_OP_READ)
        blkfront_take_data(bf, entry);
    entry->done_count += entry->asked_count;
    if (status == 0 && entry->done_count < entry->sector_count) {
        list_push_back(&bf->backlog, &entry->backlog);
        return 0;
    }
    if (status == -EOPNOTSUPP)
        blkfront_cannot(bf, entry->operation);
    finish_stamped(bf, entry, status);
    return 0;
}

uint32_t blkfront_reap_ring(struct blkfront *bf, struct wake_batch *wakes)
{
    struct blkif_response rsp;
    uint32_t count = 0;
    int rc;
    if (bf->failed != 0 || bf->linking)
        return 0;
    bf->batch_ns = 0;
    while ((rc = blkif_take_response(&bf->ring, &rsp)) > 0) {
        rc = take_answer(bf, &rsp);
        if (rc < 0)
            break;
        count++;
    }
    if (count > 0 && !list_is_empty(&bf->backlog))
        blkfront_ask_waiting(bf);
    if (heap_first(&bf->held) != NULL)
        count += deliver(bf, blkfront_now_ns(bf));
    if (count > 0)
        transfer_ask(bf);
    if (rc < 0)
        blkfront_fail(bf, -EPROTO, "Dom0 broke the ring protocol: the disk is disabled", wakes);
    else if (count > 0 && bf->sleepers.head != NULL)
        blkfront_nudge(bf, false, wakes);
    return count;
}

/* All that was asked and not delivered comes back with the error, oldest first. Nothing is left to
 * be asked again: pairs with the assertion in blkfront_ask_again. */
static void fail_pending(struct blkfront *bf, int error)
{
    uint64_t now_ns = blkfront_now_ns(bf);
    struct shadow_entry *entry;
    struct heap_node *node;
    while ((node = heap_first(&bf->held)) != NULL)
        unhold(bf, node);
    transfer_fail_unasked(bf, error, now_ns);
    while ((entry = shadow_next(&bf->shadow, 0)) != NULL) {
        list_drop(&entry->backlog);
        finish(bf, entry, error, now_ns);
    }
    assert(bf->async_pending == 0 && bf->shadow.free_count == bf->shadow.nr_entries);
}

void blkfront_fail(struct blkfront *bf, int error, const char *why, struct wake_batch *wakes)
{
    if (bf->failed != 0)
        return;
    bf->failed = error;
    blkfront_view_stop(bf);
    snprintf(bf->failure, sizeof(bf->failure), "%s", why);
    fail_pending(bf, error);
    blkfront_nudge(bf, true, wakes);
    pthread_cond_broadcast(&bf->link_changed);
    /* The leader sleeps on the vCPU, and a Dom0 that lies need not send the event that ends it. */
    evtchn_raise_upcall(bf->shared_info, bf->vcpu);
}
