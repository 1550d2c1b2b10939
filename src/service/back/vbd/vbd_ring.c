/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/container_of.h"
#include "ring/evtchn.h"
#include "ring/fault_guard.h"
#include "ring/sleeper.h"
#include "service/back/vbd/operations.h"
#include "service/back/vbd/vbd_ring_private.h"
#include "service/back/vbd/vbd_trace.h"
#include "service/block/queue.h"
#include "service/block/trace.h"
#include "trace/trace_probe.h"

enum {
    FLUSH_EVERY = 8,           /* requests */
    FLUSH_EVERY_SEGMENTS = 16, /* or so many of theirs */
    STAMP_AHEAD_NS =
        10000, /* real: what two CPUs' unordered looks at a clock can differ by, amply */
};

static struct vbd_ring *of_pollable(struct pollable *p)
{
    return container_of(p, struct vbd_ring, pollable);
}

/* When the domain is to see p as complete: what the model took, on the domain's clock, after the
 * domain asked. 0: when it gets to see it. */
void vbd_ring_stamp_response(struct vbd_ring *vr, const struct pending *p)
{
    uint64_t due_ns = p != NULL ? p->request.due_ns : 0, stamp_ns = 0;
    if (due_ns != 0) {
        struct tdf scale = block_client_scale(vr->config.client);
        uint64_t took_ns = due_ns > p->asked_ns ? due_ns - p->asked_ns : 0;
        stamp_ns = p->stamp_ns + tdf_virtual_ns(*vr->config.tdf, tdf_real_ns(scale, took_ns));
    }
    blkif_put_response_stamp(&vr->ring, stamp_ns);
}

/* The answer of the block layer. Responses to what came from the disk are shown by the loop's next
 * visit, several at once: a wake-up is expensive. */
void vbd_ring_read_done(struct block_request *request, int status)
{
    struct pending *p = container_of(request, struct pending, request);
    struct vbd_ring *vr = p->ring;
    assert(!block_request_is_active(request));
    BLOCK_PROBE(answered, request);
    vbd_ring_unmap(vr, p->gref, request->segment_count);
    if (status == 0) {
        vr->stats.reads_done++;
        vr->stats.sectors += request->sector_count;
    }
    vbd_ring_respond(vr, request->id, BLKIF_OP_READ, status == 0 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR,
                     p);
    vbd_ring_free_pending(vr, p);
    if (!vr->consuming)
        pollables_answered(&vr->pollable);
}

int vbd_ring_create(const struct vbd_ring_config *config, struct vbd_ring **out)
{
    *out = NULL;
    if (config->page_order > BLKIF_RING_PAGE_ORDER_MAX)
        return -EINVAL;
    struct vbd_ring *vr = calloc(1, sizeof(*vr));
    if (vr == NULL)
        return -ENOMEM;
    vr->config = *config;
    hold_get(config->memory);
    hold_get(config->client_hold);
    vr->vdisk = config->client->vdisk;
    vr->domid = config->segment->domid;
    vr->pollable.ops = vbd_ring_ops(false);
    vr->alias_fault_slot = -1;
    int rc = grant_map_init(&vr->grants, config->segment, DOM0_DOMID);
    if (rc == 0)
        rc = vbd_ring_map_pages(vr);
    if (rc == 0) {
        vr->pool = calloc(vr->ring.half.nr_ents, sizeof(*vr->pool));
        rc = vr->pool == NULL ? -ENOMEM : 0;
    }
    if (rc < 0) {
        vbd_ring_destroy(vr);
        return rc;
    }
    vr->rights.block_sectors = vr->vdisk->capabilities.logical_sector_bytes / BLOCK_SECTOR_BYTES;
    for (uint32_t i = 0; i < vr->ring.half.nr_ents; i++) {
        struct pending *p = &vr->pool[i];
        p->ring = vr;
        p->request.owner = vr->domid;
        p->request.operation = BLOCK_READ;
        p->request.segments = p->segment;
        p->request.done = vbd_ring_read_done;
        p->next_free = vr->free;
        vr->free = p;
    }
    *out = vr;
    return 0;
}

