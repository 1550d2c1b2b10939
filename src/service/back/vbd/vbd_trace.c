/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_trace.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "service/back/vbd/vbd_ring_private.h"

static struct vbd_trace *make(const struct vbd_ring *vr)
{
    uint32_t entries = vr->ring.half.nr_ents;
    struct vbd_trace *trace =
        calloc(1, sizeof(*trace) + 2 * (size_t)entries * sizeof(trace->record[0]));
    if (trace == NULL)
        return NULL;
    trace->unpublished = &trace->record[entries];
    block_client_trace(vr->config.client, true);
    return trace;
}

/* What is under way goes on untraced. */
static void end(struct vbd_ring *vr)
{
    for (uint32_t i = 0; i < vr->ring.half.nr_ents; i++)
        vr->pool[i].request.at_ns = NULL;
    free(vr->trace);
    vr->trace = NULL;
    vr->pollable.ops = vbd_ring_ops(false);
    block_client_trace(vr->config.client, false);
}

int vbd_trace_set(struct vbd_ring *vr, const struct back_trace *to)
{
    if (to->threshold == 0) {
        if (vr->trace != NULL)
            end(vr);
        return 0;
    }
    if (vr->trace == NULL)
        vr->trace = make(vr);
    if (vr->trace == NULL)
        return -ENOMEM;
    if (vr->trace->to.threshold != to->threshold)
        trace_pace_init(&vr->trace->pace, to->threshold);
    vr->trace->to = *to;
    vr->pollable.ops = vbd_ring_ops(true);
    return 0;
}

bool vbd_trace_wants_some(const struct vbd_ring *vr, const struct blkif_request *req, int count)
{
    bool any = !vr->config.trace_ranks;
    for (int i = 0; i < count; i++)
        any |= trace_wants(vr->trace->to.threshold, req[i].id);
    return any;
}

void vbd_trace_taken(struct vbd_ring *vr)
{
    vr->trace->taken_ns = clock_monotonic_ns();
}

/* Is a request of the sample? record: then its first fields, else nothing. */
static bool choose(struct vbd_ring *vr, uint64_t id, struct trace_record *record)
{
    struct vbd_trace *trace = vr->trace;
    if (vr->config.trace_ranks) {
        if (!trace_wants(trace->to.threshold, id))
            return false;
        *record = (struct trace_record){.kind = TRACE_BACK, .id = id};
        return true;
    }
    if (!trace_pace_is_due(&trace->pace)) {
        if (trace_pace_pass(&trace->pace, 1))
            trace_pace_look(&trace->pace, trace->taken_ns);
        return false;
    }
    *record = (struct trace_record){.kind = TRACE_ALONE};
    record->id = trace_pace_choose(&trace->pace, trace->taken_ns, &record->weight);
    record->id <<= TRACE_RANK_SHIFT;
    return true;
}

static void fill(const struct vbd_ring *vr, struct trace_record *record, uint8_t operation)
{
    record->operation = operation;
    record->domid = vr->config.segment->domid;
    record->devid = vr->config.devid;
    record->at_ns[TRACE_TAKEN] = vr->trace->taken_ns;
    record->at_ns[TRACE_JUDGED] = clock_monotonic_ns();
}

void vbd_trace_judged(struct vbd_ring *vr, struct pending *p, uint8_t operation, uint64_t sector,
                      uint64_t sector_count)
{
    struct trace_record *record = &vr->trace->record[p - vr->pool];
    if (!choose(vr, p->request.id, record))
        return;
    fill(vr, record, operation);
    record->sector = sector;
    record->sector_count = (uint32_t)sector_count;
    p->request.at_ns = record->at_ns;
}

/* There are no more responses than slots. */
static void keep(struct vbd_ring *vr, const struct trace_record *record, int16_t status)
{
    struct vbd_trace *trace = vr->trace;
    assert(trace->unpublished_count < vr->ring.half.nr_ents);
    struct trace_record *kept = &trace->unpublished[trace->unpublished_count++];
    *kept = *record;
    kept->status = status;
    kept->at_ns[TRACE_ANSWERED] = clock_monotonic_ns();
}

void vbd_trace_answered(struct vbd_ring *vr, struct pending *p, int16_t status)
{
    if (p->request.at_ns == NULL) /* it is older than the trace, or not of the sample */
        return;
    p->request.at_ns = NULL;
    keep(vr, &vr->trace->record[p - vr->pool], status);
}

void vbd_trace_refused(struct vbd_ring *vr, uint64_t id, uint8_t operation, int16_t status)
{
    struct trace_record record;
    if (!choose(vr, id, &record))
        return;
    fill(vr, &record, operation);
    keep(vr, &record, status);
}

void vbd_trace_published(struct vbd_ring *vr)
{
    struct vbd_trace *trace = vr->trace;
    uint64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < trace->unpublished_count; i++) {
        trace->unpublished[i].at_ns[TRACE_PUBLISHED] = now_ns;
        trace_writer_put(trace->to.writer, &trace->unpublished[i]);
    }
    trace->unpublished_count = 0;
}

void vbd_ring_traced_read_done(struct block_request *request, int status)
{
    struct pending *p = container_of(request, struct pending, request);
    if (p->ring->trace != NULL)
        vbd_trace_answered(p->ring, p, status == 0 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    request->done = vbd_ring_read_done;
    vbd_ring_read_done(request, status);
}
