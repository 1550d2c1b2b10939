/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/blkfront_trace.h"

#include <stdlib.h>

#include "domu/blkfront/blkfront_private.h"

static struct blkfront_trace *make(const struct blkfront_queue *queue)
{
    uint32_t slots = queue->ring.half.nr_ents;
    struct blkfront_trace *trace =
        calloc(1, sizeof(*trace) + queue->bf->nr_entries * sizeof(trace->record[0]));
    if (trace == NULL)
        return NULL;
    trace->slot_entry = calloc(slots, sizeof(*trace->slot_entry));
    if (trace->slot_entry == NULL) {
        free(trace);
        return NULL;
    }
    trace->slot_mask = slots - 1;
    trace->writer = &queue->bf->domu->trace.writer;
    trace->devid = queue->bf->options.vdev;
    return trace;
}

static void free_one(struct blkfront_trace *trace)
{
    if (trace == NULL)
        return;
    free(trace->slot_entry);
    free(trace);
}

void blkfront_trace_set(struct blkfront_queue *queue, const struct domu_trace *wanted)
{
    if (wanted->threshold == 0) {
        (void)exchange_full_ptr(&queue->trace, NULL);
        return;
    }
    /* A later ring may have fewer slots, never more. Requests under way are older than the trace.
     */
    if (queue->trace_memory == NULL)
        queue->trace_memory = make(queue);
    struct blkfront_trace *trace = queue->trace_memory;
    if (trace == NULL)
        return;
    if (queue->trace == NULL) {
        trace->pushed = trace->kicked = queue->ring.half.req_prod_pvt;
        trace->woken_ns = 0;
        for (uint32_t i = 0; i < queue->bf->nr_entries; i++)
            trace->record[i].kind = TRACE_NOTHING;
    }
    store_relaxed_u32(&trace->threshold, wanted->threshold);
    store_relaxed_u32(&trace->domid, queue->bf->domu->life.segment.domid);
    (void)exchange_full_ptr(&queue->trace, trace);
}

void blkfront_trace_free(struct blkfront_queue *queue)
{
    free_one(queue->trace_memory);
    queue->trace = queue->trace_memory = NULL;
}

uint64_t blkfront_trace_now_ns(struct blkfront *bf)
{
    return load_acquire_ptr(&bf->queue[0].trace) != NULL ? clock_monotonic_ns() : 0;
}

void blkfront_trace_found(struct blkfront *bf, uint64_t sector, uint64_t sector_count,
                          uint64_t submitted_ns)
{
    const struct blkfront_trace *trace = load_acquire_ptr(&bf->queue[0].trace);
    if (trace == NULL || !trace_writer_count_found(trace->writer) ||
        !trace_wants(load_relaxed_u32(&trace->threshold), submitted_ns))
        return;
    const struct trace_record record = {
        .kind = TRACE_FOUND,
        .operation = BLKIF_OP_READ,
        .domid = (uint16_t)load_relaxed_u32(&trace->domid),
        .devid = trace->devid,
        .sector = sector,
        .sector_count = (uint32_t)sector_count,
        .thread = trace_writer_thread(),
        .at_ns = {[TRACE_SUBMITTED] = submitted_ns, [TRACE_RETURNED] = clock_monotonic_ns()}};
    trace_writer_put(trace->writer, &record);
}

void blkfront_trace_return(struct blkfront_queue *queue, struct trace_record *life)
{
    const struct blkfront_trace *trace = load_acquire_ptr(&queue->trace);
    if (life->kind == TRACE_NOTHING || trace == NULL)
        return;
    life->at_ns[TRACE_RETURNED] = clock_monotonic_ns();
    trace_writer_put(trace->writer, life);
}

static struct trace_record *record_of(struct blkfront_queue *queue,
                                      const struct shadow_entry *entry)
{
    struct blkfront_trace *trace = queue->trace;
    return &trace->record[shadow_index(&queue->shadow, entry)];
}

void blkfront_trace_submitted(struct blkfront_queue *queue, const struct shadow_entry *entry,
                              uint64_t submitted_ns)
{
    const struct blkfront_trace *trace = queue->trace;
    struct trace_record *record = record_of(queue, entry);
    uint64_t id = shadow_id(&queue->shadow, entry);
    *record = (struct trace_record){.kind = TRACE_NOTHING};
    if (!trace_wants(trace->threshold, id))
        return;
    record->kind = TRACE_FRONT;
    record->operation = entry->operation;
    record->domid = (uint16_t)trace->domid;
    record->devid = trace->devid;
    record->id = id;
    record->sector = entry->sector;
    record->sector_count = (uint32_t)entry->sector_count;
    record->thread = trace_writer_thread();
    record->at_ns[TRACE_SUBMITTED] = submitted_ns != 0 ? submitted_ns : clock_monotonic_ns();
}

void blkfront_trace_put(struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    struct blkfront_trace *trace = queue->trace;
    trace->slot_entry[(queue->ring.half.req_prod_pvt - 1) & trace->slot_mask] =
        shadow_index(&queue->shadow, entry);
}

static void set(struct blkfront_trace *trace, uint32_t from, uint32_t to, enum trace_stage stage)
{
    uint64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = from; i != to; i++)
        trace->record[trace->slot_entry[i & trace->slot_mask]].at_ns[stage] = now_ns;
}

void blkfront_trace_push(struct blkfront_queue *queue)
{
    struct blkfront_trace *trace = queue->trace;
    uint32_t to = queue->ring.half.req_prod_pvt;
    if (to - trace->pushed > trace->slot_mask + 1) /* another ring */
        trace->pushed = trace->kicked = to;
    if (trace->pushed != to)
        set(trace, trace->pushed, to, TRACE_ON_RING);
    trace->pushed = to;
}

void blkfront_trace_pushed(struct blkfront_queue *queue)
{
    struct blkfront_trace *trace = queue->trace;
    if (!queue->kick_owed)
        trace->kicked = trace->pushed;
}

void blkfront_trace_kick(struct blkfront_queue *queue)
{
    struct blkfront_trace *trace = queue->trace;
    if (trace->kicked != trace->pushed && trace->pushed - trace->kicked <= trace->slot_mask + 1)
        set(trace, trace->kicked, trace->pushed, TRACE_DOORBELL);
    trace->kicked = trace->pushed;
}

void blkfront_trace_taken_off(struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    const struct blkfront_trace *trace = queue->trace;
    struct trace_record *record = record_of(queue, entry);
    record->at_ns[TRACE_WOKEN] = trace->woken_ns;
    record->at_ns[TRACE_TAKEN_OFF] = clock_monotonic_ns();
}

void blkfront_trace_finished(struct blkfront_queue *queue, const struct shadow_entry *entry,
                             int status)
{
    const struct blkfront_trace *trace = queue->trace;
    struct trace_record *record = record_of(queue, entry);
    if (record->kind == TRACE_NOTHING)
        return;
    record->status = status;
    if (entry->waiter != NULL && entry->waiter->life != NULL) {
        *entry->waiter->life = *record;
    } else if (!entry->abandoned) {
        record->at_ns[TRACE_RETURNED] = clock_monotonic_ns();
        trace_writer_put(trace->writer, record);
    }
    record->kind = TRACE_NOTHING;
}