static void free_ring(struct vbd_ring *vr)
{
    struct hold *memory = vr->config.memory, *client = vr->config.client_hold;
    grant_map_fini(&vr->grants);
    free(vr->pool);
    free(vr);
    hold_put(client);
    hold_put(memory);
}

static void let_go_of_pages(struct vbd_ring *vr, struct pending *p)
{
    if (vbd_ring_is_plain_read(p))
        vbd_ring_unmap(vr, p->gref, p->request.segment_count);
    else
        operations_unmap(vr, p);
}

/* The device is done with the pages of a request whose ring has ended. */
static void lingering_done(struct block_request *request, int status)
{
    struct pending *p = container_of(request, struct pending, request);
    struct vbd_ring *vr = p->ring;
    (void)status;
    operations_unmap(vr, p);
    assert(vr->lingering > 0);
    if (--vr->lingering == 0)
        free_ring(vr);
}

static void cancel_all(struct vbd_ring *vr)
{
    for (uint32_t i = 0; vr->pool != NULL && i < vr->ring.half.nr_ents; i++) {
        struct pending *p = &vr->pool[i];
        if (!block_request_is_active(&p->request) && p != vr->barrier)
            continue;
        if (block_cancel(&p->request)) {
            let_go_of_pages(vr, p);
            continue;
        }
        if (vbd_ring_is_plain_read(p))
            p->gref_count = p->request.segment_count; /* as operations_unmap wants it */
        p->request.done = lingering_done;
        vr->lingering++;
    }
}

void vbd_ring_destroy(struct vbd_ring *vr)
{
    if (vr == NULL)
        return;
    assert(vr->pollable.loop == NULL);
    if (vr->trace != NULL)
        (void)vbd_trace_set(vr, &(struct back_trace){.threshold = 0});
    cancel_all(vr);
    fault_guard_drop(vr->alias_fault_slot);
    if (vr->alias != NULL)
        munmap(vr->alias, (size_t)XEN_PAGE_SIZE << vr->config.page_order);
    if (vr->lingering == 0) {
        free_ring(vr);
        return;
    }
    /* The front end may have all pages back but those that the device is at work on. */
    grant_map_end_persistence(&vr->grants);
    vbd_ring_unmap(vr, vr->config.ring_ref, 1u << vr->config.page_order);
}

/* The domain may say anything: a time to come counts as now, beyond what two looks at one clock can
 * differ by; one long past makes its own disk look wrong. */
void vbd_ring_stamp_request(struct vbd_ring *vr, struct pending *p, const uint64_t *stamp_ns)
{
    uint64_t now_ns = tdf_clock_now_ns(vr->config.clock);
    p->stamp_ns = stamp_ns != NULL ? *stamp_ns : now_ns;
    if (p->stamp_ns > now_ns + tdf_virtual_ns(*vr->config.tdf, STAMP_AHEAD_NS))
        p->stamp_ns = now_ns;
    p->asked_ns = p->request.asked_ns = tdf_clock_when_ns(vr->config.clock, p->stamp_ns);
}

/* Their answers are shown. */
static void wake_sleepers(struct vbd_ring *vr)
{
    uint32_t *word = vr->config.segment->sleepers->word;
    assert(vr->answered_count <= vr->ring.half.nr_ents);
    for (uint32_t i = 0; i < vr->answered_count; i++)
        vr->stats.woken += sleeper_wake(&word[vr->answered[i]]);
    vr->answered_count = 0;
}

/* Shows filled responses to the front end, wakes who sleeps until then, and notifies it when it
 * asked for that. */
