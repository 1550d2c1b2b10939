/* SPDX-License-Identifier: MIT */
/*
 * work_gate: how much of Dom0's time something beside the rings may have: the store, dom0.sock.
 *
 * Whoever floods the store with requests, over the socket or over a domain's ring, or dom0.sock
 * with domains, would keep Dom0 (and, on a small machine, a whole CPU of its own) busy for as long
 * as it likes. While rings have requests, such work therefore lives on credit: it earns one
 * nanosecond in `share`, up to WORK_CREDIT_MAX_NS, and spends what it takes; in debt, it rests. So
 * a tool or a front end that connects is served at once, a flood is slowed to the share, and dear
 * requests count for more than cheap ones. While no ring has asked for anything lately, nothing is
 * held back.
 *
 * Pure bookkeeping: the caller has the clocks. Time passes by CLOCK_MONOTONIC, work is measured as
 * processor time: to wake a client often means to lose the CPU to it for a while.
 */
#ifndef SPLITDOM_SERVICE_LOOP_WORK_GATE_H
#define SPLITDOM_SERVICE_LOOP_WORK_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WORK_CREDIT_MAX_NS = 1000000,
    WORK_DEBT_MAX_NS = 2000000, /* longer work than this is a tool's; then that is rest enough */
    WORK_RINGS_QUIET_NS = 10000000, /* without a request on any ring: work may go on */
};

struct work_gate {
    uint32_t share;    /* one nanosecond in so many; set by the owner, the rest is zeroed */
    int64_t credit_ns; /* as of updated_ns; negative: debt */
    uint64_t updated_ns;
    uint64_t closed_until_ns; /* 0: open */
    uint64_t ring_busy_ns;    /* when a ring last had a request; 0: never */
};

/* A ring had requests. */
static inline void work_gate_ring_busy(struct work_gate *gate, uint64_t now_ns)
{
    gate->ring_busy_ns = now_ns;
}

/* Has no ring had a request lately? Then work need not be measured. */
static inline bool work_gate_rings_quiet(const struct work_gate *gate, uint64_t now_ns)
{
    return gate->ring_busy_ns == 0 || now_ns - gate->ring_busy_ns >= WORK_RINGS_QUIET_NS;
}

/* Must the work wait until closed_until_ns? */
static inline bool work_gate_closed(const struct work_gate *gate, uint64_t now_ns)
{
    return now_ns < gate->closed_until_ns;
}

/* Work was done for work_ns, until now_ns. */
static inline void work_gate_worked(struct work_gate *gate, uint64_t now_ns, uint64_t work_ns)
{
    uint64_t earned_ns = (now_ns - gate->updated_ns) / gate->share;
    if (work_gate_rings_quiet(gate, now_ns) || earned_ns > 2 * WORK_CREDIT_MAX_NS)
        gate->credit_ns = WORK_CREDIT_MAX_NS;
    else
        gate->credit_ns += (int64_t)earned_ns;
    if (gate->credit_ns > WORK_CREDIT_MAX_NS)
        gate->credit_ns = WORK_CREDIT_MAX_NS;
    gate->updated_ns = now_ns;
    gate->credit_ns -= work_ns < WORK_DEBT_MAX_NS ? (int64_t)work_ns : WORK_DEBT_MAX_NS;
    /* 0 is open for any time: the next look may be at one that was read before the work. */
    gate->closed_until_ns =
        gate->credit_ns >= 0 ? 0 : now_ns + (uint64_t)-gate->credit_ns * gate->share;
}

#endif
