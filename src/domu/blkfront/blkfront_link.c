/* SPDX-License-Identifier: MIT */
/*
 * The disk as a device of its domain: what it takes of the domain when it is opened, and what the
 * domain's link thread does with it afterwards (vbd_front_class): size changes, closing, Dom0's
 * death, the next life.
 *
 * Memory, doorbell and vCPU keep their place in all lives of the domain; see domu_link.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/blkfront_sleep.h"
#include "domu/blkfront/transfer.h"
#include "domu/domu_device.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "xenstore/xenbus_state.h"

static struct blkfront *blkfront_of(struct xenbus_front *front)
{
    return container_of(front, struct blkfront, front.xenbus);
}

/* With its lock held: it has a ring to the present Dom0. */
static void start_ring(struct blkfront_queue *queue)
{
    struct blkfront *bf = queue->bf;
    const struct segment *segment = &bf->domu->life.segment;
    assert(queue->ring.half.sring == segment_page(segment, queue->ring_pfn));
    assert(bf->front.page_order <= bf->page_order);
    front_ring_restart(&queue->ring.half, blkif_ring_entries(bf->front.page_order), 0);
    queue->stamped = bf->front.virtual_completion;
    queue->without_ring = false;
    blkfront_start_words(queue);
    queue->stats.domid = segment->domid;
    queue->stats.ring_entries = queue->ring.half.nr_ents;
    queue->stats.depth = bf->queue[0].depth;
}

/* Fails the device unless we are closing it ourselves. */
static void vbd_lost(struct xenbus_front *front, int error, const char *why)
{
    struct blkfront *bf = blkfront_of(front);
    if (load_full_u32(&bf->closing) != 0)
        return;
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        struct wake_batch wakes;
        wakes.count = 0;
        pthread_mutex_lock(&queue->lock);
        blkfront_fail(queue, error, why, &wakes);
        queue->linking = false;
        blkfront_unlock(queue, &wakes);
    }
}

static bool is_same_disk(const struct vbd_disk *a, const struct vbd_disk *b)
{
    return a->sectors == b->sectors && a->sector_size == b->sector_size &&
           a->physical_sector_size == b->physical_sector_size && a->info == b->info &&
           a->max_indirect_segments == b->max_indirect_segments && a->flush == b->flush &&
           a->discard == b->discard && a->discard_granularity == b->discard_granularity &&
           a->discard_alignment == b->discard_alignment;
}

/* The event of the first connection may come long after it: then there is no news. */
static void vbd_changed(struct xenbus_front *front, int state)
{
    struct blkfront *bf = blkfront_of(front);
    const struct vbd_disk before = bf->front.disk;
    if (state == XenbusStateConnected && vbd_front_read_disk(&bf->front) == 0) {
        if (!is_same_disk(&before, &bf->front.disk))
            blkfront_take_limits(bf);
        return;
    }
    int loss = domu_device_loss(front, state);
    if (loss < 0)
        vbd_lost(front, loss,
                 loss == -ENOTCONN ? "Dom0 closed the disk (its log says why)"
                                   : "nodes of the disk (state, sectors, info, features) make no "
                                     "sense or cannot be read: the disk is disabled");
}

