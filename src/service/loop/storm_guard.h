/* SPDX-License-Identifier: MIT */
/*
 * storm_guard: tells an honest doorbell from one that is rung without cause.
 *
 * An honest front end rings for requests (or for messages to the store, about twice each). One that
 * rings in a loop makes Dom0 look again and again at rings that are empty (XSA-332, event storms).
 * Xen's and Linux' cure is the late EOI: an event without work is acknowledged late, so that the
 * next one comes late, too. The same here: after STORM_RINGS rings within a window that brought
 * less than a quarter as much work, the doorbell is to be muted for a while, twice as long each
 * time, up to STORM_MUTE_MAX_NS; a window that passes quietly ends the affair.
 *
 * Pure bookkeeping: the caller has the clock and counts the work.
 */
#ifndef SPLITDOM_SERVICE_LOOP_STORM_GUARD_H
#define SPLITDOM_SERVICE_LOOP_STORM_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STORM_RINGS = 64, /* fewer are nobody's concern */
    STORM_WORK_SHARE = 4,
    STORM_WINDOW_NS = 10000000,
    STORM_MUTE_MIN_NS = 4000000,
    STORM_MUTE_MAX_NS = 128000000,
};

struct storm_guard {
    uint64_t window_start_ns;
    uint64_t work_at_start;
    uint64_t mute_ns; /* the last one's length; 0: none lately */
    uint32_t rings;   /* in this window */
};

/* The doorbell rang at now_ns; work: a count that grows with what its domain has had done. Returns
 * for how long to mute it, mostly 0. */
static inline uint64_t storm_guard_ring(struct storm_guard *guard, uint64_t now_ns, uint64_t work)
{
    if (guard->rings == 0 || now_ns - guard->window_start_ns > STORM_WINDOW_NS) {
        if (now_ns - guard->window_start_ns > 2u * STORM_WINDOW_NS + guard->mute_ns)
            guard->mute_ns = 0;
        guard->window_start_ns = now_ns;
        guard->work_at_start = work;
        guard->rings = 1;
        return 0;
    }
    guard->rings++;
    if (guard->rings < STORM_RINGS ||
        guard->rings / STORM_WORK_SHARE <= work - guard->work_at_start)
        return 0;
    guard->mute_ns = guard->mute_ns == 0 ? STORM_MUTE_MIN_NS : 2 * guard->mute_ns;
    if (guard->mute_ns > STORM_MUTE_MAX_NS)
        guard->mute_ns = STORM_MUTE_MAX_NS;
    guard->rings = 0;
    guard->window_start_ns = now_ns;
    return guard->mute_ns;
}

#endif
