/* SPDX-License-Identifier: MIT */
/*
 * blkfront_trace: the domain's half of the lives of a disk's requests (splitdom/trace.h), while
 * Dom0 asks for it: one for each queue. A disk that is not traced has none: trace is NULL.
 *
 * Which requests are of the sample is decided before any clock is read (trace_pace.h): `due` tells
 * callers without the lock whether the next one is to be, and then the entry of the first of them
 * that comes with its time is marked as traced. All others cost a look at that mark.
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
#include "trace/trace_pace.h"

struct blkfront;
struct blkfront_io;
struct blkfront_queue;
struct shadow_entry;

struct blkfront_trace {
    const struct trace_writer *writer; /* constant, as is devid */
    uint32_t devid;
    /* Atomic: written with the lock, read without. */
    uint32_t due, domid;
    struct trace_pace pace;
    uint32_t *shown;              /* entries: first unrung, then fresh ones; see blkfront_queue */
    struct trace_record record[]; /* by entry, while that is traced */
};

/* What counts from now on; with the lock held. Without memory nothing is traced. */
void blkfront_trace_set(struct blkfront_queue *queue, const struct domu_trace *wanted);
/* No call runs. */
void blkfront_trace_free(struct blkfront_queue *queue);

/* blkfront_hits_view, of which a sample is written down. *looked_ns: when it began, or 0. */
bool blkfront_trace_hits_view(struct blkfront *bf, const struct blkfront_io *io, uint32_t at,
                              uint64_t *looked_ns);
/* A call that blocks returns: if life is a record, it is written down. */
void blkfront_trace_return(struct blkfront_queue *queue, struct trace_record *life);

/* With the lock held, and queue->trace: for blkfront_trace_submit, where the entry or the next one
 * is to be looked at. */
void blkfront_trace_submitted(struct blkfront_queue *queue, struct shadow_entry *entry,
                              uint64_t submitted_ns);

/* With the lock held, of an entry that is traced: */
/* It has been put on the ring. */
void blkfront_trace_put(struct blkfront_queue *queue, const struct shadow_entry *entry);
/* Its response was taken. */
void blkfront_trace_taken_off(struct blkfront_queue *queue, const struct shadow_entry *entry);
/* It is finished, with this status; asynchronous: since completed_ns of the domain's clock. */
void blkfront_trace_finished(struct blkfront_queue *queue, struct shadow_entry *entry, int status,
                             uint64_t completed_ns);
/* It is given up: nothing is written of it. */
void blkfront_trace_drop(struct blkfront_queue *queue, struct shadow_entry *entry);

/* With the lock held, where there are such entries: */
/* Those that are fresh are shown next; then: whether a doorbell is owed. */
void blkfront_trace_push(struct blkfront_queue *queue);
void blkfront_trace_pushed(struct blkfront_queue *queue);
/* The doorbell is rung next. */
void blkfront_trace_kick(struct blkfront_queue *queue);

#endif
