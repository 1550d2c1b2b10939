/* SPDX-License-Identifier: MIT */
/*
 * blkfront_trace: the domain's half of the lives of a disk's requests (splitdom/trace.h), while
 * Dom0 asks for it: one for each queue. A disk that is not traced has none: trace is NULL, and each
 * place that would set a time looks at that and no more.
 *
 * A call that blocks keeps its record on its own stack once it is answered, since it returns
 * without the lock, and writes it down itself; all others are written by whoever takes the answer.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_BLKFRONT_TRACE_H
#define SPLITDOM_DOMU_BLKFRONT_BLKFRONT_TRACE_H

#include "base/clock.h"
#include "domu/domu_trace.h"
#include "ring/barrier.h"
#include "splitdom/trace.h"

struct blkfront;
struct blkfront_queue;
struct shadow_entry;

struct blkfront_trace {
    const struct trace_writer *writer; /* constant, as are devid and slot_mask */
    uint32_t devid;
    uint32_t slot_mask;
    uint32_t threshold, domid; /* atomic: written with the lock, read without by who found a hit */
    uint32_t *slot_entry;      /* by slot of the ring: the entry that was put there last */
    uint32_t pushed, kicked;   /* ring indices up to which requests have been shown, rung for */
    uint64_t woken_ns;         /* a thread woke, and has not looked at the ring since; or 0 */
    struct trace_record record[]; /* by entry; kind TRACE_NOTHING: not of the sample */
};

/* What counts from now on; with the lock held. Without memory nothing is traced. */
void blkfront_trace_set(struct blkfront_queue *queue, const struct domu_trace *wanted);
/* No call runs. */
void blkfront_trace_free(struct blkfront_queue *queue);

/* CLOCK_MONOTONIC, or 0 if nobody traces: any thread, without the lock. */
uint64_t blkfront_trace_now_ns(struct blkfront *bf);
/* A read was served from the view since submitted_ns, without the lock. */
void blkfront_trace_found(struct blkfront *bf, uint64_t sector, uint64_t sector_count,
                          uint64_t submitted_ns);
/* A call that blocks returns: if life is a record, it is written down. */
void blkfront_trace_return(struct blkfront_queue *queue, struct trace_record *life);

/* With the lock held, and queue->trace: */
/* The entry, which is filled, was asked for by a call that began at submitted_ns; 0: now. */
void blkfront_trace_submitted(struct blkfront_queue *queue, const struct shadow_entry *entry,
                              uint64_t submitted_ns);
/* It has been put into the slot before the ring's req_prod_pvt. */
void blkfront_trace_put(struct blkfront_queue *queue, const struct shadow_entry *entry);
/* What is on the ring is shown next; then: whether a doorbell is owed. */
void blkfront_trace_push(struct blkfront_queue *queue);
void blkfront_trace_pushed(struct blkfront_queue *queue);
/* The doorbell is rung next. */
void blkfront_trace_kick(struct blkfront_queue *queue);
/* Its response was taken. */
void blkfront_trace_taken_off(struct blkfront_queue *queue, const struct shadow_entry *entry);
/* It is finished, with this status. */
void blkfront_trace_finished(struct blkfront_queue *queue, const struct shadow_entry *entry,
                             int status);

#endif
