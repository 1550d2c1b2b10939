/* SPDX-License-Identifier: MIT */
/*
 * The link to Dom0: domain, ring, device; made once, followed by a thread of its own, and made
 * again after a Dom0 restart where the caller asked for that.
 *
 * Re-linking keeps addresses: the new segment is moved over the old one and the new doorbell takes
 * the old one's number, so that a thread which still looks at the ring or rings the doorbell does
 * nothing worse than look and ring once too often.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"
#include "domu/blkfront/blkfront_private.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/gnttab.h"
#include "tdf/pvclock.h"

enum {
    RELINK_PAUSE_MS = 20, /* between attempts: nothing announces that a service has come up */
    RELINK_PATIENCE_MS = 60000,
};

static uint32_t ring_pages(uint32_t page_order)
{
    return 1u << page_order;
}

/* Enough for the largest ring that we would take, whatever the service grants. */
static uint32_t pages_wanted(const struct blkfront *bf)
{
    uint32_t entries = blkif_ring_entries(bf->page_order);
    return segment_pages_for(ring_pages(bf->page_order) + entries * bf->pages_per_request);
}

/*
 * The data pages first, then those of the ring, all granted for good, in order. So both stay where
 * they are in a later domain with a smaller ring: a segment of as many pages has its free ones in
 * the same place, which segment_attach has verified.
 */
static int lay_out(const struct blkfront *bf, struct life *domu, struct vbd_front *front)
{
    const grant_ref_t first_ref = GNTTAB_NR_RESERVED_ENTRIES;
    const struct segment *segment = &domu->segment;
    uint32_t nr_ring_pages = ring_pages(front->page_order);
    uint32_t entries =
        bf->shadow.nr_entries != 0 ? bf->shadow.nr_entries : blkif_ring_entries(front->page_order);
    uint32_t nr_data_pages = entries * bf->pages_per_request;
    if (nr_ring_pages + nr_data_pages > segment->nr_free_pages ||
        first_ref + nr_ring_pages + nr_data_pages > segment->nr_grant_entries)
        return -EPROTO;
    front->ring_pfn = segment->free_pfn + nr_data_pages;
    front->ring_ref = first_ref + nr_data_pages;
    for (uint32_t i = 0; i < nr_ring_pages + nr_data_pages; i++)
        gnttab_grant_access(segment->gnttab, first_ref + i, DOM0_DOMID, segment->free_pfn + i,
                            false);
    sring_init(segment_page(segment, front->ring_pfn), 0);
    return 0;
}

static const struct vcpu_time_info *clock_page(const struct life *domu)
{
    return &domu->segment.shared_info->vcpu_info[0].time;
}

/* Makes a domain and connects its disk. On failure *domu is destroyed again. born_ns: what its
 * clock shows by then. */
static int link_up(struct blkfront *bf, struct life *domu, struct vbd_front *front,
                   uint64_t *born_ns, char *why, size_t why_bytes)
{
    int rc = life_create(domu, &bf->rundir, bf->nr_pages, bf->tdf, &bf->patience, why, why_bytes);
    if (rc < 0)
        return rc;
    rc = vbd_front_prepare(front, domu, bf->page_order, why, why_bytes);
    front->virtual_completion = front->virtual_completion && !bf->options.real_completion;
    if (rc == 0) {
        rc = lay_out(bf, domu, front);
        if (rc < 0)
            snprintf(why, why_bytes, "the domain's memory is too small for its ring");
    }
    if (rc == 0)
        rc = vbd_front_connect(front, why, why_bytes);
    if (rc == 0) {
        rc = pvclock_read_ordered_ns(clock_page(domu), born_ns);
        if (rc < 0)
            snprintf(why, why_bytes, "Dom0 does not come to an end with setting the clock: %s",
                     strerror(-rc));
    }
    if (rc < 0)
        life_destroy(domu);
    return rc;
}

static void take_geometry(struct blkfront *bf)
{
    store_relaxed_u32(&bf->sector_size, bf->front.sector_size);
    store_relaxed_u32(&bf->physical_sector_size, bf->front.physical_sector_size);
    store_relaxed_u32(&bf->info, bf->front.info);
    store_relaxed_u64(&bf->sectors, bf->front.sectors);
}

