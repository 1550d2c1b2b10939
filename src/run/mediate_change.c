/* SPDX-License-Identifier: MIT */
/*
 * mediate_change: what becomes of a change of the domain's rate in its programs.
 *
 * The watcher, a thread that sleeps at the clock's page, sees it first: Dom0 wakes it as soon as it
 * has published another line. What Dom0 writes into the store then says the rate exactly, but takes
 * several wake-ups more to get here, and timers of the rate of before ring meanwhile.
 *
 *     Dom0                                  the watcher
 *     1. the new line, version              1. v = version
 *     2. wakes who sleeps at version        2. looks at the line, kicks who waits
 *                                           3. sleeps unless version != v
 */
#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "base/thread.h"
#include "ring/barrier.h"
#include "ring/futex.h"
#include "run/mediate_hold.h"
#include "run/mediate_private.h"
#include "run/reach.h"
#include "tdf/counter.h"
#include "tdf/line_rate.h"
#include "tdf/pvclock.h"

enum { REAL_NS = 20000 }; /* how far a clock that is the kernel's may be from it, read by the TSC */

static const struct vcpu_time_info *clock_page(const struct mediate *m)
{
    return &m->page->vcpu_info[0].time;
}

bool mediate_is_real(const struct mediate *m, struct tdf tdf)
{
    const uint64_t from_ns = clock_monotonic_ns();
    uint64_t virtual_ns;

    if (tdf.num != tdf.den || pvclock_read_ordered_ns(clock_page(m), &virtual_ns) < 0)
        return false;
    return virtual_ns + REAL_NS > from_ns && virtual_ns < clock_monotonic_ns() + REAL_NS;
}

void mediate_add_span(struct mediate *m, struct tdf tdf)
{
    struct session *session = m->session;
    const uint32_t count = session->span_count;
    uint64_t virtual_ns;

    if (pvclock_read_ordered_ns(clock_page(m), &virtual_ns) < 0)
        return;
    struct session_span *span = &session->spans[count % SESSION_SPANS];
    store_relaxed_u64(&span->virtual_ns, virtual_ns);
    store_relaxed_u64(&span->real_ns, clock_monotonic_ns());
    store_relaxed_u64(&span->tdf, mediate_packed(tdf));
    store_release_u32(&session->span_count, count + 1);
}

/* Is that process in the table of those who wait? Then its kick is on the way. */
static bool is_waiting(void *arg, pid_t pid)
{
    const struct session *session = arg;
    const unsigned count = session_waiters(session);

    for (unsigned i = 0; i < count; i++)
        if (load_relaxed_u64(&session->waiters[i]) >> 32 == (uint64_t)pid)
            return true;
    return false;
}

static void set_rate(struct mediate *m, struct tdf tdf)
{
    struct session *session = m->session;

    if (tdf.num != 0)
        store_full_u64(&session->tdf_running, mediate_packed(tdf));
    if (!m->is_held)
        store_full_u64(&session->tdf_timers, mediate_packed(tdf));
    store_full_u64(&session->tdf, mediate_packed(tdf));
}

/* -ESRCH: who stands there has ended, also where the number is another process's now. */
static int kick(uint64_t waiter)
{
    if (!reach_has_shim((pid_t)(waiter >> 32)))
        return -ESRCH;
    return reach_kick((pid_t)(waiter >> 32), (pid_t)(uint32_t)waiter, 0);
}

/* A thread of that process in a wait, which is kicked in any case: the first, or 0. */
static uint64_t thread_of(const struct session *session, uint64_t process)
{
    const unsigned count = session_waiters(session);

    for (unsigned i = 0; i < count; i++) {
        const uint64_t waiter = load_relaxed_u64(&session->waiters[i]);
        if (waiter >> 32 == process >> 32 && (uint32_t)waiter != 0)
            return waiter;
    }
    return 0;
}

/* Of processes with timers any thread will do. Before the others, and in a hurry, as a timer that
 * rings too early can't be taken back once it has been noticed, and a wait looks at the clock
 * again.
 */
static int kick_process(const struct session *session, uint64_t process)
{
    const uint64_t waiter = thread_of(session, process);
    const pid_t pid = (pid_t)(process >> 32);
    struct reach_thread thread;

    if (waiter != 0 && kick(waiter) == 0)
        return 0;
    if (!reach_has_shim(pid))
        return -ESRCH;
    reach_choose(pid, &thread);
    return reach_process(pid, &thread);
}