__attribute__((noinline)) static void push(struct vbd_ring *vr)
{
    vr->unpushed = false;
    TRACE_PROBE(published, vr->domid, vr->ring.half.rsp_prod_pvt, 0);
    pollable_showed(&vr->pollable);
    bool must_notify = back_ring_push(&vr->ring.half);
    wake_sleepers(vr);
    if (!must_notify)
        return;
    vr->stats.notifies++;
    struct shared_info *si = vr->config.segment->shared_info;
    if (evtchn_set_pending(si, vr->config.port, vr->config.vcpu)) {
        vr->stats.wakes++;
        (void)evtchn_wake(si, vr->config.vcpu); /* -EFAULT: its memory is gone, it is dying */
    }
}

/* As all that has `traced`, compiled twice: without a trace there is nothing of it in there. */
static inline void show(struct vbd_ring *vr, bool traced)
{
    if (!vr->unpushed)
        return;
    if (traced && vr->trace->unpublished_count > 0)
        vbd_trace_published(vr);
    push(vr);
}

__attribute__((always_inline)) static inline void start_read(struct vbd_ring *vr,
                                                             const struct blkif_request *req,
                                                             const uint64_t *stamp_ns, bool traced)
{
    struct pending *p = vr->free;
    assert(p != NULL); /* there are as many as the ring has slots */
    int sectors = validate_read(req, &vr->rights);
    if (sectors >= 0 && vbd_ring_map_direct(vr, req, true, p) < 0)
        sectors = BLKIF_RSP_ERROR;
    if (sectors < 0) {
        if (traced)
            vbd_trace_refused(vr, req->id, BLKIF_OP_READ, (int16_t)sectors);
        vbd_ring_respond(vr, req->id, BLKIF_OP_READ, (int16_t)sectors, NULL);
        return;
    }
    vr->free = p->next_free;
    p->request.id = req->id;
    p->request.segment_count = req->nr_segments;
    p->request.sector_count = (uint64_t)sectors;
    p->request.sector = req->sector_number;
    BLOCK_PROBE(judged, &p->request);
    if (vr->config.virtual_completion)
        vbd_ring_stamp_request(vr, p,
                               req->nr_segments <= BLKIF_STAMPED_SEGMENTS_MAX ? stamp_ns : NULL);
    if (traced) {
        p->request.done = vbd_ring_traced_read_done;
        vbd_trace_judged(vr, p, BLKIF_OP_READ, req->sector_number, (uint64_t)sectors);
    }
    block_submit(vr->config.client, &p->request, vr->now_ns);
    if (traced)
        block_trace_submitted(&p->request);
}

__attribute__((always_inline)) static inline void start_some(struct vbd_ring *vr,
                                                             const struct blkif_request *req,
                                                             const uint64_t *stamp_ns, int count,
                                                             bool traced)
{
    if (traced)
        vbd_trace_taken(vr);
    for (int i = 0; i < count; i++) {
        if (__builtin_expect(req[i].operation == BLKIF_OP_READ, true))
            start_read(vr, &req[i], &stamp_ns[i], traced);
        else
            operations_start(vr, &req[i], &stamp_ns[i]);
    }
}

/* Takes a few of the requests that wait, and then starts them: what each one needs of the cache is
 * on its way while the others are taken. Returns how many. */
__attribute__((always_inline)) static inline int consume_lot(struct vbd_ring *vr, int waiting,
                                                             bool traced)
{
    struct blkif_request req[FLUSH_EVERY];
    uint64_t stamp_ns[FLUSH_EVERY]; /* with completion in virtual time only */
    uint64_t common = UINT64_MAX;   /* bits of their ids */
    int count = 0, most = waiting < FLUSH_EVERY ? waiting : FLUSH_EVERY;
    assert(waiting > 0);
    for (int segments = 0; count < most && segments < FLUSH_EVERY_SEGMENTS; count++) {
        if (__builtin_expect(!blkif_take_request(&vr->ring, &req[count]), false))
            most = operations_end_batch(&req[count]) ? count + 1 : most;
        if (vr->config.virtual_completion)
            stamp_ns[count] = blkif_take_request_stamp(&vr->ring);
        TRACE_PROBE(taken, vr->domid, req[count].id, req[count].sector_number);
        common &= req[count].id;
        vdisk_expect(vr->vdisk, req[count].sector_number);
        segments += req[count].nr_segments;
    }
    if (traced && vbd_trace_wants_any(vr, req, count, common))
        start_some(vr, req, stamp_ns, count, true);
    else
        start_some(vr, req, stamp_ns, count, false);
    show(vr, traced);
    return count;
}

