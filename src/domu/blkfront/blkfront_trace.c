/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/blkfront_trace.h"

#include <stdlib.h>
#include <string.h>

#include "domu/blkfront/blkfront_private.h"

static struct blkfront_trace *make(const struct blkfront_queue *queue)
{
    uint32_t entries = queue->bf->nr_entries;
    struct blkfront_trace *trace = calloc(1, sizeof(*trace) + entries * sizeof(trace->record[0]));
    if (trace == NULL)
        return NULL;
    trace->shown = calloc(entries, sizeof(*trace->shown));
    if (trace->shown == NULL) {
        free(trace);
        return NULL;
    }
    trace->writer = &queue->bf->domu->trace.writer;
    trace->devid = queue->bf->options.vdev;
    return trace;
}

static void free_one(struct blkfront_trace *trace)
{
    if (trace == NULL)
        return;
    free(trace->shown);
    free(trace);
}

/* Of the view, of which the first queue's trace tells. */
static void set_watch(struct blkfront *bf, uint32_t threshold)
{
    struct cache_notes_watch *watch = &bf->watch;
    uint32_t next = watch->serial + 1 == 0 ? 1 : watch->serial + 1;
    if (watch->threshold == threshold)
        return;
    store_relaxed_u32(&watch->threshold, threshold);
    if (threshold != 0)
        store_release_u32(&watch->serial, next); /* pairs with pass_by in cache_notes.c */
    store_relaxed_u32(&watch->near, threshold != 0);
}

/* Those under way keep their mark: they are written down, if somebody traces when they end. */
void blkfront_trace_set(struct blkfront_queue *queue, const struct domu_trace *wanted)
{
    if (queue == &queue->bf->queue[0])
        set_watch(queue->bf, wanted->threshold);
    if (wanted->threshold == 0) {
        (void)exchange_full_ptr(&queue->trace, NULL);
        return;
    }
    if (queue->trace_memory == NULL)
        queue->trace_memory = make(queue);
    struct blkfront_trace *trace = queue->trace_memory;
    if (trace == NULL)
        return;
    if (queue->trace == NULL || trace->pace.threshold != wanted->threshold)
        trace_pace_init(&trace->pace, wanted->threshold);
    store_relaxed_u32(&trace->due, trace_pace_is_due(&trace->pace));
    store_relaxed_u32(&trace->domid, queue->bf->domu->life.segment.domid);
    (void)exchange_full_ptr(&queue->trace, trace);
}

void blkfront_trace_free(struct blkfront_queue *queue)
{
    free_one(queue->trace_memory);
    queue->trace = queue->trace_memory = NULL;
}

/* sharers: threads that share the rate. */
static void put_found(const struct blkfront_trace *trace, const struct blkfront_io *io,
                      struct trace_pace *pace, uint32_t sharers, uint64_t submitted_ns)
{
    struct trace_record record = {
        .kind = TRACE_FOUND,
        .operation = BLKIF_OP_READ,
        .domid = (uint16_t)load_relaxed_u32(&trace->domid),
        .devid = trace->devid,
        .sector = io->sector,
        .sector_count = (uint32_t)io->sector_count,
        .thread = trace_writer_thread(),
        .at_ns = {[TRACE_SUBMITTED] = submitted_ns, [TRACE_RETURNED] = clock_monotonic_ns()}};
    pace->sharers = sharers;
    uint64_t rank = trace_pace_choose(pace, submitted_ns, &record.weight);
    record.id = rank << TRACE_RANK_SHIFT;
    trace_writer_put(trace->writer, &record);
}

bool blkfront_trace_hits_view(struct blkfront *bf, const struct blkfront_io *io, uint32_t at,
                              uint64_t *looked_ns)
{
    const struct blkfront_trace *trace = load_acquire_ptr(&bf->queue[0].trace);
    struct cache_view *view = load_acquire_ptr(&bf->view);
    bool may_hit = trace != NULL && view != NULL && io->operation == BLKFRONT_READ;
    struct trace_pace *pace = may_hit ? cache_notes_pace(cache_view_notes(view)) : NULL;
    if (trace == NULL || (pace != NULL && trace_pace_distance(pace) > CACHE_NOTES_LANE_SLOTS))
        store_relaxed_u32(&bf->watch.near, 0);
    if (pace == NULL || !trace_pace_is_due(pace))
        return blkfront_hits_view(bf, io, at);
    *looked_ns = clock_monotonic_ns();
    if (!blkfront_hits_view(bf, io, at))
        return false;
    put_found(trace, io, pace, cache_notes_threads(cache_view_notes(view)), *looked_ns);
    cache_notes_pace_knows(cache_view_notes(view));
    return true;
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
    return &queue->trace_memory->record[shadow_index(&queue->shadow, entry)];
}

