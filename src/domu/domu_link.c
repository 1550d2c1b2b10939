/* SPDX-License-Identifier: MIT */
/*
 * The link to Dom0: one thread takes all watch events of the domain and hands them to its devices,
 * notices Dom0's death, and gives the domain another life after a Dom0 restart where the caller
 * asked for that.
 *
 * A new life keeps addresses: the new segment is moved over the old one and the new doorbell takes
 * the old one's number, so that a thread which still looks at a ring or rings the doorbell does
 * nothing worse than look and ring once too often.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/thread.h"
#include "domu/domu_private.h"
#include "ring/barrier.h"
#include "tdf/pvclock.h"

enum {
    RELINK_PAUSE_MS = 20, /* between attempts: nothing announces that a service has come up */
    RELINK_PATIENCE_MS = 60000,
    RELINK_JUDGED_MS = 1000, /* what an attempt needs to tell of Dom0 */
    NS_PER_MS = 1000000,
};

static const struct vcpu_time_info *clock_page(const struct life *life)
{
    return &life->segment.shared_info->vcpu_info[0].time;
}

static int watch_settings(struct domu *domu, struct life *life)
{
    int rc = xs_client_watch(life->store, "control/shutdown", fronts_shutdown_token);
    if (rc == 0)
        rc = xs_client_watch(life->store, domu_trace_node, fronts_trace_token);
    if (rc < 0 || !domu_events_wanted(&domu->events))
        return rc;
    rc = xs_client_watch(life->store, "splitdom/tdf-in-force", fronts_clock_token);
    if (rc == 0 && domu->options.cpu_share_num != 0)
        rc = xs_client_watch(life->store, "cpu-share", fronts_share_token);
    return rc;
}

/* Makes a life without devices. On failure *life is destroyed again. */
static int begin_life(struct domu *domu, struct life *life, char *why, size_t why_bytes)
{
    uint32_t nr_pages = segment_pages_for(domu->options.pages);
    int rc = life_create(life, &domu->rundir, nr_pages, domu->tdf, &domu->patience, why, why_bytes);
    if (rc < 0)
        return rc;
    const struct domu_options *o = &domu->options;
    const struct life_description description = {
        .name = o->domain_name,
        .share = {(uint32_t)o->cpu_share_num, (uint32_t)o->cpu_share_den},
        .weight = (uint32_t)o->weight};
    if (description.name != NULL || description.share.num != 0 || description.weight != 0)
        rc = life_describe(life, &description, why, why_bytes);
    if (rc == 0) {
        rc = life->segment.nr_pages == nr_pages ? watch_settings(domu, life) : -EPROTO;
        if (rc < 0)
            snprintf(why, why_bytes, "cannot begin as a domain: %s", strerror(-rc));
    }
    if (rc < 0)
        life_destroy(life);
    return rc;
}

/* born_ns: what the domain's clock at this Dom0 shows, which has just been heard to answer. */
static int read_clock(const struct life *life, uint64_t *born_ns, char *why, size_t why_bytes)
{
    int rc = pvclock_read_ordered_ns(clock_page(life), born_ns);
    if (rc < 0)
        snprintf(why, why_bytes, "Dom0 does not come to an end with setting the clock: %s",
                 strerror(-rc));
    return rc;
}

static struct xenbus_front *next_front(struct domu *domu, struct xenbus_front *front)
{
    struct list_node *node = front == NULL ? list_first(&domu->fronts.list)
                                           : list_next(&domu->fronts.list, &front->of_domain);
    return node == NULL ? NULL : container_of(node, struct xenbus_front, of_domain);
}

/* The domain is of no use any more. The first reason stays. */
static void fail(struct domu *domu, const char *why)
{
    struct xenbus_front *front = NULL;
    if (load_full_u32(&domu->closing) != 0)
        return;
    if (domu->failed == 0) {
        snprintf(domu->failure, sizeof(domu->failure), "%s", why);
        store_release_u32(&domu->failed, (uint32_t)-ENOTCONN);
        domu_show_failure(domu);
    }
    while ((front = next_front(domu, front)) != NULL)
        front->class->lost(front, -ENOTCONN, domu->failure);
    pthread_cond_broadcast(&domu->life_changed);
}

/* Waits a little, and lets those who claim the domain have it. Returns whether to give up. */
static bool pause_or_closing(struct domu *domu)
{
    uint64_t until_ns = clock_monotonic_ns() + (uint64_t)RELINK_PAUSE_MS * NS_PER_MS;
    struct timespec until = clock_timespec(until_ns);
    int rc = 0;
    while (load_full_u32(&domu->closing) == 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&domu->claim_ended, &domu->lock, &until);
    return load_full_u32(&domu->closing) != 0;
}

static bool is_patient(const struct domu *domu)
{
    return patience_left_ms(&domu->patience, 1) > 0;
}

/* Takes all devices out of use. Returns whether the domain is worth another life: it has a device
 * that has not failed for good, or none at all. */