/* With the lock held. */
static void start_ring(struct blkfront *bf)
{
    assert(bf->ring.half.sring == segment_page(&bf->domu.segment, bf->front.ring_pfn));
    front_ring_restart(&bf->ring.half, blkif_ring_entries(bf->front.page_order), 0);
    bf->stamped = bf->front.virtual_completion;
    bf->stats.domid = bf->domu.segment.domid;
    bf->stats.ring_entries = bf->ring.half.nr_ents;
    bf->stats.depth = bf->depth;
    take_geometry(bf);
}

/* Fails the device unless we are closing it ourselves. */
static void link_failed(struct blkfront *bf, int error, const char *why)
{
    struct wake_batch wakes;
    wakes.count = 0;
    if (load_full_u32(&bf->closing) != 0)
        return;
    pthread_mutex_lock(&bf->lock);
    blkfront_fail(bf, error, why, &wakes);
    bf->linking = false;
    blkfront_unlock(bf, &wakes);
}

/* Puts the fresh domain where the old one was; see the head of this file. */
static int replace_domu(struct blkfront *bf, struct life *fresh, struct vbd_front *front,
                        uint64_t born_ns)
{
    struct life *old = &bf->domu;
    if (fresh->segment.nr_pages != old->segment.nr_pages)
        return -EPROTO; /* not the memory that we asked for: it would not fit */
    int rc = life_move(fresh, old);
    if (rc < 0)
        return rc;
    bf->front = *front;
    bf->front.domu = &bf->domu;
    domain_clock_adopt(&bf->clock, clock_page(&bf->domu), born_ns);
    return 0;
}