/* One that is due and comes without a time began before that was known: the next one is it. */
void blkfront_trace_submitted(struct blkfront_queue *queue, struct shadow_entry *entry,
                              uint64_t submitted_ns)
{
    struct blkfront_trace *trace = queue->trace;
    uint32_t weight;
    if (submitted_ns == 0 || !trace_pace_is_due(&trace->pace)) {
        if (trace_pace_pass(&trace->pace, 1))
            trace_pace_look(&trace->pace, clock_coarse_ns());
        shadow_set_rank(entry, TRACE_RANK_NEVER);
    } else {
        shadow_set_rank(entry, trace_pace_choose(&trace->pace, submitted_ns, &weight));
        *record_of(queue, entry) =
            (struct trace_record){.kind = TRACE_FRONT,
                                  .operation = entry->operation,
                                  .domid = (uint16_t)trace->domid,
                                  .devid = trace->devid,
                                  .id = entry->id,
                                  .sector = entry->sector,
                                  .sector_count = (uint32_t)entry->sector_count,
                                  .thread = trace_writer_thread(),
                                  .weight = weight,
                                  .at_ns = {[TRACE_SUBMITTED] = submitted_ns}};
        entry->traced = true;
        store_relaxed_u32(&queue->traced, queue->traced + 1);
    }
    if (trace->due != trace_pace_is_due(&trace->pace))
        store_relaxed_u32(&trace->due, !trace->due);
}

/* After a change of Dom0 there may be some twice, or too many: those lack a time or two. */
void blkfront_trace_put(struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    uint32_t shown = queue->traced_unrung + queue->traced_fresh;
    if (shown == queue->bf->nr_entries)
        return;
    queue->trace_memory->shown[shown] = shadow_index(&queue->shadow, entry);
    queue->traced_fresh++;
}

static void set(struct blkfront_trace *trace, uint32_t from, uint32_t to, enum trace_stage stage)
{
    uint64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = from; i != to; i++)
        trace->record[trace->shown[i]].at_ns[stage] = now_ns;
}

void blkfront_trace_push(struct blkfront_queue *queue)
{
    set(queue->trace_memory, queue->traced_unrung, queue->traced_unrung + queue->traced_fresh,
        TRACE_ON_RING);
}

void blkfront_trace_pushed(struct blkfront_queue *queue)
{
    queue->traced_unrung = queue->kick_owed ? queue->traced_unrung + queue->traced_fresh : 0;
    queue->traced_fresh = 0;
}

void blkfront_trace_kick(struct blkfront_queue *queue)
{
    uint32_t *shown = queue->trace_memory->shown;
    set(queue->trace_memory, 0, queue->traced_unrung, TRACE_DOORBELL);
    memmove(shown, shown + queue->traced_unrung, queue->traced_fresh * sizeof(*shown));
    queue->traced_unrung = 0;
}

void blkfront_trace_taken_off(struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    struct trace_record *record = record_of(queue, entry);
    record->at_ns[TRACE_WOKEN] = queue->woken_ns;
    record->at_ns[TRACE_TAKEN_OFF] = clock_monotonic_ns();
}

void blkfront_trace_drop(struct blkfront_queue *queue, struct shadow_entry *entry)
{
    entry->traced = false;
    store_relaxed_u32(&queue->traced, queue->traced - 1);
}

/* By now, in the domain's time; no latency is negative, whatever Dom0's stamp says. */
static uint32_t noticed_ns(const struct blkfront_queue *queue, const struct shadow_entry *entry,
                           uint64_t completed_ns)
{
    if (!queue->stamped)
        return 0;
    uint64_t since_ns = completed_ns < entry->submitted_ns ? entry->submitted_ns : completed_ns;
    uint64_t now_ns = blkfront_now_ns(queue->bf);
    if (now_ns <= since_ns)
        return 0;
    return now_ns - since_ns < UINT32_MAX ? (uint32_t)(now_ns - since_ns) : UINT32_MAX;
}

void blkfront_trace_finished(struct blkfront_queue *queue, struct shadow_entry *entry, int status,
                             uint64_t completed_ns)
{
    struct trace_record *record = record_of(queue, entry);
    blkfront_trace_drop(queue, entry);
    record->status = status;
    if (entry->waiter != NULL && entry->waiter->life != NULL) {
        *entry->waiter->life = *record;
    } else if (queue->trace != NULL) {
        record->noticed_ns = noticed_ns(queue, entry, completed_ns);
        record->at_ns[TRACE_RETURNED] = clock_monotonic_ns();
        trace_writer_put(queue->trace_memory->writer, record);
    }
}
