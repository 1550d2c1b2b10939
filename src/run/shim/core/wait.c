/* SPDX-License-Identifier: MIT */
#include "run/shim/core/wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/core/put_off.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"

enum {
    PROBES = 64,
    /* Without a slot a thread looks at the generation that often. */
    UNREGISTERED_NS = 1000000,
    /* The kernel's clock and the page's line agree but for some nanoseconds. */
    SPIN_NS = 50000,
    POLL_NS = 10000000,
};

uint64_t wait_until_ns(uint64_t span_ns)
{
    if (span_ns >= SCALE_FOREVER_NS)
        return SCALE_FOREVER_NS;
    return scale_capped((scale_u128)vclock_now_ns() + span_ns);
}

uint64_t wait_until_abs_ns(uint64_t ahead_ns, uint64_t time_ns)
{
    if (time_ns >= SCALE_FOREVER_NS)
        return SCALE_FOREVER_NS;
    /* A clock can be behind CLOCK_MONOTONIC, too. */
    int64_t at_ns = (int64_t)(time_ns - ahead_ns);
    return at_ns < 0 ? 0 : (uint64_t)at_ns;
}

uint64_t wait_rest_ns(uint64_t deadline_ns)
{
    uint64_t now_ns = vclock_now_ns();

    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/* By both halves: for timers the thread is 0, and of a main thread both are the same. */
static uint32_t first_probe(uint64_t who)
{
    return ((uint32_t)who * UINT32_C(2654435761) + (uint32_t)(who >> 32) * UINT32_C(2246822519)) >>
           12;
}

/* Where a thread may stand: PROBES slots among the first, then as many among the others. */
static uint32_t probe(uint64_t who, unsigned nth)
{
    const uint32_t at = first_probe(who) + nth % PROBES;

    if (nth < PROBES)
        return at % SESSION_WAITERS_FIRST;
    return SESSION_WAITERS_FIRST + at % (SESSION_WAITERS - SESSION_WAITERS_FIRST);
}

/* Before a slot behind the first ones is taken: whoever changes the rate after that looks there. */
static void prepare(unsigned nth)
{
    uint32_t *crowded = &vclock_session()->crowded;

    if (nth >= PROBES && load_relaxed_u32(crowded) == 0)
        store_full_u32(crowded, 1);
}

/* The slot of a process that has ended. The supervisor frees those at a change, which may be long
 * in coming. */
static bool take_from_dead(uint64_t who, uint64_t **slot)
{
    for (unsigned i = 0; i < 2 * PROBES; i++) {
        *slot = &vclock_session()->waiters[probe(who, i)];
        uint64_t found = load_relaxed_u64(*slot);
        prepare(i);
        if (found >> 32 != who >> 32 && SYS2(SYS_kill, found >> 32, 0) == -ESRCH &&
            compare_exchange_full_u64(*slot, &found, who))
            return true;
    }
    return false;
}

/* False: the table is full. */
static bool enlist(uint64_t who, uint64_t **slot, bool *own)
{
    for (unsigned i = 0; i < 2 * PROBES; i++) {
        uint64_t *at = &vclock_session()->waiters[probe(who, i)];
        uint64_t found = load_relaxed_u64(at);
        /* A wait in a signal handler that interrupts a wait, or one that was left by longjmp. */
        *own = found != who;
        *slot = at;
        prepare(i);
        if (found == who || (found == 0 && compare_exchange_full_u64(at, &found, who)))
            return true;
    }
    *own = take_from_dead(who, slot);
    if (!*own)
        *slot = NULL;
    return *own;
}

/* In a place that it took once, which need not be the first that is free now. */
static bool stands(uint64_t who)
{
    for (unsigned i = 0; i < 2 * PROBES; i++)
        if (load_relaxed_u64(&vclock_session()->waiters[probe(who, i)]) == who)
            return true;
    return false;
}

bool wait_register_timers(int32_t pid)
{
    const uint64_t who = (uint64_t)(uint32_t)pid << 32;
    uint64_t *slot;
    bool own;

    return !stands(who) && enlist(who, &slot, &own) && own;
}

/* In all its places: two threads that come first at the same time may have taken one each. */
void wait_tell_held(int32_t pid, uint32_t generation)
{
    struct session *session = vclock_session();
    bool told = false;

    for (unsigned i = 0; i < 2 * PROBES; i++) {
        const uint32_t slot = probe((uint64_t)(uint32_t)pid << 32, i);
        if (load_relaxed_u64(&session->waiters[slot]) != (uint64_t)(uint32_t)pid << 32)
            continue;
        store_full_u32(&session->held[slot], generation);
        told = true;
    }
    if (!told || load_full_u32(&session->holding) == 0)
        return;
    fetch_add_relaxed_u32(&session->answers, 1);
    SYS3(SYS_futex, &session->answers, FUTEX_WAKE, 1);
}

static void enter(struct wait *wait)
{
    uint64_t tgid = (uint64_t)SYS0(SYS_getpid), tid = (uint64_t)SYS0(SYS_gettid);

    enlist(tgid << 32 | tid, &wait->slot, &wait->own_slot);
}

static void leave(struct wait *wait)
{
    if (wait->own_slot)
        store_release_u64(wait->slot, 0);
}

/* The real time that is left; reads the generation first: a change after that ends the call. */
static uint64_t left_ns(struct wait *wait)
{
    wait->generation = load_full_u32(&vclock_session()->generation);
    uint64_t left = SCALE_FOREVER_NS;
    if (wait->deadline_ns < SCALE_FOREVER_NS)
        left = scale_to_real_ns(vclock_tdf(), wait_rest_ns(wait->deadline_ns));
    if (wait->slot == NULL && left > UNREGISTERED_NS)
        left = UNREGISTERED_NS;
    return left;
}

/* By poll, in milliseconds, until so little is left that a stop does not matter. */
static long poll_first(const struct wait *wait, uint64_t left, struct stub_call *call)
{
    if (wait->form != WAIT_POLL || left < POLL_NS)
        return wait->nr;
    left = left / 1000000 - 1;
    call->args[wait->time_index] = left < INT32_MAX ? (long)left : INT32_MAX;
    return SYS_poll;
}

static struct timespec time_out(const struct wait *wait, uint64_t left)
{
    if (wait->form == WAIT_ABSOLUTE_MONOTONIC)
        left = scale_capped((scale_u128)vclock_real_ns(CLOCK_MONOTONIC) + left);
    else if (wait->form == WAIT_ABSOLUTE_REALTIME)
        left = scale_capped((scale_u128)vclock_real_ns(CLOCK_REALTIME) + left);
    return scale_timespec(left);
}

/* After the kernel's time-out: is the deadline over? What little may be missing is waited for here.
 */
static bool is_over(const struct wait *wait)
{
    uint64_t rest_ns = wait_rest_ns(wait->deadline_ns);

    if (scale_to_real_ns(vclock_tdf(), rest_ns) > SPIN_NS)
        return false;
    while (wait_rest_ns(wait->deadline_ns) > 0) {
        if (load_full_u32(&vclock_session()->generation) != wait->generation)
            return false;
        cpu_relax();
    }
    return true;
}

static long begin(long nr, struct stub_call *call)
{
    if (put_off_is_due())
        return -EINTR;
    const struct stub_result result = stub_wait(nr, call, &vclock_session()->generation);
    call->is_cut = result.is_cut != 0;
    return result.rc;
}

long wait_for(struct wait *wait, struct stub_call *call)
{
    struct timespec ts;
    long rc;

    enter(wait);
    for (;;) {
        uint64_t left = left_ns(wait);
        ts = time_out(wait, left);
        call->args[wait->time_index] = (long)&ts;
        call->generation = wait->generation;
        if (wait->may_fall_short)
            wait->real_end_ns = vclock_real_ns(CLOCK_MONOTONIC) + left;
        rc = begin(poll_first(wait, left, call), call);
        if (rc == STUB_KICKED)
            continue;
        if (rc != wait->timed_out || left == 0 || is_over(wait))
            break;
        if (wait->restore != NULL)
            wait->restore(wait->saved);
    }
    leave(wait);
    return rc;
}

bool wait_is_cut(const struct wait *wait, const struct stub_call *call)
{
    return call->is_cut || (wait_rest_ns(wait->deadline_ns) > 0 &&
                            vclock_real_ns(CLOCK_MONOTONIC) >= wait->real_end_ns);
}

long wait_unbounded(long nr, struct stub_call *call)
{
    long rc;

    do {
        call->generation = load_full_u32(&vclock_session()->generation);
        rc = begin(nr, call);
    } while (rc == STUB_KICKED);
    return rc;
}