static bool suspend_all(struct domu *domu)
{
    struct xenbus_front *front = NULL;
    bool any = list_is_empty(&domu->fronts.list);
    while ((front = next_front(domu, front)) != NULL) {
        front->suspended = front->class->suspend(front) == 0;
        any = any || front->suspended;
    }
    return any;
}

/* Connects the domain's devices in a life that is not the domain's yet. */
static int link_all(struct domu *domu, struct life *fresh, char *why, size_t why_bytes)
{
    struct xenbus_front *front = NULL;
    grants_repeat(&domu->grants, fresh->segment.gnttab);
    int rc = ports_reopen(&domu->ports, fresh);
    if (rc < 0)
        snprintf(why, why_bytes, "cannot get event channels: %s", strerror(-rc));
    while (rc == 0 && (front = next_front(domu, front)) != NULL) {
        if (front->suspended)
            rc = front->class->link(front, why, why_bytes);
    }
    return rc;
}

/* forget: what the last life has told of its devices is over. What the next one tells of a device,
 * while others are still being linked, is not. */
static void set_life(struct domu *domu, struct life *life, bool forget)
{
    struct xenbus_front *front = NULL;
    while ((front = next_front(domu, front)) != NULL) {
        front->life = life;
        front->changed = front->changed && !forget;
    }
}

/* One attempt. Errors: -errno, to be tried again; -EXDEV the next Dom0's memory does not fit ours.
 */
static int try_relink(struct domu *domu, char *why, size_t why_bytes)
{
    struct life fresh;
    uint64_t born_ns;
    int rc = begin_life(domu, &fresh, why, why_bytes);
    if (rc < 0)
        return rc;
    set_life(domu, &fresh, true);
    rc = link_all(domu, &fresh, why, why_bytes);
    if (rc == 0)
        rc = read_clock(&fresh, &born_ns, why, why_bytes);
    if (rc == 0) {
        rc = life_move(&fresh, &domu->life);
        if (rc < 0) {
            snprintf(why, why_bytes, "the new service does not fit the old one: %s", strerror(-rc));
            rc = -EXDEV;
        }
    }
    set_life(domu, &domu->life, false);
    if (rc < 0)
        life_destroy(&fresh);
    else
        domain_clock_adopt(&domu->clock, clock_page(&domu->life), born_ns);
    return rc;
}

/* Returns 0 when the domain has another life, or -errno: given up, with the reason in why. */
static int relink(struct domu *domu, char *why, size_t why_bytes)
{
    struct xenbus_front *front = NULL;
    char now[256] = "";
    int rc, left_ms;
    if (!suspend_all(domu))
        return -ENOTCONN;
    if (domu_trace_stop(&domu->trace))
        fronts_trace(&domu->fronts);
    patience_give(&domu->patience, RELINK_PATIENCE_MS);
    do { /* An attempt that patience cuts short, before Dom0 had a second, gives no reason. */
        left_ms = patience_left_ms(&domu->patience, RELINK_JUDGED_MS);
        rc = try_relink(domu, now, sizeof(now));
        if (left_ms == RELINK_JUDGED_MS || is_patient(domu))
            snprintf(why, why_bytes, "%s", now);
    } while (rc < 0 && rc != -EXDEV && is_patient(domu) && !pause_or_closing(domu));
    patience_give_for_ever(&domu->patience);
    if (rc < 0)
        return rc;
    store_relaxed_u32(&domu->domid, domu->life.segment.domid);
    while ((front = next_front(domu, front)) != NULL) {
        if (front->suspended)
            front->class->resume(front);
        front->suspended = false;
    }
    pthread_cond_broadcast(&domu->life_changed);
    return 0;
}

/* What the end of the link means. Returns 0 to go on following: also a domain that is of no use any
 * more has a clock, which must outlive Dom0. */
static int link_lost(struct domu *domu, int reason)
{
    char why[256];
    if (!life_is_dead(&domu->life)) {
        if (reason == -ESHUTDOWN)
            snprintf(why, sizeof(why), "Dom0 told this domain to shut down");
        else
            snprintf(why, sizeof(why), "the connection to Dom0's store is lost: %s",
                     strerror(-reason));
        fail(domu, why);
        return 0;
    }
    /* Nobody writes its pages any more. */
    domain_clock_orphan(&domu->clock, domu->life.segment.shared_info, LIFE_NR_CLOCKS);
    snprintf(why, sizeof(why), "%s", life_end(&domu->life));
    if (life_is_destroyed(&domu->life)) {
        domu_events_note_destroyed(&domu->events);
        fail(domu, why);
        return -ENOTCONN;
    }
    if (domu->failed == 0 && domu->options.reconnect && relink(domu, why, sizeof(why)) == 0)
        return 0;
    fail(domu, why);
    return -ENOTCONN;
}

/* Is this domain to end? Errors: -ESHUTDOWN it is; those of xs_client. */
static int look_at_shutdown(struct domu *domu)
{
    struct xs_client *store = domu->life.store;
    char value[32];
    int rc = xs_client_read(store, 0, "control/shutdown", value, sizeof(value));
    if (rc > 0) {
        /* Acknowledge, as guests do: the request is taken. */
        (void)xs_client_write(store, 0, "control/shutdown", "");
        if (!domu_events_wanted(&domu->events))
            return -ESHUTDOWN;
        domu_events_note_shutdown(&domu->events, value);
        return 0;
    }
    return rc == -ENOENT ? 0 : rc;
}

