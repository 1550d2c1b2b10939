/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/operations.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/container_of.h"
#include "service/back/vbd/indirect.h"
#include "service/back/vbd/vbd_ring_private.h"
#include "service/back/vbd/vbd_trace.h"
#include "service/block/queue.h"
#include "service/block/trace.h"
#include "trace/trace_probe.h"

static const struct vbd_rights *rights_now(struct vbd_ring *vr)
{
    const struct vdisk_capabilities *can = &vr->vdisk->capabilities;
    vr->rights.write = vr->config.writable && can->writable;
    vr->rights.flush = vr->rights.write && can->flush;
    vr->rights.discard = vr->rights.write && vr->config.discard && can->discard;
    return &vr->rights;
}

/* A disk that can't flush or discard says so; of anything else the front end knows it can. */
static int16_t status_of(const struct pending *p, int status)
{
    bool optional = p->operation == BLKIF_OP_FLUSH_DISKCACHE ||
                    p->operation == BLKIF_OP_WRITE_BARRIER || p->operation == BLKIF_OP_DISCARD;
    if (status == 0)
        return BLKIF_RSP_OKAY;
    return status == -EOPNOTSUPP && optional ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}

static void count_done(struct vbd_ring *vr, const struct pending *p)
{
    if (p->transfer == BLOCK_READ) {
        vr->stats.reads_done++;
        vr->stats.sectors += p->sector_count;
        return;
    }
    vr->stats.others_done++;
    if (p->transfer == BLOCK_WRITE)
        vr->stats.written_sectors += p->sector_count;
}

void operations_unmap(struct vbd_ring *vr, struct pending *p)
{
    struct pending_indirect *indirect = p->indirect;
    vbd_ring_unmap(vr, indirect != NULL ? indirect->gref : p->gref, p->gref_count);
    if (indirect == NULL)
        return;
    assert(vr->indirect_segments >= p->gref_count);
    vr->indirect_segments -= p->gref_count;
    p->indirect = NULL;
    free(indirect);
}

/* Plain reads take all of this for granted. */
static void give_back(struct vbd_ring *vr, struct pending *p)
{
    p->request.operation = BLOCK_READ;
    p->request.segments = p->segment;
    p->request.done = vbd_ring_read_done;
    p->request.asked_ns = 0;
    p->request.at_ns = NULL;
    vbd_ring_free_pending(vr, p);
}

static void finish(struct pending *p, int status)
{
    struct vbd_ring *vr = p->ring;
    assert(!block_request_is_active(&p->request));
    operations_unmap(vr, p); /* before anybody can see the answer */
    if (status == 0)
        count_done(vr, p);
    TRACE_PROBE(answered, vr->domid, p->request.id, p->sector);
    if (vr->trace != NULL)
        vbd_trace_answered(vr, p, status_of(p, status));
    vbd_ring_respond(vr, p->request.id, p->operation, status_of(p, status), p);
    if (vr->barrier == p)
        vr->barrier = NULL;
    give_back(vr, p);
    if (!vr->consuming)
        pollables_answered(&vr->pollable);
}

/* The image may have shrunk since the request was judged. */
static bool still_on_disk(const struct pending *p)
{
    uint64_t sectors = p->ring->vdisk->capabilities.sector_count;
    return p->sector_count <= sectors && p->sector <= sectors - p->sector_count;
}

static void submit_step(struct pending *p)
{
    struct block_request *request = &p->request;
    bool transfers = p->step == PENDING_TRANSFER;
    assert(p->step != PENDING_DRAIN);
    if (transfers && !still_on_disk(p)) {
        finish(p, -EINVAL);
        return;
    }
    request->operation = transfers ? p->transfer : BLOCK_FLUSH;
    request->sector = transfers ? p->sector : 0;
    request->sector_count = transfers ? p->sector_count : 0;
    request->segment_count = transfers ? p->segment_count : 0;
    block_submit(p->ring->config.client, request, p->ring->now_ns);
    block_trace_submitted(request);
}

static void step_done(struct block_request *request, int status)
{
    struct pending *p = container_of(request, struct pending, request);
    if (status < 0 || p->step == p->last_step) {
        finish(p, status);
        return;
    }
    p->step++;
    request->asked_ns = request->due_ns; /* the model sees it arrive when it had done the last */
    submit_step(p);
}

