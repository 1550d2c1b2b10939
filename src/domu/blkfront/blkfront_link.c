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
#include "domu/blkfront/transfer.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "xenstore/xenbus_state.h"

static struct blkfront *blkfront_of(struct xenbus_front *front)
{
    return container_of(front, struct blkfront, front.xenbus);
}

/* With the lock held. */
static void start_ring(struct blkfront *bf)
{
    const struct segment *segment = &bf->domu->life.segment;
    assert(bf->ring.half.sring == segment_page(segment, bf->ring_pfn));
    assert(bf->front.page_order <= bf->page_order);
    front_ring_restart(&bf->ring.half, blkif_ring_entries(bf->front.page_order), 0);
    bf->stamped = bf->front.virtual_completion;
    bf->stats.domid = segment->domid;
    bf->stats.ring_entries = bf->ring.half.nr_ents;
    bf->stats.depth = bf->depth;
    blkfront_take_limits(bf);
}

/* Fails the device unless we are closing it ourselves. */
static void vbd_lost(struct xenbus_front *front, int error, const char *why)
{
    struct blkfront *bf = blkfront_of(front);
    struct wake_batch wakes;
    wakes.count = 0;
    if (load_full_u32(&bf->closing) != 0)
        return;
    pthread_mutex_lock(&bf->lock);
    blkfront_fail(bf, error, why, &wakes);
    bf->linking = false;
    blkfront_unlock(bf, &wakes);
}

static void vbd_changed(struct xenbus_front *front, int state)
{
    struct blkfront *bf = blkfront_of(front);
    if (state == XenbusStateConnected && vbd_front_read_disk(&bf->front) == 0) {
        pthread_mutex_lock(&bf->lock);
        blkfront_take_limits(bf);
        pthread_mutex_unlock(&bf->lock);
        return;
    }
    if (life_is_dead(front->life)) /* the link thread is about to see that */
        return;
    if (state < 0 || state == XenbusStateConnected ||
        xenbus_state_is_closing((enum xenbus_state)state))
        vbd_lost(front, -ENOTCONN, "Dom0 closed the disk (its log says why)");
}

/* Takes the ring out of use. */
static int vbd_suspend(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    pthread_mutex_lock(&bf->lock);
    int rc = bf->failed;
    bf->linking = rc == 0;
    blkfront_view_stop(bf);
    while (bf->linking && bf->leader) {
        evtchn_raise_upcall(bf->shared_info, bf->vcpu);
        pthread_cond_wait(&bf->link_changed, &bf->lock);
    }
    pthread_mutex_unlock(&bf->lock);
    return rc;
}

/* Offers the ring, whose pages are granted, in the life of the front end. */
static int connect_ring(struct blkfront *bf, char *why, size_t why_bytes)
{
    const struct segment *segment = &bf->front.xenbus.life->segment;
    bf->front.ring_ref = bf->data_ref + (bf->ring_pfn - bf->first_pfn);
    bf->front.claims_ref = bf->data_ref + bf->nr_pages - 1;
    bf->front.port = ports_port(&bf->domu->ports, bf->vcpu, bf);
    sring_init(segment_page(segment, bf->ring_pfn), 0);
    return vbd_front_connect(&bf->front, why, why_bytes);
}

static int prepare(struct blkfront *bf, char *why, size_t why_bytes)
{
    int rc = vbd_front_prepare(&bf->front, bf->page_order, why, why_bytes);
    if (bf->options.real_completion)
        bf->front.virtual_completion = false;
    /* What a device has of its domain it takes when it is opened. */
    if (bf->options.no_shared_cache || (bf->nr_pages != 0 && bf->claims == NULL))
        bf->front.shared_cache = false;
    return rc;
}

static int vbd_link(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct blkfront *bf = blkfront_of(front);
    int rc = prepare(bf, why, why_bytes);
    if (rc == 0)
        rc = connect_ring(bf, why, why_bytes);
    if (rc == 0)
        blkfront_view_start(bf);
    return rc;
}

static void vbd_resume(struct xenbus_front *front)
{
    struct blkfront *bf = blkfront_of(front);
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&bf->lock);
    start_ring(bf);
    bf->linking = false;
    bf->stats.reconnects++;
    blkfront_ask_again(bf);
    blkfront_nudge(bf, true, &wakes);
    pthread_cond_broadcast(&bf->link_changed);
    blkfront_unlock(bf, &wakes);
}

static const struct front_class vbd_front_class = {
    .name = "vbd",
    .changed = vbd_changed,
    .suspend = vbd_suspend,
    .link = vbd_link,
    .resume = vbd_resume,
    .lost = vbd_lost,
};

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

/* Pages and references: the data first, then the ring, all granted for good. */
static int take_pages(struct blkfront *bf, char *why, size_t why_bytes)
{
    struct domu *domu = bf->domu;
    uint32_t nr_data_pages = bf->nr_entries * bf->pages_per_entry;
    uint32_t nr_ring_pages = 1u << bf->front.page_order;
    uint32_t nr_pages = nr_data_pages + nr_ring_pages + (bf->front.shared_cache ? 1 : 0);
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
    bf->ring_pfn = bf->first_pfn + nr_data_pages;
    if (bf->front.shared_cache)
        bf->claims = segment_page(&domu->life.segment, bf->ring_pfn + nr_ring_pages);
    return 0;
}