static bool pause_or_closing(struct blkfront *bf)
{
    struct timespec pause = {.tv_nsec = RELINK_PAUSE_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
    return load_full_u32(&bf->closing) != 0;
}

/* Takes the ring out of use: afterwards nobody sleeps in the old domain. Errors: a device that has
 * failed stays as it is. */
static int suspend_ring(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    int rc = bf->failed;
    bf->linking = rc == 0;
    while (bf->linking && bf->leader) {
        evtchn_raise_upcall(bf->domu.segment.shared_info, LIFE_VCPU_DEVICES);
        pthread_cond_wait(&bf->link_changed, &bf->lock);
    }
    pthread_mutex_unlock(&bf->lock);
    return rc;
}

static void resume_ring(struct blkfront *bf)
{
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

/* Returns 0 when linked again, or -errno: given up, with the reason in why. */
static int relink(struct blkfront *bf, char *why, size_t why_bytes)
{
    int suspended = suspend_ring(bf);
    if (suspended < 0)
        return suspended;
    patience_give(&bf->patience, RELINK_PATIENCE_MS);
    do {
        struct life fresh;
        struct vbd_front front;
        uint64_t born_ns;
        int rc = link_up(bf, &fresh, &front, &born_ns, why, why_bytes);
        if (rc == 0) {
            rc = replace_domu(bf, &fresh, &front, born_ns);
            if (rc < 0) {
                life_destroy(&fresh);
                snprintf(why, why_bytes, "the new service does not fit the old one: %s",
                         strerror(-rc));
                return rc;
            }
            patience_give_for_ever(&bf->patience);
            resume_ring(bf);
            return 0;
        }
        if (pause_or_closing(bf))
            return -ECANCELED;
    } while (patience_left_ms(&bf->patience, 1) > 0);
    return -ENOTCONN;
}

/* What the end of the link means. Returns 0 to go on following. */
static int link_lost(struct blkfront *bf, int reason)
{
    char why[256] = "Dom0 is gone";
    if (load_full_u32(&bf->closing) != 0)
        return -ECANCELED;
    if (life_is_dead(&bf->domu)) /* nobody writes its pages any more */
        domain_clock_orphan(&bf->clock, bf->domu.segment.shared_info, LIFE_NR_CLOCKS);
    if (reason == -ESHUTDOWN) {
        link_failed(bf, -ENOTCONN, "Dom0 told this domain to shut down");
        return -ESHUTDOWN;
    }
    if (bf->options.reconnect && life_is_dead(&bf->domu)) {
        if (relink(bf, why, sizeof(why)) == 0)
            return 0;
        link_failed(bf, -ENOTCONN, why);
        return -ENOTCONN;
    }
    link_failed(bf, -ENOTCONN,
                life_is_dead(&bf->domu) ? "Dom0 is gone: the service was stopped or has died"
                                        : "Dom0 closed the disk (its log says why)");
    return -ENOTCONN;
}

/* The disk is lost. The domain is not: its clock goes on, and outlives Dom0 too. */
static void follow_clock(struct blkfront *bf)
{
    char path[VBD_PATH_MAX + 32], token[32];
    int rc = 0;
    while (rc >= 0 && !life_is_dead(&bf->domu))
        rc = life_next_event(&bf->domu, path, sizeof(path), token, sizeof(token));
    if (life_is_dead(&bf->domu))
        domain_clock_orphan(&bf->clock, bf->domu.segment.shared_info, LIFE_NR_CLOCKS);
}

/* Follows the device: size changes, closing, death. */
static void *follow(void *arg)
{
    struct blkfront *bf = arg;
    for (;;) {
        int state = vbd_front_wait_change(&bf->front);
        if (state == XenbusStateConnected)
            take_geometry(bf);
        else if (state < 0 || state == XenbusStateClosing || state == XenbusStateClosed ||
                 state == XenbusStateUnknown) {
            if (link_lost(bf, state) < 0) {
                follow_clock(bf);
                return NULL;
            }
        }
    }
}

/* The first time. A service that dies meanwhile was there: who wants to outlive it waits for the
 * next one; but there must be one to begin with. */
static int link_first(struct blkfront *bf, char *why, size_t why_bytes)
{
    uint64_t born_ns;
    int rc = link_up(bf, &bf->domu, &bf->front, &born_ns, why, why_bytes);
    bool waits = bf->options.reconnect && life_error_is_death(rc);
    if (waits)
        patience_give(&bf->patience, RELINK_PATIENCE_MS);
    while (waits && (life_error_is_death(rc) || rc == -ENOENT) &&
           patience_left_ms(&bf->patience, 1) > 0) {
        (void)pause_or_closing(bf);
        rc = link_up(bf, &bf->domu, &bf->front, &born_ns, why, why_bytes);
    }
    patience_give_for_ever(&bf->patience);
    if (rc == 0)
        domain_clock_start(&bf->clock, clock_page(&bf->domu), born_ns);
    return rc == -ETIME ? -ETIMEDOUT : rc;
}

int blkfront_link_start(struct blkfront *bf, char *why, size_t why_bytes)
{
    bf->nr_pages = pages_wanted(bf);
    int rc = link_first(bf, why, why_bytes);
    if (rc < 0)
        return rc;
    bf->page_order = bf->front.page_order;
    bf->data_pfn = bf->domu.segment.free_pfn;
    bf->data_ref = GNTTAB_NR_RESERVED_ENTRIES;
    bf->ring.half.sring = segment_page(&bf->domu.segment, bf->front.ring_pfn);
    rc = shadow_init(&bf->shadow, blkif_ring_entries(bf->page_order));
    if (rc == 0) {
        /* The ring that counts is the one that was granted, not the one that we asked for. */
        bf->depth =
            bf->options.depth < bf->shadow.nr_entries ? bf->options.depth : bf->shadow.nr_entries;
        start_ring(bf);
        rc = thread_start(&bf->link_thread, follow, bf);
        bf->link_runs = rc == 0;
    }
    if (rc < 0)
        snprintf(why, why_bytes, "cannot start the disk: %s", strerror(-rc));
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
    /* From here on to the end; there is nothing to say to a Dom0 that we have not met yet. */
    patience_cut(&bf->patience, is_linking(bf) ? 0 : BLKFRONT_CLOSE_MS);
    store_full_u32(&bf->closing, 1);
    if (bf->link_runs) {
        life_interrupt(&bf->domu);
        pthread_join(bf->link_thread, NULL);
        vbd_front_close(&bf->front);
    }
    life_destroy(&bf->domu);
}