/* Takes a ring out of use. */
static int suspend_queue(struct blkfront_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    int rc = queue->failed;
    queue->linking = rc == 0;
    while (queue->linking && (queue->leader || queue->lying > 0)) {
        evtchn_raise_upcall(queue->bf->shared_info, queue->vcpu);
        blkfront_rouse(queue);
        pthread_cond_wait(&queue->link_changed, &queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
    return rc;
}

static int vbd_suspend(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    int rc = 0;
    pthread_mutex_lock(&bf->lock);
    blkfront_view_stop(bf);
    pthread_mutex_unlock(&bf->lock);
    for (uint32_t i = 0; i < bf->nr_queues && rc == 0; i++)
        rc = suspend_queue(&bf->queue[i]);
    return rc;
}

/* Offers the rings, whose pages are granted, in the life of the front end. */
static int connect_rings(struct blkfront *bf, char *why, size_t why_bytes)
{
    const struct segment *segment = &bf->front.xenbus.life->segment;
    for (uint32_t i = 0; i < bf->front.queue_count; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        bf->front.queue[i].ring_ref = bf->data_ref + (queue->ring_pfn - bf->first_pfn);
        bf->front.queue[i].port = ports_port(&bf->domu->ports, queue->vcpu, queue);
        sring_init(segment_page(segment, queue->ring_pfn), 0);
    }
    bf->front.claims_ref = bf->data_ref + bf->nr_pages - 1;
    return vbd_front_connect(&bf->front, why, why_bytes);
}

static int prepare(struct blkfront *bf, char *why, size_t why_bytes)
{
    bool first = bf->nr_pages == 0;
    int rc = vbd_front_prepare(&bf->front, bf->page_order,
                               first ? bf->options.queues : bf->nr_queues, why, why_bytes);
    if (bf->options.real_completion)
        bf->front.virtual_completion = false;
    /* What a device has of its domain it takes when it is opened. */
    if (bf->options.no_shared_cache || (!first && bf->claims == NULL))
        bf->front.shared_cache = false;
    return rc;
}

static int vbd_link(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct blkfront *bf = blkfront_of(front);
    int rc = prepare(bf, why, why_bytes);
    if (rc == 0)
        rc = connect_rings(bf, why, why_bytes);
    if (rc == 0)
        blkfront_view_start(bf);
    return rc;
}

static void resume_queue(struct blkfront_queue *queue, bool has_ring)
{
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&queue->lock);
    queue->linking = false;
    queue->stats.reconnects++;
    if (has_ring) {
        start_ring(queue);
        blkfront_ask_again(queue);
        blkfront_nudge(queue, true, &wakes);
    } else {
        blkfront_leave_ring(queue, &wakes);
    }
    pthread_cond_broadcast(&queue->link_changed);
    blkfront_unlock(queue, &wakes);
}

static void vbd_resume(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    blkfront_take_first_limits(bf);
    store_relaxed_u32(&bf->queues_in_use, bf->front.queue_count);
    for (uint32_t i = 0; i < bf->nr_queues; i++)
        resume_queue(&bf->queue[i], i < bf->front.queue_count);
}

static void vbd_trace(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        pthread_mutex_lock(&bf->queue[i].lock);
        blkfront_trace_set(&bf->queue[i], &bf->domu->trace);
        pthread_mutex_unlock(&bf->queue[i].lock);
    }
}

/* All of our pages to be written by Dom0, and the data once more to be read only. */
static int grant_pages(struct blkfront *bf, uint32_t nr_pages, uint32_t nr_data_pages)
{
    struct domu *domu = bf->domu;
    int rc = grants_offer(&domu->grants, bf->first_pfn, nr_pages, false, &bf->data_ref);
    if (rc < 0)
        return rc;
    rc = grants_offer(&domu->grants, bf->first_pfn, nr_data_pages, true, &bf->ro_ref);
    if (rc < 0) /* Dom0 has not been told of them: it has none mapped */
        (void)grants_end(&domu->grants, bf->data_ref, nr_pages, true);
    return rc;
}

/* Pages and references: the data of all queues first, then their rings, all granted for good. */
static int take_pages(struct blkfront *bf, char *why, size_t why_bytes)
{
    struct domu *domu = bf->domu;
    uint32_t each_data = bf->nr_entries * bf->pages_per_entry;
    uint32_t each_ring = 1u << bf->front.page_order;
    uint32_t nr_data_pages = bf->nr_queues * each_data;
    uint32_t nr_ring_pages = bf->nr_queues * each_ring;
    uint32_t nr_pages = nr_data_pages + nr_ring_pages + (bf->front.shared_cache ? 1 : 0);
    grants_sweep(&domu->grants, &domu->pages);
    int rc = pages_take(&domu->pages, nr_pages, &bf->first_pfn);
    if (rc == 0) {
        rc = grant_pages(bf, nr_pages, nr_data_pages);
        if (rc < 0)
            pages_give(&domu->pages, bf->first_pfn, nr_pages);
    }
    if (rc < 0) {
        snprintf(why, why_bytes, "the domain has no %u pages for the disk (domu_options.pages): %s",
                 nr_pages, strerror(-rc));
        return rc;
    }
    bf->nr_pages = nr_pages;
    bf->nr_data_pages = nr_data_pages;
    uint32_t ring_pfn = bf->first_pfn + nr_data_pages;
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        bf->queue[i].first_page = i * each_data;
        bf->queue[i].ring_pfn = ring_pfn + i * each_ring;
    }
    if (bf->front.shared_cache)
        bf->claims = segment_page(&domu->life.segment, ring_pfn + nr_ring_pages);
    return 0;
}

