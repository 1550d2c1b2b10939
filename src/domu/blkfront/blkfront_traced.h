/* SPDX-License-Identifier: MIT */
/*
 * blkfront_traced: where a call comes by the trace of its disk (blkfront_trace.h): a look at
 * whether there is one, and, where there is, at whether the request is of the sample.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_BLKFRONT_TRACED_H
#define SPLITDOM_DOMU_BLKFRONT_BLKFRONT_TRACED_H

#include "domu/blkfront/blkfront_private.h"
#include "trace/trace_pace.h"

/* blkfront_hits_view. *looked_ns, 0 before: when the look began, if that is known. */
static inline bool blkfront_look(struct blkfront *bf, const struct blkfront_io *io, uint32_t at,
                                 uint64_t *looked_ns)
{
    if (__builtin_expect(load_relaxed_u32(&bf->watch.near) == 0, true) ||
        load_acquire_ptr(&bf->view) == NULL)
        return blkfront_hits_view(bf, io, at);
    return blkfront_trace_hits_view(bf, io, at, looked_ns);
}

/* Any thread, without the lock: CLOCK_MONOTONIC for a request that begins now; 0: its time is not
 * wanted. */
static inline uint64_t blkfront_trace_begin_ns(struct blkfront_queue *queue)
{
    const struct blkfront_trace *trace = load_acquire_ptr(&queue->trace);
    if (__builtin_expect(trace == NULL, true) || load_relaxed_u32(&trace->due) == 0)
        return 0;
    return clock_monotonic_ns();
}

/* With the lock held: the entry, which is filled, was asked for by a call that began at
 * submitted_ns, of blkfront_trace_begin_ns. Nearly all pass by. */
static inline void blkfront_trace_submit(struct blkfront_queue *queue, struct shadow_entry *entry,
                                         uint64_t submitted_ns)
{
    struct blkfront_trace *trace = queue->trace;
    if (__builtin_expect(trace == NULL, true))
        return;
    if (trace->pace.left < 2) {
        blkfront_trace_submitted(queue, entry, submitted_ns);
        return;
    }
    (void)trace_pace_pass(&trace->pace, 1);
    shadow_set_rank(entry, TRACE_RANK_NEVER);
}

#endif
