/* SPDX-License-Identifier: MIT */
/* blkfront_call: the calls that block: read, write, flush, discard. */
#include <errno.h>

#include "base/clock.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/blkfront_traced.h"
#include "domu/blkfront/iov.h"
#include "domu/blkfront/transfer.h"
#include "domu/cancel_hold.h"
#include "ring/barrier.h"
#include "trace/trace_probe.h"

/* When a call that begins now is too late. */
static uint64_t deadline_ns(const struct blkfront *bf)
{
    uint64_t deadline;
    if (bf->options.timeout_ns == 0)
        return 0;
    if (__builtin_add_overflow(clock_monotonic_ns(), bf->options.timeout_ns, &deadline))
        return UINT64_MAX;
    return deadline;
}

/* What a thread waits for: one of both. */
struct pending {
    struct shadow_entry *entry;
    struct transfer *transfer;
};

/* With the lock held: the answer has not come in time. */
static void give_up(struct blkfront_queue *queue, const struct pending *pending,
                    struct read_waiter *waiter, struct wake_batch *wakes)
{
    blkfront_unlist(queue, waiter);
    if (pending->transfer != NULL)
        transfer_abandon(queue, pending->transfer, wakes);
    else
        blkfront_abandon(queue, pending->entry, wakes);
    waiter->status = -ETIMEDOUT;
}

/* With the lock held, which is released: waits for the answer, and returns its status. */
static int await(struct blkfront_queue *queue, const struct pending *pending,
                 struct read_waiter *waiter, struct wake_batch *wakes)
{
    while (load_acquire_u32(&waiter->word) != WAITER_DONE) {
        if (blkfront_is_late(waiter)) {
            give_up(queue, pending, waiter, wakes);
            break;
        }
        if (blkfront_wait_step(queue, waiter, wakes))
            return waiter->status;
        (void)blkfront_reap_ring(queue, wakes);
    }
    blkfront_unlock(queue, wakes);
    return waiter->status;
}

/* With the lock held, which is released. */
static int call_entry(struct blkfront_queue *queue, struct shadow_entry *entry,
                      struct read_waiter *waiter, struct wake_batch *wakes)
{
    entry->transfer = NULL;
    entry->waiter = waiter;
    waiter->entry = entry;
    const struct spin_target target = {.request_index = queue->ring.half.req_prod_pvt,
                                       .data = blkfront_data_of(queue, entry),
                                       .data_bytes =
                                           (uint32_t)entry->sector_count * BLKIF_SECTOR_SIZE};
    bool asked = blkfront_ask(queue, entry, queue->stamped ? blkfront_now_ns(queue->bf) : 0);
    if (!queue->linking)
        blkfront_push(queue);
    /* Whatever is not read goes to the disk, which takes longer than any spin. */
    bool may_spin = asked && entry->operation == BLKIF_OP_READ;
    uint32_t spin_ns = may_spin ? blkfront_may_spin(queue) : 0;
    if (spin_ns > 0) {
        blkfront_unlock(queue, wakes);
        blkfront_spin(queue, waiter, &target, spin_ns, wakes);
    } else {
        (void)blkfront_reap_ring(queue, wakes);
    }
    return await(queue, &(struct pending){.entry = entry}, waiter, wakes);
}

/* With the lock held, which is released. */
static int call_transfer(struct blkfront_queue *queue, const struct blkfront_io *io,
                         struct read_waiter *waiter, struct wake_batch *wakes)
{
    struct transfer transfer;
    transfer_start(queue, &transfer, io, waiter, 0);
    if (!queue->linking)
        blkfront_push(queue); /* what holds the entries that it waits for may not be pushed yet */
    return await(queue, &(struct pending){.transfer = &transfer}, waiter, wakes);
}

