/* SPDX-License-Identifier: MIT */
#include "run/mediate_hold.h"

#include "base/clock.h"
#include "ring/barrier.h"
#include "ring/futex.h"
#include "run/mediate_private.h"
#include "run/reach.h"
#include "tdf/pvclock.h"

/* An answer that comes between the look and the sleep is seen after that. By how much a timer may
 * be late that is due while all wait. */
enum { NAP_NS = 500000 };

static const struct vcpu_time_info *clock_page(const struct mediate *m)
{
    return &m->page->vcpu_info[0].time;
}

/* So many times slower than by the rate in force, and no faster for rounding. */
static uint64_t slower_rate(uint64_t packed, uint32_t slower)
{
    uint64_t num = (packed >> 32) * slower;
    uint64_t den = (uint64_t)(uint32_t)packed * PVCLOCK_SLOWER_UNIT;

    for (; num >> 32 != 0 || den >> 32 != 0; den >>= 1)
        num = (num >> 1) + (num & 1);
    return slower == PVCLOCK_STANDSTILL || num == 0 || den == 0 ? mediate_packed((struct tdf){0, 1})
                                                                : num << 32 | den;
}

/* With the lock. Timers alone have another rate now. */
static void arm_by(struct session *session, uint64_t packed)
{
    store_full_u64(&session->tdf_timers, packed);
    store_full_u32(&session->generation, session->generation + 1);
    mediate_kick_timers(session);
}

/* With the lock. Who waits may have to wait for long, for a process that is stopped or for Dom0:
 * meanwhile a timer that is armed by the slower rate may be due by the rate in force. */
static void ring_due(struct mediate *m)
{
    const uint64_t now_ns = clock_monotonic_ns();

    if (!m->is_held || now_ns - m->rung_ns < NAP_NS)
        return;
    m->rung_ns = now_ns;
    arm_by(m->session, m->session->tdf_timers);
}

static void begin(struct mediate *m, uint32_t slower)
{
    const uint64_t packed = slower_rate(m->session->tdf, slower);

    if (m->is_held && m->session->tdf_timers == packed)
        return; /* the same, of a line that was made anew */
    if (!m->is_held)
        m->held_ns = clock_monotonic_ns();
    m->is_held = true;
    m->rung_ns = clock_monotonic_ns();
    arm_by(m->session, packed);
    m->held_from = m->session->generation;
}

static void end(struct mediate *m)
{
    m->is_held = false;
    arm_by(m->session, m->session->tdf);
}

/* Those that have ended meanwhile answer no more. */
static bool have_all_answered(const struct mediate *m)
{
    struct session *session = m->session;
    const unsigned count = session_waiters(session);
    bool all = true;

    for (unsigned i = 0; i < count; i++) {
        uint64_t waiter = load_full_u64(&session->waiters[i]);
        if (waiter == 0 || (uint32_t)waiter != 0 ||
            (int32_t)(load_full_u32(&session->held[i]) - m->held_from) >= 0)
            continue;
        if (reach_has_shim((pid_t)(waiter >> 32)))
            all = false;
        else
            compare_exchange_full_u64(&session->waiters[i], &waiter, 0);
    }
    return all;
}

/* False: the page has another line, or nobody will come for the answers any more. */
static bool await_answers(struct mediate *m, uint32_t version)
{
    struct session *session = m->session;
    bool all = false;

    store_full_u32(&session->holding, 1);
    while (load_full_u32(&clock_page(m)->version) == version && load_acquire_u32(&m->stop) == 0 &&
           clock_monotonic_ns() - m->held_ns < MEDIATE_HOLD_NS) {
        const uint32_t answers = load_full_u32(&session->answers);
        all = have_all_answered(m);
        if (all)
            break;
        pthread_mutex_lock(&m->lock);
        ring_due(m);
        pthread_mutex_unlock(&m->lock);
        (void)futex_wait(&session->answers, answers, NAP_NS, FUTEX_SCOPE_SHARED);
    }
    store_full_u32(&session->holding, 0);
    return all;
}

int64_t mediate_hold_look(struct mediate *m, uint32_t version)
{
    const uint32_t slower = pvclock_slower(clock_page(m), version);

    if (load_full_u32(&clock_page(m)->version) != version)
        return -1; /* the next look tells more */
    pthread_mutex_lock(&m->lock);
    if (slower == 0 && m->is_held)
        end(m); /* he who announced it has changed his mind */
    else if (slower != 0 && m->session->tdf >> 32 != 0 && m->given_up != version)
        begin(m, slower);
    const bool is_held = m->is_held;
    pthread_mutex_unlock(&m->lock);
    if (!is_held)
        return -1;
    if (await_answers(m, version) && m->ready != NULL)
        m->ready(m->ready_ctx, version);
    return mediate_hold_left(m, version);
}

int64_t mediate_hold_left(struct mediate *m, uint32_t version)
{
    int64_t left_ns = -1;

    pthread_mutex_lock(&m->lock);
    if (m->is_held) {
        left_ns = (int64_t)(m->held_ns + MEDIATE_HOLD_NS - clock_monotonic_ns());
        if (left_ns <= 0) {
            end(m);
            m->given_up = version;
            left_ns = -1;
        } else {
            ring_due(m);
            if (left_ns > NAP_NS)
                left_ns = NAP_NS;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return left_ns;
}
