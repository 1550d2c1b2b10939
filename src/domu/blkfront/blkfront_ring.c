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
#include "domu/blkfront/blkfront_sleep.h"
#include "domu/blkfront/transfer.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/futex.h"
#include "trace/trace_probe.h"

void blkfront_push(struct blkfront_queue *queue)
{
    if (__builtin_expect(queue->traced_fresh > 0, false))
        blkfront_trace_push(queue);
    TRACE_PROBE(on_ring, load_relaxed_u32(&queue->bf->domu->domid), queue->ring.half.req_prod_pvt,
                0);
    if (front_ring_push(&queue->ring.half))
        queue->kick_owed = true;
    if (__builtin_expect(queue->traced_fresh > 0, false))
        blkfront_trace_pushed(queue);
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

void blkfront_unlist(struct blkfront_queue *queue, struct read_waiter *waiter)
{
    if (waiter->listed)
        waiter_list_remove(&queue->sleepers, waiter);
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

void blkfront_nudge(struct blkfront_queue *queue, bool all, struct wake_batch *wakes)
{
    for (struct read_waiter *waiter = queue->sleepers.head; waiter != NULL; waiter = waiter->next) {
        if (all || waiter->any)
            set_word(waiter, WAITER_AWAKE, wakes);
    }
    if (all)
        blkfront_rouse(queue);
}

/* One that sleeps is woken by blkfront_unlock, in turn; until then its word stays SLEEPING, so that
 * it cannot leave by itself and take its place on the list with it. */
void blkfront_finish_waiter(struct blkfront_queue *queue, struct read_waiter *waiter, int status)
{
    blkfront_unlist(queue, waiter);
    waiter->status = status;
    if (load_relaxed_u32(&waiter->word) == WAITER_SLEEPING)
        waiter_list_append(&queue->answered, waiter);
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

void blkfront_finish_async(struct blkfront_queue *queue, const struct blkfront_completion *done)
{
    /* Pairs with blkfront_submit_io, which admits no more than done[] has room for. */
    assert(queue->async_pending > 0 && queue->done_count < queue->depth);
    uint32_t slot = (queue->done_head + queue->done_count) % queue->depth;
    queue->done[slot] = *done;
    if (done->completed_ns < done->submitted_ns) /* Dom0's stamp says so; no latency is negative */
        queue->done[slot].completed_ns = done->submitted_ns;
    queue->done_count++;
    queue->async_pending--;
}

void blkfront_finish_entry(struct blkfront_queue *queue, const struct shadow_entry *entry,
                           int32_t status, uint64_t completed_ns)
{
    blkfront_finish_async(queue, &(struct blkfront_completion){.sector = entry->sector,
                                                               .sector_count = entry->sector_count,
                                                               .operation = entry->operation,
                                                               .status = status,
                                                               .buffer = entry->buffer,
                                                               .cookie = entry->cookie,
                                                               .submitted_ns = entry->submitted_ns,
                                                               .completed_ns = completed_ns});
}

static void finish(struct blkfront_queue *queue, struct shadow_entry *entry, int32_t status,
                   uint64_t completed_ns)
{
    if (__builtin_expect(entry->traced, false))
        blkfront_trace_finished(queue, entry, status, completed_ns);
    if (entry->waiter != NULL && entry->waiter->lies)
        shadow_retire(entry); /* the waiter frees it */
    else
        shadow_put(&queue->shadow, entry);
    if (entry->waiter != NULL)
        blkfront_finish_waiter(queue, entry->waiter, status);
    else if (entry->transfer != NULL)
        transfer_part_done(queue, entry->transfer, status, completed_ns);
    else if (!entry->abandoned)
        blkfront_finish_entry(queue, entry, status, completed_ns);
}

/* Takes the first entry that is held back off the heap. */
static struct shadow_entry *unhold(struct blkfront_queue *queue, struct heap_node *node)
{
    struct shadow_entry *entry = container_of(node, struct shadow_entry, held);
    heap_remove(&queue->held, node);
    entry->is_held = false;
    return entry;
}

/* Delivers answers that were held back: those that are due by now_ns. Returns how many. */
static uint32_t deliver(struct blkfront_queue *queue, uint64_t now_ns)
{
    struct heap_node *node;
    uint32_t count = 0;
    while ((node = heap_first(&queue->held)) != NULL && node->key <= now_ns) {
        struct shadow_entry *entry = unhold(queue, node);
        finish(queue, entry, entry->status, node->key);
        count++;
    }
    return count;
}

/* One reading for all answers that are taken off together: they were all there when the first was
 * taken, and the next requests wait for the lock. */
static uint64_t batch_now_ns(struct blkfront_queue *queue)
{
    if (queue->batch_ns == 0)
        queue->batch_ns = blkfront_now_ns(queue->bf);
    return queue->batch_ns;
}

/* Delivers an answer at its stamp: now, if our clock has reached that. */
static void finish_stamped(struct blkfront_queue *queue, struct shadow_entry *entry, int32_t status)
{
    uint64_t stamp_ns = queue->stamped ? blkif_take_response_stamp(&queue->ring) : 0;
    uint64_t now_ns = 0;
    if (stamp_ns != 0)
        stamp_ns += domain_clock_offset_ns(queue->bf->clock);
    if (stamp_ns != 0 || entry->waiter == NULL)
        now_ns = batch_now_ns(queue);
    if (stamp_ns <= now_ns) {
        finish(queue, entry, status, stamp_ns != 0 ? stamp_ns : now_ns);
        return;
    }
    entry->status = status;
    entry->is_held = true;
    heap_insert(&queue->held, &entry->held, stamp_ns);
    if (queue->leader &&
        heap_first(&queue->held) == &entry->held) /* it sleeps for longer than that */
        evtchn_raise_upcall(queue->bf->shared_info, queue->vcpu);
}

/* Returns 0, or -EPROTO: the answer fits nothing that Dom0 has been asked. */
static int take_answer(struct blkfront_queue *queue, const struct blkif_response *rsp)
{
    struct shadow_entry *entry = shadow_find(&queue->shadow, rsp->id);
    if (entry == NULL || entry->is_held || list_is_linked(&entry->backlog) ||
        rsp->operation != entry->operation || rsp->status > BLKIF_RSP_OKAY)
        return -EPROTO;
    int32_t status = errno_of(rsp->status);
    if (__builtin_expect(entry->traced, false))
        blkfront_trace_taken_off(queue, entry);
    TRACE_PROBE(taken_off, load_relaxed_u32(&queue->bf->domu->domid), rsp->id, entry->sector);
    queue->stats.responses++;
    if (status < 0)
        queue->stats.errors++;
    if (entry->abandoned) {
        shadow_put(&queue->shadow, entry);
        return 0;
    }
    /* Dom0 can go on writing to the page; what counts is the one copy taken here. */
    if (status == 0 && entry->operation == BLKIF_OP_READ)
        blkfront_take_data(queue, entry);
    entry->done_count += entry->asked_count;
    if (status == 0 && entry->done_count < entry->sector_count) {
        list_push_back(&queue->backlog, &entry->backlog);
        return 0;
    }
    if (status == -EOPNOTSUPP)
        blkfront_cannot(queue->bf, entry->operation);
    finish_stamped(queue, entry, status);
    return 0;
}

uint32_t blkfront_reap_ring(struct blkfront_queue *queue, struct wake_batch *wakes)
{
    struct blkif_response rsp;
    uint32_t count = 0;
    int rc;
    if (queue->failed != 0 || queue->linking)
        return 0;
    queue->batch_ns = 0;
    while ((rc = blkif_take_response(&queue->ring, &rsp)) > 0) {
        rc = take_answer(queue, &rsp);
        if (rc < 0)
            break;
        count++;
    }
    queue->woken_ns = 0;
    if (count > 0 && !list_is_empty(&queue->backlog))
        blkfront_ask_waiting(queue);
    if (heap_first(&queue->held) != NULL)
        count += deliver(queue, blkfront_now_ns(queue->bf));
    if (count > 0)
        transfer_ask(queue);
    if (rc < 0)
        blkfront_fail(queue, -EPROTO, "Dom0 broke the ring protocol: the disk is disabled", wakes);
    else if (count > 0 && queue->sleepers.head != NULL)
        blkfront_nudge(queue, false, wakes);
    return count;
}

/* All that was asked and not delivered comes back with the error, oldest first. Nothing is left to
 * be asked again: pairs with the assertion in blkfront_ask_again. */
static void fail_pending(struct blkfront_queue *queue, int error)
{
    uint64_t now_ns = blkfront_now_ns(queue->bf);
    struct shadow_entry *entry;
    struct heap_node *node;
    while ((node = heap_first(&queue->held)) != NULL)
        unhold(queue, node);
    transfer_fail_unasked(queue, error, now_ns);
    while ((entry = shadow_next(&queue->shadow, 0)) != NULL) {
        list_drop(&entry->backlog);
        finish(queue, entry, error, now_ns);
    }
    assert(queue->async_pending == 0);
    assert(queue->shadow.free_count + queue->lying == queue->shadow.nr_entries);
}

/* The first failure of a disk is that of all its queues. Returns its error. */
static int note_failure(struct blkfront_queue *queue, int error, const char *why)
{
    struct blkfront *bf = queue->bf;
    pthread_mutex_lock(&bf->lock);
    if (bf->failed == 0) {
        bf->failed = error;
        blkfront_view_stop(bf);
        snprintf(bf->failure, sizeof(bf->failure), "%s", why);
        queue->tell_others = true;
    }
    error = bf->failed;
    pthread_mutex_unlock(&bf->lock);
    return error;
}

void blkfront_fail(struct blkfront_queue *queue, int error, const char *why,
                   struct wake_batch *wakes)
{
    if (queue->failed != 0)
        return;
    queue->failed = note_failure(queue, error, why);
    fail_pending(queue, queue->failed);
    blkfront_nudge(queue, true, wakes);
    pthread_cond_broadcast(&queue->link_changed);
    /* The leader sleeps on the vCPU, and a Dom0 that lies need not send the event that ends it. */
    evtchn_raise_upcall(queue->bf->shared_info, queue->vcpu);
}

void blkfront_fail_others(struct blkfront_queue *queue)
{
    struct blkfront *bf = queue->bf;
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *other = &bf->queue[i];
        struct wake_batch wakes;
        wakes.count = 0;
        if (other == queue)
            continue;
        pthread_mutex_lock(&other->lock);
        blkfront_fail(other, -ENOTCONN, "", &wakes); /* with the reason that is noted */
        blkfront_unlock(other, &wakes);
    }
}

/* Whoever waits asks again on another queue: nobody has been told of an answer. */
void blkfront_leave_ring(struct blkfront_queue *queue, struct wake_batch *wakes)
{
    queue->without_ring = true;
    fail_pending(queue, BLKFRONT_ASK_ELSEWHERE);
    blkfront_nudge(queue, true, wakes);
}