static void kick_each(struct session *session, bool timers)
{
    const unsigned count = session_waiters(session);

    for (unsigned i = 0; i < count; i++) {
        uint64_t waiter = load_full_u64(&session->waiters[i]);
        if (waiter == 0 || timers != ((uint32_t)waiter == 0))
            continue;
        if ((timers ? kick_process(session, waiter) : kick(waiter)) == -ESRCH)
            compare_exchange_full_u64(&session->waiters[i], &waiter, 0);
    }
}

void mediate_kick_timers(struct session *session)
{
    kick_each(session, true);
}

static void kick_waiters(struct session *session)
{
    kick_each(session, true);
    kick_each(session, false);
}

/* With the lock. */
static void change(struct mediate *m, struct tdf tdf)
{
    struct session *session = m->session;
    const bool left = session->stamps == SESSION_STAMPS_REAL && !mediate_is_real(m, tdf);

    mediate_add_span(m, tdf);
    if (left)
        store_full_u32(&session->stamps, SESSION_STAMPS_LATE);
    m->is_held = false;
    set_rate(m, tdf);
    store_full_u32(&session->generation, session->generation + 1);
    kick_waiters(session);
    if (left)
        reach_family(is_waiting, session);
}

static struct tdf rate_in_force(const struct session *session)
{
    return (struct tdf){(uint32_t)(session->tdf >> 32), (uint32_t)session->tdf};
}

/* The page's line has the rate *out. False: there is none now, or not by a counter that runs. */
static bool rate_shown(const struct mediate *m, struct tdf *out)
{
    struct pvclock_look look;

    return (m->session->counter == PVCLOCK_COUNTER_TSC ||
            m->session->counter == PVCLOCK_COUNTER_MONOTONIC) &&
           pvclock_look(clock_page(m), true, &look) == 0 &&
           line_rate(&look.line, m->session->tick_ns_fp, out);
}

void mediate_look(struct mediate *m)
{
    struct tdf shown;

    pthread_mutex_lock(&m->lock);
    if (rate_shown(m, &shown) && !line_rate_agrees(shown, rate_in_force(m->session))) {
        change(m, shown);
        m->is_seen = true;
    }
    pthread_mutex_unlock(&m->lock);
}

void mediate_changed(struct mediate *m, struct tdf tdf)
{
    struct session *session = m->session;
    struct tdf shown;

    pthread_mutex_lock(&m->lock);
    if (rate_shown(m, &shown) && !line_rate_agrees(tdf, shown)) {
        pthread_mutex_unlock(&m->lock); /* of before; that of now is told next */
        return;
    }
    if (m->is_seen && line_rate_agrees(tdf, rate_in_force(session))) {
        store_relaxed_u64(&session->spans[(session->span_count - 1) % SESSION_SPANS].tdf,
                          mediate_packed(tdf));
        set_rate(m, tdf);
    } else {
        change(m, tdf);
    }
    m->is_seen = false;
    pthread_mutex_unlock(&m->lock);
}

/* ---- the watcher --------------------------------------------------------------------------------
 */

static const uint32_t *version_word(const struct mediate *m)
{
    return &clock_page(m)->version;
}

/* What this thread does is short, and each sleeper's time depends on it. Where that is not allowed
 * it runs like any other. */
static void hurry(void)
{
    const struct sched_param first = {.sched_priority = 1};

    (void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
}

static void *watch(void *arg)
{
    struct mediate *m = arg;
    int rc = 0;

    hurry();
    if (m->ready != NULL)
        m->ready(m->ready_ctx, 0);
    while (load_acquire_u32(&m->stop) == 0 && rc != -EFAULT) {
        const uint32_t version = load_full_u32(version_word(m));
        int64_t patience_ns;
        if (version & 1) {
            patience_ns = mediate_hold_left(m, version);
        } else {
            mediate_look(m);
            patience_ns = mediate_hold_look(m, version);
        }
        rc = futex_wait(version_word(m), version, patience_ns, FUTEX_SCOPE_SHARED);
    }
    return NULL;
}

int mediate_watch(struct mediate *m)
{
    int rc = thread_start(&m->watcher, watch, m);

    m->is_watched = rc == 0;
    return rc;
}

void mediate_unwatch(struct mediate *m)
{
    if (m == NULL || !m->is_watched)
        return;
    store_release_u32(&m->stop, 1);
    /* Until it is there to be woken. */
    while (pthread_tryjoin_np(m->watcher, NULL) != 0) {
        futex_wake(version_word(m), INT_MAX, FUTEX_SCOPE_SHARED);
        sched_yield();
    }
    m->is_watched = false;
}
