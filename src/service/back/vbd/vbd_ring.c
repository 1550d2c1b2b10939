/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/container_of.h"
#include "ring/evtchn.h"
#include "ring/fault_guard.h"
#include "service/back/vbd/validate.h"
#include "service/block/queue.h"

enum {
    FLUSH_EVERY = 8,           /* requests */
    FLUSH_EVERY_SEGMENTS = 16, /* or so many of theirs */
    STAMP_AHEAD_NS =
        10000, /* real: what two CPUs' unordered looks at a clock can differ by, amply */
};

/*
 * Ring pages need not lie side by side in the domain's memory. When they don't, the pages are
 * mapped a second time, in order: mremap with an old size of 0 duplicates a shared mapping.
 */
static int alias_pages(struct vbd_ring *vr, void *const *page, uint32_t count)
{
    size_t bytes = (size_t)count << XEN_PAGE_SHIFT;
    uint8_t *view = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (view == MAP_FAILED)
        return -errno;
    vr->alias = view;
    for (uint32_t i = 0; i < count; i++) {
        void *at = view + ((size_t)i << XEN_PAGE_SHIFT);
        if (mremap(page[i], 0, XEN_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
            return -errno;
    }
    vr->alias_fault_slot = fault_guard_add(view, bytes, vr->config.fault_slot);
    return vr->alias_fault_slot < 0 ? vr->alias_fault_slot : 0;
}

static int map_ring(struct vbd_ring *vr)
{
    uint32_t count = 1u << vr->config.page_order;
    void *page[1 << BLKIF_RING_PAGE_ORDER_MAX];
    bool contiguous = true;
    for (uint32_t i = 0; i < count; i++) {
        int rc = grant_map_get(&vr->grants, vr->config.ring_ref[i], true, false, &page[i]);
        if (rc < 0)
            return rc;
        contiguous = contiguous && page[i] == (uint8_t *)page[0] + ((size_t)i << XEN_PAGE_SHIFT);
    }
    if (!contiguous) {
        int rc = alias_pages(vr, page, count);
        if (rc < 0)
            return rc;
    }
    struct sring *sring = contiguous ? page[0] : vr->alias;
    /* A fresh front end starts at 0; one that re-attaches to a live ring starts where it stands. */
    back_ring_init(&vr->ring.half, sring, blkif_ring_entries(vr->config.page_order),
                   load_acquire_u32(&sring->rsp_prod));
    return 0;
}

static struct vbd_ring *of_pollable(struct pollable *p)
{
    return container_of(p, struct vbd_ring, pollable);
}

static int consume(struct pollable *p, uint64_t now_ns)
{
    return vbd_ring_consume(of_pollable(p), now_ns);
}

static void flush(struct pollable *p)
{
    vbd_ring_flush(of_pollable(p));
}

static bool arm(struct pollable *p)
{
    return vbd_ring_arm(of_pollable(p));
}

static void broken(struct pollable *p, int error)
{
    struct vbd_ring *vr = of_pollable(p);
    assert(vr->halted && error == -EPROTO);
    vr->config.broken(vr->config.ctx);
}

static const struct pollable_ops pollable_ops = {
    .consume = consume, .flush = flush, .arm = arm, .broken = broken};

/* Responses share slots with requests, so filling one here is always possible: it takes the place
 * of a request that was consumed. */
static void respond(struct vbd_ring *vr, uint64_t id, uint8_t operation, int16_t status,
                    uint64_t stamp_ns)
{
    if (status == BLKIF_RSP_EOPNOTSUPP)
        vr->stats.unsupported++;
    else if (status != BLKIF_RSP_OKAY)
        vr->stats.errors++;
    blkif_put_response(&vr->ring, id, operation, status);
    if (vr->config.virtual_completion)
        blkif_put_response_stamp(&vr->ring, stamp_ns);
    vr->unpushed = true;
}

static void unmap_segments(struct vbd_ring *vr, const struct pending *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        grant_map_put(&vr->grants, p->gref[i]);
}

/* When the domain is to see p as complete: what the model took, on the domain's clock, after the
 * domain asked. 0: when it gets to see it. */
static uint64_t completion_stamp(const struct vbd_ring *vr, const struct pending *p)
{
    uint64_t due_ns = p->request.due_ns, asked_ns = p->request.asked_ns;
    if (!vr->config.virtual_completion || due_ns == 0)
        return 0;
    struct tdf scale = block_client_scale(vr->config.client);
    uint64_t took_ns = due_ns > asked_ns ? due_ns - asked_ns : 0;
    return p->stamp_ns + tdf_virtual_ns(*vr->config.tdf, tdf_real_ns(scale, took_ns));
}

/* The answer of the block layer. Responses to what came from the disk are shown by the loop's next
 * visit, several at once: a wake-up is expensive. */
static void request_done(struct block_request *request, int status)
{
    struct pending *p = container_of(request, struct pending, request);
    struct vbd_ring *vr = p->ring;
    assert(!block_request_is_active(request));
    unmap_segments(vr, p, request->segment_count);
    if (status == 0) {
        vr->stats.reads_done++;
        vr->stats.sectors += request->sector_count;
    }
    respond(vr, p->id, p->operation, status == 0 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR,
            completion_stamp(vr, p));
    p->next_free = vr->free;
    vr->free = p;
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
    vr->vdisk = config->client->vdisk;
    vr->pollable.ops = &pollable_ops;
    vr->alias_fault_slot = -1;
    int rc = grant_map_init(&vr->grants, config->segment, DOM0_DOMID);
    if (rc == 0)
        rc = map_ring(vr);
    if (rc == 0) {
        vr->pool = calloc(vr->ring.half.nr_ents, sizeof(*vr->pool));
        rc = vr->pool == NULL ? -ENOMEM : 0;
    }
    if (rc < 0) {
        vbd_ring_destroy(vr);
        return rc;
    }
    for (uint32_t i = 0; i < vr->ring.half.nr_ents; i++) {
        struct pending *p = &vr->pool[i];
        p->ring = vr;
        p->request.operation = BLOCK_READ;
        p->request.segments = p->segment;
        p->request.done = request_done;
        p->next_free = vr->free;
        vr->free = p;
    }
    *out = vr;
    return 0;
}

void vbd_ring_destroy(struct vbd_ring *vr)
{
    if (vr == NULL)
        return;
    assert(vr->pollable.loop == NULL);
    for (uint32_t i = 0; vr->pool != NULL && i < vr->ring.half.nr_ents; i++)
        block_cancel(&vr->pool[i].request);
    fault_guard_drop(vr->alias_fault_slot);
    if (vr->alias != NULL)
        munmap(vr->alias, (size_t)XEN_PAGE_SIZE << vr->config.page_order);
    grant_map_fini(&vr->grants);
    free(vr->pool);
    free(vr);
}

static int map_segments(struct vbd_ring *vr, const struct blkif_request *req, struct pending *p)
{
    for (uint32_t i = 0; i < req->nr_segments; i++) {
        void *page;
        const struct blkif_request_segment *seg = &req->seg[i];
        int rc = grant_map_get(&vr->grants, seg->gref, true, vr->config.persistent_grants, &page);
        if (rc < 0) {
            unmap_segments(vr, p, i);
            return rc;
        }
        p->gref[i] = seg->gref;
        p->segment[i] = (struct block_segment){
            .address = (uint8_t *)page + (size_t)seg->first_sect * BLKIF_SECTOR_SIZE,
            .sector_count = (uint32_t)(seg->last_sect - seg->first_sect) + 1};
    }
    return 0;
}

/* Notes when a request was asked for. The domain may say anything: a time to come counts as now,
 * beyond what two looks at one clock can differ by; one long past makes its own disk look wrong. */
static void stamp_request(struct vbd_ring *vr, struct pending *p)
{
    p->stamp_ns = p->request.asked_ns = 0;
    if (!vr->config.virtual_completion)
        return;
    uint64_t now_ns = tdf_clock_now_ns(vr->config.clock);
    p->stamp_ns = p->request.segment_count <= BLKIF_STAMPED_SEGMENTS_MAX ? vr->stamp_ns : now_ns;
    if (p->stamp_ns > now_ns + tdf_virtual_ns(*vr->config.tdf, STAMP_AHEAD_NS))
        p->stamp_ns = now_ns;
    p->request.asked_ns = tdf_clock_when_ns(vr->config.clock, p->stamp_ns);
}

static void start_request(struct vbd_ring *vr, const struct blkif_request *req)
{
    uint32_t sector_count;
    int16_t status = validate_request(req, vr->vdisk->capabilities.sector_count, &sector_count);
    struct pending *p = vr->free;
    assert(p != NULL); /* there are as many as the ring has slots */
    if (status == BLKIF_RSP_OKAY && map_segments(vr, req, p) < 0)
        status = BLKIF_RSP_ERROR;
    if (status != BLKIF_RSP_OKAY) {
        respond(vr, req->id, req->operation, status, 0);
        return;
    }
    vr->free = p->next_free;
    p->operation = req->operation;
    p->id = req->id;
    p->request.segment_count = req->nr_segments;
    p->request.sector_count = sector_count;
    p->request.sector = req->sector_number;
    stamp_request(vr, p);
    block_submit(vr->config.client, &p->request, vr->now_ns);
}

/* Takes a few of the requests that wait, and then starts them: what each one needs of the cache is
 * on its way while the others are taken. Returns how many. */
static int consume_some(struct vbd_ring *vr, int waiting)
{
    struct blkif_request req[FLUSH_EVERY];
    uint64_t stamp_ns[FLUSH_EVERY] = {0};
    int count = 0, most = waiting < FLUSH_EVERY ? waiting : FLUSH_EVERY;
    for (int segments = 0; count < most && segments < FLUSH_EVERY_SEGMENTS; count++) {
        blkif_take_request(&vr->ring, &req[count]);
        if (vr->config.virtual_completion)
            stamp_ns[count] = blkif_take_request_stamp(&vr->ring);
        vdisk_expect(vr->vdisk, req[count].sector_number);
        segments += req[count].nr_segments;
    }
    for (int i = 0; i < count; i++) {
        vr->stamp_ns = stamp_ns[i];
        start_request(vr, &req[i]);
    }
    vbd_ring_flush(vr);
    return count;
}

int vbd_ring_consume(struct vbd_ring *vr, uint64_t now_ns)
{
    vbd_ring_flush(vr); /* what has come from the disk: the front end is woken before we look */
    if (vr->halted)
        return 0;
    int waiting = back_ring_look(&vr->ring.half);
    if (waiting < 0) {
        vr->halted = true;
        return waiting;
    }
    int count = waiting < VBD_RING_CONSUME_BATCH ? waiting : VBD_RING_CONSUME_BATCH;
    vr->now_ns = now_ns;
    vr->consuming = true;
    uint64_t sectors = vr->stats.sectors; /* grows by hits only, here */
    int taken = 0;
    while (taken < count && vr->stats.sectors - sectors < VBD_RING_CONSUME_SECTORS)
        taken += consume_some(vr, count - taken);
    vr->consuming = false;
    vr->stats.requests += (uint64_t)taken;
    return taken;
}

void vbd_ring_flush(struct vbd_ring *vr)
{
    if (!vr->unpushed)
        return;
    vr->unpushed = false;
    pollable_showed(&vr->pollable);
    if (!back_ring_push(&vr->ring.half))
        return;
    vr->stats.notifies++;
    struct shared_info *si = vr->config.segment->shared_info;
    if (evtchn_set_pending(si, vr->config.port, vr->config.vcpu)) {
        vr->stats.wakes++;
        (void)evtchn_wake(si, vr->config.vcpu); /* -EFAULT: its memory is gone, it is dying */
    }
}

bool vbd_ring_arm(struct vbd_ring *vr)
{
    /* Dispatch may have answered from the cache since the last look, and nobody looks again soon.
     */
    vbd_ring_flush(vr);
    return back_ring_final_check(&vr->ring.half) && !vr->halted;
}