/* What all have in common; step, last_step and transfer are set. */
static void start(struct vbd_ring *vr, struct pending *p, uint64_t sector, uint64_t sector_count,
                  const uint64_t *stamp_ns)
{
    p->request.segments = p->indirect != NULL ? p->indirect->segment : p->segment;
    p->request.done = step_done;
    p->sector = sector;
    p->sector_count = sector_count;
    bool stamped = p->indirect != NULL || p->gref_count <= BLKIF_STAMPED_SEGMENTS_MAX;
    if (vr->config.virtual_completion)
        vbd_ring_stamp_request(vr, p, stamped ? stamp_ns : NULL);
    TRACE_PROBE(judged, vr->domid, p->request.id, sector);
    if (vr->trace != NULL)
        vbd_trace_judged(vr, p, p->operation, sector, sector_count);
    if (p->step == PENDING_DRAIN) {
        vr->barrier = p;
        (void)operations_barrier_over(vr);
    } else {
        submit_step(p);
    }
}

static void refuse(struct vbd_ring *vr, struct pending *p, int status)
{
    if (vr->trace != NULL)
        vbd_trace_refused(vr, p->request.id, p->operation, (int16_t)status);
    vbd_ring_respond(vr, p->request.id, p->operation, (int16_t)status, NULL);
    give_back(vr, p);
}

static struct pending *take_pending(struct vbd_ring *vr, uint64_t id, uint8_t operation)
{
    struct pending *p = vbd_ring_take_pending(vr);
    p->request.id = id;
    p->operation = operation;
    p->step = p->last_step = PENDING_TRANSFER;
    p->segment_count = p->gref_count = 0;
    return p;
}

static void start_write(struct vbd_ring *vr, const struct blkif_request *req,
                        const uint64_t *stamp_ns)
{
    struct pending *p = take_pending(vr, req->id, req->operation);
    int sectors;
    if (req->operation == BLKIF_OP_WRITE) {
        vr->stats.writes++;
        sectors = validate_write(req, rights_now(vr));
    } else {
        vr->stats.flushes++;
        sectors = validate_flush(req, rights_now(vr));
        p->step = req->operation == BLKIF_OP_WRITE_BARRIER ? PENDING_DRAIN : PENDING_FLUSH_BEFORE;
        p->last_step = sectors > 0 ? PENDING_FLUSH_AFTER : PENDING_FLUSH_BEFORE;
    }
    if (sectors >= 0 && vbd_ring_map_direct(vr, req, false, p) < 0)
        sectors = BLKIF_RSP_ERROR;
    if (sectors < 0) {
        refuse(vr, p, sectors);
        return;
    }
    p->transfer = BLOCK_WRITE;
    p->segment_count = p->gref_count = req->nr_segments;
    start(vr, p, req->sector_number, (uint64_t)sectors, stamp_ns);
}

static void start_discard(struct vbd_ring *vr, const struct blkif_request *copy,
                          const uint64_t *stamp_ns)
{
    const struct blkif_request_discard req = blkif_as_discard(copy);
    struct pending *p = take_pending(vr, req.id, req.operation);
    vr->stats.discards++;
    int status = validate_discard(&req, rights_now(vr));
    if (status < 0) {
        refuse(vr, p, status);
        return;
    }
    p->transfer = BLOCK_DISCARD;
    start(vr, p, req.sector_number, req.nr_sectors, stamp_ns);
}

static int map_named(struct vbd_ring *vr, struct pending *p, uint32_t count)
{
    struct pending_indirect *indirect = p->indirect;
    for (uint32_t i = 0; i < count; i++) {
        struct block_segment segment, *last;
        int rc = vbd_ring_map(vr, &indirect->named[i], p->transfer == BLOCK_READ, &segment);
        if (rc < 0)
            return rc;
        indirect->gref[p->gref_count++] = indirect->named[i].gref;
        vr->indirect_segments++;
        /* Neighbours in the domain's memory are one segment: the fewer, the quicker. */
        last = p->segment_count > 0 ? &indirect->segment[p->segment_count - 1] : NULL;
        if (last != NULL &&
            segment.address == last->address + (size_t)last->sector_count * BLKIF_SECTOR_SIZE)
            last->sector_count += segment.sector_count;
        else
            indirect->segment[p->segment_count++] = segment;
    }
    return 0;
}

