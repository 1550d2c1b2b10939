/* SPDX-License-Identifier: MIT */
/*
 * transfer: a request of a caller that is not one entry of the shadow: a read or write that is
 * larger than a request of the ring, or whose data are in pieces; and any for which no entry was
 * free.
 *
 * A transfer takes entries as they become free, one at a time in turn with the others that wait: so
 * a large one does not hold up a small one. The entries are its parts. It ends once, when all of
 * them are answered, with the first error among them; after an error nothing more is asked for it.
 *
 * All with the lock of blkfront held.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_TRANSFER_H
#define SPLITDOM_DOMU_BLKFRONT_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "splitdom/blkfront.h"

struct blkfront_queue;
struct read_waiter;
struct wake_batch;

/* Of a thread that blocks: on its stack. Asynchronous: one of blkfront.transfers. */
struct transfer {
    struct blkfront_io io;
    struct read_waiter *waiter; /* its thread; asynchronous: NULL */
    uint64_t submitted_ns;      /* our clock */
    uint64_t completed_ns;      /* the latest of its parts' */
    uint64_t asked_count;       /* sectors that entries were taken for */
    uint32_t parts;             /* entries that are its own */
    int32_t status;             /* the first error of a part */
    bool pending;               /* it has not ended */
    struct list_node unasked;   /* on blkfront.unasked, while it wants entries */
};

/* The device has not failed. io is copied; its data and iov stay until the end. Whom that is told:
 * waiter, or the caller of blkfront_reap if that is NULL. What is asked at once is not shown to
 * Dom0: that takes blkfront_push. */
void transfer_start(struct blkfront_queue *queue, struct transfer *transfer,
                    const struct blkfront_io *io, struct read_waiter *waiter, uint64_t now_ns);
/* Hands free entries to the transfers that want some, and shows Dom0 what is asked. To be called
 * when entries have become free: with the lock released, none is free while a transfer wants one.
 */
void transfer_ask(struct blkfront_queue *queue);
/* A part was answered, and its entry is given back already. */
void transfer_part_done(struct blkfront_queue *queue, struct transfer *transfer, int32_t status,
                        uint64_t completed_ns);
/* Puts the end of an asynchronous one on the queue of the finished. */
void transfer_finish_async(struct blkfront_queue *queue, const struct transfer *transfer,
                           int32_t status, uint64_t completed_ns);
/* Nobody waits for it any more, and nobody is told: it ends here. Its entries are abandoned. */
void transfer_abandon(struct blkfront_queue *queue, struct transfer *transfer,
                      struct wake_batch *wakes);
/* The device has failed: those without entries end with the error, the others when their entries
 * do. */
void transfer_fail_unasked(struct blkfront_queue *queue, int error, uint64_t now_ns);

/* One of blkfront.transfers that is not pending: there are as many as asynchronous requests. */
struct transfer *transfer_find_free(struct blkfront_queue *queue);

#endif
