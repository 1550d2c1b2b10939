/* SPDX-License-Identifier: MIT */
/*
 * store_gate: how much of Dom0's time the store may have.
 *
 * Whoever floods the store with requests, over the socket or over a domain's ring, would keep Dom0
 * (and, on a small machine, a whole CPU of its own) busy for as long as it likes. While rings have
 * requests, the store therefore rests after each piece of work, STORE_REST times as long as the
 * work took: expensive requests count for more than cheap ones, and the flood is slowed to what its
 * share of the time allows. While no ring has asked for anything lately, nothing is held back.
 *
 * Pure bookkeeping: the caller has the clock.
 */
#ifndef SPLITDOM_SERVICE_STORE_GATE_H
#define SPLITDOM_SERVICE_STORE_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_REST = 19,                /* a share of 1/20 */
    STORE_REST_MAX_NS = 40000000,   /* Dom0 may have been off its CPU in the middle of the work */
    STORE_RINGS_QUIET_NS = 2000000, /* without a request on any ring: the store may go on */
};

struct store_gate {
    uint64_t closed_until_ns; /* 0: open */
    uint64_t ring_busy_ns;    /* when a ring last had a request; 0: never */
};

/* A ring had requests. */
static inline void store_gate_ring_busy(struct store_gate *gate, uint64_t now_ns)
{
    gate->ring_busy_ns = now_ns;
}

/* Must the store wait until closed_until_ns? */
static inline bool store_gate_closed(const struct store_gate *gate, uint64_t now_ns)
{
    return now_ns < gate->closed_until_ns;
}

/* The store has worked from start_ns to end_ns. */
static inline void store_gate_worked(struct store_gate *gate, uint64_t start_ns, uint64_t end_ns)
{
    uint64_t rest_ns = (end_ns - start_ns) * STORE_REST;
    if (rest_ns > STORE_REST_MAX_NS)
        rest_ns = STORE_REST_MAX_NS;
    bool rings_quiet =
        gate->ring_busy_ns == 0 || end_ns - gate->ring_busy_ns >= STORE_RINGS_QUIET_NS;
    /* Open for any time: the next look may be at one that was read before the work. */
    gate->closed_until_ns = rings_quiet ? 0 : end_ns + rest_ns;
}

#endif