/* Room for what is named indirectly, or NULL. */
static struct pending_indirect *make_room(struct vbd_ring *vr, uint32_t count)
{
    struct pending_indirect *indirect = NULL;
    if (vr->indirect_segments + count <= VBD_RING_INDIRECT_SEGMENTS)
        indirect = malloc(sizeof(*indirect) +
                          count * (sizeof(indirect->segment[0]) + sizeof(indirect->named[0]) +
                                   sizeof(indirect->gref[0])));
    if (indirect == NULL) {
        vr->stats.out_of_room++;
        return NULL;
    }
    indirect->named = (struct blkif_request_segment *)(void *)(indirect->segment + count);
    indirect->gref = (grant_ref_t *)(void *)(indirect->named + count);
    return indirect;
}

/* Maps what the request names. Returns how many sectors that is, or the status to refuse with. */
static int take_named(struct vbd_ring *vr, const struct blkif_request_indirect *req,
                      struct pending *p)
{
    p->indirect = make_room(vr, req->nr_segments);
    if (p->indirect == NULL)
        return BLKIF_RSP_ERROR;
    vr->work += req->nr_segments;
    if (indirect_copy(&vr->grants, req, vr->config.persistent_grants, p->indirect->named) < 0)
        return BLKIF_RSP_ERROR;
    int sectors = validate_indirect_segments(req, p->indirect->named, &vr->rights);
    if (sectors >= 0 && map_named(vr, p, req->nr_segments) < 0)
        sectors = BLKIF_RSP_ERROR;
    return sectors;
}

static void start_indirect(struct vbd_ring *vr, const struct blkif_request *copy,
                           const uint64_t *stamp_ns)
{
    const struct blkif_request_indirect req = blkif_as_indirect(copy);
    struct pending *p = take_pending(vr, req.id, req.indirect_op);
    vr->stats.writes += req.indirect_op == BLKIF_OP_WRITE;
    vr->stats.unknown += req.indirect_op > BLKIF_OP_WRITE;
    p->transfer = req.indirect_op == BLKIF_OP_READ ? BLOCK_READ : BLOCK_WRITE;
    int sectors = validate_indirect(&req, rights_now(vr));
    if (sectors >= 0)
        sectors = take_named(vr, &req, p);
    if (sectors < 0) {
        operations_unmap(vr, p);
        refuse(vr, p, sectors);
        return;
    }
    start(vr, p, req.sector_number, (uint64_t)sectors, stamp_ns);
}

void operations_start(struct vbd_ring *vr, const struct blkif_request *req,
                      const uint64_t *stamp_ns)
{
    switch (req->operation) {
    case BLKIF_OP_WRITE:
    case BLKIF_OP_WRITE_BARRIER:
    case BLKIF_OP_FLUSH_DISKCACHE:
        start_write(vr, req, stamp_ns);
        break;
    case BLKIF_OP_DISCARD:
        start_discard(vr, req, stamp_ns);
        break;
    case BLKIF_OP_INDIRECT:
        start_indirect(vr, req, stamp_ns);
        break;
    default:
        vr->stats.unknown++;
        if (vr->trace != NULL)
            vbd_trace_refused(vr, req->id, req->operation, BLKIF_RSP_EOPNOTSUPP);
        vbd_ring_respond(vr, req->id, req->operation, BLKIF_RSP_EOPNOTSUPP, NULL);
        break;
    }
}

bool operations_end_batch(const struct blkif_request *req)
{
    return req->operation == BLKIF_OP_WRITE_BARRIER || req->operation == BLKIF_OP_INDIRECT;
}

bool operations_barrier_over(struct vbd_ring *vr)
{
    struct pending *p = vr->barrier;
    assert(p != NULL);
    if (p->step != PENDING_DRAIN || back_ring_in_flight(&vr->ring.half) > 1)
        return false;
    p->step++;
    submit_step(p);
    return vr->barrier == NULL;
}