/* What the domain itself is told. */
static int look_at_settings(struct domu *domu)
{
    struct fronts *fronts = &domu->fronts;
    int rc = 0;
    if (fronts->clock) {
        fronts->clock = false;
        rc = domu_events_read_clock(&domu->events, domu->life.store);
    }
    if (rc == 0 && fronts->share) {
        fronts->share = false;
        rc = domu_events_read_share(&domu->events, domu->life.store);
    }
    if (rc == 0 && fronts->trace) {
        fronts->trace = false;
        rc = domu_trace_read(&domu->trace, &domu->life);
        if (rc > 0)
            fronts_trace(&domu->fronts);
        if (rc >= 0)
            domu_trace_tidy(&domu->trace);
    }
    return rc < 0 ? rc : 0;
}

/* Acts on all that the watches have told. */
static int look_at_changes(struct domu *domu)
{
    struct xenbus_front *front = NULL;
    int settled = look_at_settings(domu);
    if (settled < 0)
        return settled;
    if (domu->fronts.shutdown) {
        domu->fronts.shutdown = false;
        int rc = look_at_shutdown(domu);
        if (rc < 0)
            return rc;
    }
    while ((front = next_front(domu, front)) != NULL) {
        if (!front->changed)
            continue;
        front->changed = false;
        int state = xenbus_front_back_state(front);
        if (life_is_dead(&domu->life))
            return -ENOTCONN;
        front->class->changed(front, state);
    }
    return 0;
}

static int wait_for_event(struct domu *domu)
{
    char path[XENBUS_FRONT_PATH_MAX + XENBUS_FRONT_NAME_MAX], token[XENBUS_FRONT_NAME_MAX];
    int rc = domu->failed != 0
                 ? life_idle(&domu->life)
                 : life_next_event(&domu->life, path, sizeof(path), token, sizeof(token));
    if (rc == 0)
        fronts_note(&domu->fronts, token);
    return rc == -E2BIG ? 0 : rc; /* not the event of a watch of ours */
}

/* Somebody claims the domain, which is alive, or of no use any more. One that is dead has the link
 * thread first: it may be what is waited for (domu_await_life). */
static bool is_claimed(const struct domu *domu)
{
    return life_is_interrupted(&domu->life) && (domu->failed != 0 || !life_is_dead(&domu->life));
}

static void *follow(void *arg)
{
    struct domu *domu = arg;
    int rc = 0;
    pthread_mutex_lock(&domu->lock);
    while (rc == 0 && load_full_u32(&domu->closing) == 0) {
        if (is_claimed(domu)) {
            pthread_cond_wait(&domu->claim_ended, &domu->lock);
            continue;
        }
        if (domu->failed == 0)
            rc = look_at_changes(domu);
        if (rc == 0)
            rc = wait_for_event(domu);
        if (rc == -ECANCELED)
            rc = 0;
        else if (rc < 0)
            rc = link_lost(domu, rc);
    }
    pthread_mutex_unlock(&domu->lock);
    return NULL;
}

/* The first time. A service that dies meanwhile was there: who wants to outlive it waits for the
 * next one; but there must be one to begin with. */
int domu_link_first(struct domu *domu, char *why, size_t why_bytes)
{
    uint64_t born_ns;
    int rc = begin_life(domu, &domu->life, why, why_bytes);
    bool waits = domu->options.reconnect && life_error_is_death(rc);
    if (waits)
        patience_give(&domu->patience, RELINK_PATIENCE_MS);
    while (waits && (life_error_is_death(rc) || rc == -ENOENT) && is_patient(domu)) {
        const struct timespec pause = {.tv_nsec = RELINK_PAUSE_MS * (long)NS_PER_MS};
        (void)nanosleep(&pause, NULL);
        rc = begin_life(domu, &domu->life, why, why_bytes);
    }
    patience_give_for_ever(&domu->patience);
    if (rc == 0)
        rc = read_clock(&domu->life, &born_ns, why, why_bytes);
    if (life_error_is_death(rc))
        return -ENOTCONN;
    if (rc < 0)
        return rc == -ETIME ? -ETIMEDOUT : rc;
    domain_clock_start(&domu->clock, clock_page(&domu->life), born_ns);
    store_relaxed_u32(&domu->domid, domu->life.segment.domid);
    return 0;
}

int domu_link_start(struct domu *domu)
{
    int rc = thread_start(&domu->link_thread, follow, domu);
    domu->link_runs = rc == 0;
    return rc;
}

void domu_link_stop(struct domu *domu, uint64_t ms)
{
    patience_cut(&domu->patience, ms);
    if (!domu->link_runs)
        return;
    store_full_u32(&domu->closing, 1);
    domu_claim(domu); /* wakes it, wherever it waits */
    domu_release(domu);
    pthread_join(domu->link_thread, NULL);
    domu->link_runs = false;
}