static int take_ports(struct blkfront *bf, char *why, size_t why_bytes)
{
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        int rc = ports_open(&bf->domu->ports, &bf->domu->life, queue);
        if (rc < 0) {
            ports_explain(rc, why, why_bytes);
            return rc;
        }
        queue->vcpu = (uint32_t)rc;
    }
    return 0;
}

/* What Dom0 still has mapped is of no use to anybody until it is not: see grants_sweep. */
static void vbd_give_back(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    struct domu *domu = bf->domu;
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        if (queue->vcpu != 0)
            ports_close(&domu->ports, &domu->life, queue->vcpu, queue);
        queue->vcpu = 0;
    }
    if (bf->nr_pages != 0) {
        bool dead = life_is_dead(&domu->life);
        (void)grants_end(&domu->grants, bf->data_ref, bf->nr_pages, dead);
        (void)grants_end(&domu->grants, bf->ro_ref, bf->nr_data_pages, dead);
        grants_give_pages(&domu->grants, &domu->pages, bf->first_pfn, bf->nr_pages);
    }
    blkfront_give_words(bf);
    bf->nr_pages = 0;
    bf->claims = NULL;
}

static int vbd_open(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct blkfront *bf = blkfront_of(front);
    int rc = prepare(bf, why, why_bytes);
    if (rc < 0)
        return rc;
    bf->nr_queues = bf->front.queue_count;
    bf->nr_entries = blkfront_entries(&bf->options, blkif_ring_entries(bf->front.page_order));
    rc = take_pages(bf, why, why_bytes);
    if (rc == 0)
        rc = take_ports(bf, why, why_bytes);
    if (rc == 0)
        rc = connect_rings(bf, why, why_bytes);
    if (rc == 0) {
        blkfront_take_words(bf);
        rc = blkfront_queues_make(bf, why, why_bytes);
    }
    if (rc == 0)
        return 0;
    if (!bf->owns_domu) /* else the domain ends with us */
        xenbus_front_close(front);
    vbd_give_back(front);
    return rc;
}

static void start_queues(struct blkfront *bf)
{
    const struct segment *segment = &bf->domu->life.segment;
    blkfront_take_first_limits(bf);
    store_relaxed_u32(&bf->queues_in_use, bf->nr_queues);
    for (uint32_t i = 0; i < bf->nr_queues; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        queue->ring.half.sring = segment_page(segment, queue->ring_pfn);
        start_ring(queue);
    }
}

static void vbd_opened(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    struct domu *domu = bf->domu;
    const struct segment *segment = &domu->life.segment;
    bf->page_order = bf->front.page_order;
    bf->data = segment_page(segment, bf->first_pfn);
    bf->doorbell_fd = domu->life.doorbell_fd;
    bf->hints = segment->hints;
    bf->shared_info = segment->shared_info;
    bf->clock = &domu->clock;
    start_queues(bf);
    blkfront_view_start(bf);
    /* Not first when the domain's thread gets to it: no request is to be missed. */
    if (domu_trace_read(&domu->trace, &domu->life) > 0)
        fronts_trace(&domu->fronts);
    vbd_trace(front);
}

static const struct front_class vbd_front_class = {
    .name = "vbd",
    .device = "disk",
    .open = vbd_open,
    .opened = vbd_opened,
    .give_back = vbd_give_back,
    .changed = vbd_changed,
    .suspend = vbd_suspend,
    .link = vbd_link,
    .resume = vbd_resume,
    .lost = vbd_lost,
    .trace = vbd_trace,
};

int blkfront_link_start(struct blkfront *bf, char *why, size_t why_bytes)
{
    return domu_device_open(bf->domu, &bf->front.xenbus, &vbd_front_class, bf->options.vdev, why,
                            why_bytes);
}

static bool is_linking(struct blkfront *bf)
{
    struct blkfront_queue *queue = &bf->queue[0];
    pthread_mutex_lock(&queue->lock);
    bool linking = queue->linking;
    pthread_mutex_unlock(&queue->lock);
    return linking;
}

void blkfront_link_stop(struct blkfront *bf)
{
    struct domu *domu = bf->domu;
    if (domu == NULL)
        return;
    store_full_u32(&bf->closing, 1);
    if (bf->owns_domu) /* there is nothing to say to a Dom0 that we have not met yet */
        domu_link_stop(domu, is_linking(bf) ? 0 : BLKFRONT_CLOSE_MS);
    domu_device_close(domu, &bf->front.xenbus);
    if (bf->owns_domu)
        domu_close(domu);
}