/* looked_ns: when the call began, if it had a look at the view and that is to be told; or 0. */
static int call_on(struct blkfront_queue *queue, const struct blkfront_io *io, uint64_t deadline,
                   uint64_t looked_ns)
{
    CANCEL_HOLD();
    uint64_t submitted_ns = looked_ns != 0 ? looked_ns : blkfront_trace_begin_ns(queue);
    struct trace_record life;
    struct read_waiter waiter = {.word = WAITER_AWAKE, .deadline_ns = deadline, .life = &life};
    struct wake_batch wakes;
    life.kind = TRACE_NOTHING;
    wakes.count = 0;
    pthread_mutex_lock(&queue->lock);
    (void)blkfront_reap_ring(queue, &wakes);
    if (queue->failed != 0 || queue->without_ring) {
        int rc = queue->failed != 0 ? queue->failed : BLKFRONT_ASK_ELSEWHERE;
        blkfront_unlock(queue, &wakes);
        return rc;
    }
    bool whole = io->iov_count == 0 && blkfront_fits(queue->bf, io->operation, io->sector_count);
    struct shadow_entry *entry = whole ? shadow_take(&queue->shadow) : NULL;
    if (entry == NULL)
        return call_transfer(queue, io, &waiter, &wakes);
    blkfront_fill_entry(entry, io->operation, io->sector, io->sector_count, io->buffer);
    blkfront_trace_submit(queue, entry, submitted_ns);
    uint64_t id = entry->id;
    int rc = call_entry(queue, entry, &waiter, &wakes);
    blkfront_trace_return(queue, &life);
    TRACE_PROBE(returned, load_relaxed_u32(&queue->bf->domu->domid), id, io->sector);
    (void)id;
    return rc;
}

static int call(struct blkfront *bf, const struct blkfront_io *io)
{
    uint64_t looked_ns = 0;
    int rc = blkfront_check(bf, io->operation, io->sector, io->sector_count);
    if (rc < 0)
        return rc;
    if (blkfront_look(bf, io, CACHE_VIEW_ANYWHERE, &looked_ns))
        return 0;
    uint64_t deadline = deadline_ns(bf);
    do
        rc = call_on(blkfront_queue_here(bf), io, deadline, looked_ns);
    while (rc == BLKFRONT_ASK_ELSEWHERE);
    return rc;
}

static int call_vector(struct blkfront *bf, enum blkfront_operation operation, uint64_t sector,
                       const struct iovec *iov, uint32_t iov_count)
{
    uint64_t bytes;
    int rc = iov_bytes(iov, iov_count, &bytes);
    if (rc < 0 || bytes % BLKIF_SECTOR_SIZE != 0)
        return -EINVAL;
    return call(bf, &(struct blkfront_io){.operation = operation,
                                          .sector = sector,
                                          .sector_count = bytes / BLKIF_SECTOR_SIZE,
                                          .iov = iov,
                                          .iov_count = iov_count});
}

int blkfront_read(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer)
{
    return call(bf, &(struct blkfront_io){.operation = BLKFRONT_READ,
                                          .sector = sector,
                                          .sector_count = sector_count,
                                          .buffer = buffer});
}

int blkfront_write(struct blkfront *bf, uint64_t sector, uint32_t sector_count, const void *buffer)
{
    return call(bf, &(struct blkfront_io){.operation = BLKFRONT_WRITE,
                                          .sector = sector,
                                          .sector_count = sector_count,
                                          .buffer = (void *)(uintptr_t)buffer});
}

int blkfront_readv(struct blkfront *bf, uint64_t sector, const struct iovec *iov,
                   uint32_t iov_count)
{
    return call_vector(bf, BLKFRONT_READ, sector, iov, iov_count);
}

int blkfront_writev(struct blkfront *bf, uint64_t sector, const struct iovec *iov,
                    uint32_t iov_count)
{
    return call_vector(bf, BLKFRONT_WRITE, sector, iov, iov_count);
}

int blkfront_flush(struct blkfront *bf)
{
    return call(bf, &(struct blkfront_io){.operation = BLKFRONT_FLUSH});
}

int blkfront_discard(struct blkfront *bf, uint64_t sector, uint64_t sector_count)
{
    return call(bf, &(struct blkfront_io){.operation = BLKFRONT_DISCARD,
                                          .sector = sector,
                                          .sector_count = sector_count});
}
