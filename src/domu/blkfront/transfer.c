/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/transfer.h"

#include <assert.h>

#include "base/container_of.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/blkfront_traced.h"

void transfer_finish_async(struct blkfront_queue *queue, const struct transfer *transfer,
                           int32_t status, uint64_t completed_ns)
{
    const struct blkfront_io *io = &transfer->io;
    blkfront_finish_async(queue,
                          &(struct blkfront_completion){.sector = io->sector,
                                                        .sector_count = io->sector_count,
                                                        .operation = io->operation,
                                                        .status = status,
                                                        .buffer = io->buffer,
                                                        .cookie = io->cookie,
                                                        .submitted_ns = transfer->submitted_ns,
                                                        .completed_ns = completed_ns});
}

static void end(struct blkfront_queue *queue, struct transfer *transfer)
{
    assert(transfer->parts == 0 && !list_is_linked(&transfer->unasked));
    transfer->pending = false;
    if (transfer->waiter != NULL) { /* it may return from here on, and the transfer with it */
        blkfront_finish_waiter(queue, transfer->waiter, transfer->status);
        return;
    }
    transfer_finish_async(queue, transfer, transfer->status, transfer->completed_ns);
}

/* Takes an entry, and asks with it for the next part. Returns whether there is more to ask. */
static bool ask_part(struct blkfront_queue *queue, struct transfer *transfer)
{
    const struct blkfront_io *io = &transfer->io;
    struct shadow_entry *entry = shadow_take(&queue->shadow);
    uint64_t left = io->sector_count - transfer->asked_count;
    uint64_t most = blkfront_request_sectors(queue->bf);
    uint64_t count = blkfront_has_data(io->operation) && left > most ? most : left;
    uint64_t offset = transfer->asked_count * BLKIF_SECTOR_SIZE;
    blkfront_fill_entry(entry, io->operation, io->sector + transfer->asked_count, count,
                        io->iov_count > 0 ? NULL : (uint8_t *)io->buffer + offset);
    entry->transfer = transfer;
    entry->waiter = NULL;
    blkfront_trace_submit(queue, entry, blkfront_trace_begin_ns(queue));
    transfer->asked_count += count;
    transfer->parts++;
    (void)blkfront_ask(queue, entry, queue->stamped ? blkfront_now_ns(queue->bf) : 0);
    return count < left;
}

static void hand_out(struct blkfront_queue *queue)
{
    struct list_node *node;
    while (queue->shadow.free_count > 0 && (node = list_pop_front(&queue->unasked)) != NULL) {
        struct transfer *transfer = container_of(node, struct transfer, unasked);
        if (ask_part(queue, transfer))
            list_push_back(&queue->unasked, &transfer->unasked);
    }
}

void transfer_ask(struct blkfront_queue *queue)
{
    if (list_is_empty(&queue->unasked))
        return;
    hand_out(queue);
    if (!queue->linking)
        blkfront_push(queue);
}

void transfer_start(struct blkfront_queue *queue, struct transfer *transfer,
                    const struct blkfront_io *io, struct read_waiter *waiter, uint64_t now_ns)
{
    *transfer =
        (struct transfer){.io = *io, .waiter = waiter, .submitted_ns = now_ns, .pending = true};
    list_push_back(&queue->unasked, &transfer->unasked);
    hand_out(queue);
}

void transfer_part_done(struct blkfront_queue *queue, struct transfer *transfer, int32_t status,
                        uint64_t completed_ns)
{
    assert(transfer->pending && transfer->parts > 0);
    transfer->parts--;
    if (transfer->status == 0)
        transfer->status = status;
    if (transfer->status != 0)
        list_drop(&transfer->unasked);
    if (completed_ns > transfer->completed_ns)
        transfer->completed_ns = completed_ns;
    if (transfer->parts == 0 && !list_is_linked(&transfer->unasked))
        end(queue, transfer);
}

void transfer_abandon(struct blkfront_queue *queue, struct transfer *transfer,
                      struct wake_batch *wakes)
{
    list_drop(&transfer->unasked);
    for (uint32_t i = 0; i < queue->shadow.nr_entries && transfer->parts > 0; i++) {
        struct shadow_entry *entry = &queue->shadow.entry[i];
        if (!entry->pending || entry->transfer != transfer)
            continue;
        entry->transfer = NULL;
        transfer->parts--;
        blkfront_abandon(queue, entry, wakes);
    }
    assert(transfer->parts == 0);
    transfer->pending = false;
}

void transfer_fail_unasked(struct blkfront_queue *queue, int error, uint64_t now_ns)
{
    struct list_node *node;
    while ((node = list_pop_front(&queue->unasked)) != NULL) {
        struct transfer *transfer = container_of(node, struct transfer, unasked);
        transfer->status = error;
        transfer->completed_ns = now_ns;
        if (transfer->parts == 0)
            end(queue, transfer);
    }
}

struct transfer *transfer_find_free(struct blkfront_queue *queue)
{
    for (uint32_t i = 0; i < queue->depth; i++) {
        if (!queue->transfers[i].pending)
            return &queue->transfers[i];
    }
    return NULL;
}