__attribute__((noinline)) static int consume_some(struct vbd_ring *vr, int waiting)
{
    return consume_lot(vr, waiting, false);
}

__attribute__((noinline)) static int consume_traced(struct vbd_ring *vr, int waiting)
{
    return consume_lot(vr, waiting, true);
}

/* Nothing is taken off the ring now. */
static bool is_held(struct vbd_ring *vr)
{
    return vr->halted || (vr->barrier != NULL && !operations_barrier_over(vr));
}

/* What hits and others have copied. */
static uint64_t work_done(const struct vbd_ring *vr)
{
    return vr->stats.sectors + vr->work;
}

__attribute__((always_inline)) static inline int consume(struct vbd_ring *vr, uint64_t now_ns,
                                                         bool traced)
{
    vr->now_ns = now_ns;
    bool held = is_held(vr);
    show(vr, traced); /* what has come from the disk: the front end is woken before we look */
    if (held)
        return 0;
    int waiting = back_ring_look(&vr->ring.half);
    if (waiting < 0) {
        vr->halted = true;
        return waiting;
    }
    int count = waiting < VBD_RING_CONSUME_BATCH ? waiting : VBD_RING_CONSUME_BATCH;
    vr->rights.sector_count = vr->vdisk->capabilities.sector_count;
    vr->consuming = true;
    uint64_t before = work_done(vr);
    int taken = 0;
    while (taken < count && work_done(vr) - before < VBD_RING_CONSUME_SECTORS &&
           vr->barrier == NULL)
        taken += traced ? consume_traced(vr, count - taken) : consume_some(vr, count - taken);
    vr->consuming = false;
    vr->stats.requests += (uint64_t)taken;
    return taken;
}

/* Dispatch may have answered from the cache since the last look, and nobody looks again soon. */
static bool arm(struct vbd_ring *vr, bool traced)
{
    show(vr, traced);
    return back_ring_final_check(&vr->ring.half) && !vr->halted && vr->barrier == NULL;
}

static int on_consume(struct pollable *p, uint64_t now_ns)
{
    return consume(of_pollable(p), now_ns, false);
}

static int on_consume_traced(struct pollable *p, uint64_t now_ns)
{
    return consume(of_pollable(p), now_ns, true);
}

static void on_flush(struct pollable *p)
{
    show(of_pollable(p), false);
}

static void on_flush_traced(struct pollable *p)
{
    show(of_pollable(p), true);
}

static bool on_arm(struct pollable *p)
{
    return arm(of_pollable(p), false);
}

static bool on_arm_traced(struct pollable *p)
{
    return arm(of_pollable(p), true);
}

static void on_broken(struct pollable *p, int error)
{
    struct vbd_ring *vr = of_pollable(p);
    assert(vr->halted && error == -EPROTO);
    vr->config.broken(vr->config.ctx);
}

const struct pollable_ops *vbd_ring_ops(bool traced)
{
    static const struct pollable_ops ops = {
        .consume = on_consume, .flush = on_flush, .arm = on_arm, .broken = on_broken};
    static const struct pollable_ops traced_ops = {.consume = on_consume_traced,
                                                   .flush = on_flush_traced,
                                                   .arm = on_arm_traced,
                                                   .broken = on_broken};
    return traced ? &traced_ops : &ops;
}