static int take_port(struct blkfront *bf, char *why, size_t why_bytes)
{
    int rc = ports_open(&bf->domu->ports, &bf->domu->life, bf);
    if (rc < 0) {
        snprintf(why, why_bytes, "cannot get an event channel: %s", strerror(-rc));
        return rc;
    }
    bf->vcpu = (uint32_t)rc;
    return 0;
}

/* What Dom0 still has mapped is of no use to anybody as long as the domain lives. */
static void give_back(struct blkfront *bf)
{
    struct domu *domu = bf->domu;
    if (bf->vcpu != 0)
        ports_close(&domu->ports, &domu->life, bf->vcpu, bf);
    if (bf->nr_pages != 0) {
        bool dead = life_is_dead(&domu->life);
        uint32_t nr_data_pages = bf->ring_pfn - bf->first_pfn;
        int rc = grants_end(&domu->grants, bf->data_ref, bf->nr_pages, dead);
        int ro_rc = grants_end(&domu->grants, bf->ro_ref, nr_data_pages, dead);
        if (rc == 0 && ro_rc == 0)
            pages_give(&domu->pages, bf->first_pfn, bf->nr_pages);
    }
    bf->vcpu = bf->nr_pages = 0;
    bf->claims = NULL;
}

static int make_tables(struct blkfront *bf, char *why, size_t why_bytes)
{
    int rc = shadow_init(&bf->shadow, bf->nr_entries);
    if (rc == 0) {
        /* The ring that counts is the one that was granted, not the one that we asked for. */
        bf->depth = bf->options.depth < bf->nr_entries ? bf->options.depth : bf->nr_entries;
        bf->done = calloc(bf->depth, sizeof(*bf->done));
        bf->transfers = calloc(bf->depth, sizeof(*bf->transfers));
        rc = bf->done != NULL && bf->transfers != NULL ? hit_queue_init(&bf->hits, bf->depth)
                                                       : -ENOMEM;
    }
    if (rc < 0)
        snprintf(why, why_bytes, "out of memory");
    return rc;
}

static int connect_device(struct blkfront *bf, char *why, size_t why_bytes)
{
    struct domu *domu = bf->domu;
    xenbus_front_init(&bf->front.xenbus, &vbd_front_class, &domu->fronts, &domu->life,
                      bf->options.vdev);
    int rc = prepare(bf, why, why_bytes);
    if (rc < 0)
        return rc;
    bf->nr_entries = blkfront_entries(&bf->options, blkif_ring_entries(bf->front.page_order));
    rc = take_pages(bf, why, why_bytes);
    if (rc == 0)
        rc = take_port(bf, why, why_bytes);
    if (rc == 0)
        rc = connect_ring(bf, why, why_bytes);
    if (rc == 0)
        rc = make_tables(bf, why, why_bytes);
    if (rc == 0)
        return 0;
    if (!bf->owns_domu) /* else the domain ends with us */
        xenbus_front_close(&bf->front.xenbus);
    give_back(bf);
    return rc;
}

static bool is_open(struct domu *domu, uint32_t devid)
{
    for (struct list_node *node = list_first(&domu->fronts.list); node != NULL;
         node = list_next(&domu->fronts.list, node)) {
        struct xenbus_front *front = container_of(node, struct xenbus_front, of_domain);
        if (front->class == &vbd_front_class && front->devid == devid)
            return true;
    }
    return false;
}

/* With the domain claimed. A Dom0 that dies meanwhile was there: who wants to outlive it waits for
 * the next one. */
static int open_claimed(struct blkfront *bf, char *why, size_t why_bytes)
{
    struct domu *domu = bf->domu;
    int rc;
    do {
        rc = domu_await_life(domu);
        if (rc < 0) {
            snprintf(why, why_bytes, "%s", domu->failure);
            return rc;
        }
        if (is_open(domu, bf->options.vdev)) {
            snprintf(why, why_bytes, "disk %u of this domain is open already", bf->options.vdev);
            return -EBUSY;
        }
        rc = connect_device(bf, why, why_bytes);
    } while (rc < 0 && life_is_dead(&domu->life) && domu->options.reconnect);
    return rc;
}

int blkfront_link_start(struct blkfront *bf, char *why, size_t why_bytes)
{
    struct domu *domu = bf->domu;
    domu_claim(domu);
    int rc = open_claimed(bf, why, why_bytes);
    if (rc == 0) {
        const struct segment *segment = &domu->life.segment;
        bf->page_order = bf->front.page_order;
        bf->ring.half.sring = segment_page(segment, bf->ring_pfn);
        bf->data = segment_page(segment, bf->first_pfn);
        bf->doorbell_fd = domu->life.doorbell_fd;
        bf->hints = segment->hints;
        bf->shared_info = segment->shared_info;
        bf->clock = &domu->clock;
        start_ring(bf);
        blkfront_view_start(bf);
        list_push_back(&domu->fronts.list, &bf->front.xenbus.of_domain);
    }
    domu_release(domu);
    return rc;
}

static bool is_linking(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    bool linking = bf->linking;
    pthread_mutex_unlock(&bf->lock);
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
    domu_claim(domu);
    if (list_is_linked(&bf->front.xenbus.of_domain)) {
        list_remove(&bf->front.xenbus.of_domain);
        xenbus_front_close(&bf->front.xenbus);
    }
    give_back(bf);
    domu_release(domu);
    if (bf->owns_domu)
        domu_close(domu);
}
