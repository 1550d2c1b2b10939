/* SPDX-License-Identifier: MIT */
/*
 * spin_budget: how long a thread may spin before it sleeps, learnt from its earlier spins.
 *
 * - The limit is twice what the last successful spin took, between SPIN_NS and SPIN_NS_MAX: a spin
 *   that ends before the answer comes saves nothing.
 * - Spinning is allowed while it succeeds. One success outweighs two failures.
 * - After a run of failures it is forbidden, except for a probe now and then with the largest
 * limit, which notices that the load has changed. Probes that fail become rarer: where many threads
 * wait, one of SPIN_NS_MAX in each 64 waits costs a tenth of a cold read's processor time.
 *
 * Pure bookkeeping: the caller reads the clock. One thread, or the owner's lock.
 */
#ifndef SPLITDOM_RING_SPIN_BUDGET_H
#define SPLITDOM_RING_SPIN_BUDGET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SPIN_NS = 10000,
    SPIN_NS_MAX = 100000,
    SPIN_SCORE_MAX = 16,
    SPIN_SCORE_MIN = -2,
    SPIN_PROBE_EVERY = 64, /* waits; twice as many after each probe that did not win, up to */
    SPIN_PROBE_EVERY_MAX = 1024,
};

struct spin_budget {
    int32_t score;   /* > 0: spin */
    uint32_t denied; /* waits since the last probe */
    uint32_t probe_every;
    uint32_t limit_ns;
    uint64_t won, lost;
};

static inline void spin_budget_init(struct spin_budget *budget)
{
    *budget =
        (struct spin_budget){.score = 1, .limit_ns = SPIN_NS, .probe_every = SPIN_PROBE_EVERY};
}

/* For how long may this wait spin? 0: not at all. */
static inline uint32_t spin_budget_grant(struct spin_budget *budget)
{
    assert(budget->limit_ns >= SPIN_NS);
    if (budget->score > 0)
        return budget->limit_ns;
    if (++budget->denied < budget->probe_every)
        return 0;
    budget->denied = 0;
    if (budget->probe_every < SPIN_PROBE_EVERY_MAX)
        budget->probe_every *= 2;
    return SPIN_NS_MAX;
}

static inline void spin_budget_won(struct spin_budget *budget, uint64_t elapsed_ns)
{
    budget->won++;
    budget->probe_every = SPIN_PROBE_EVERY;
    budget->score = budget->score + 2 < SPIN_SCORE_MAX ? budget->score + 2 : SPIN_SCORE_MAX;
    if (elapsed_ns > SPIN_NS_MAX / 2)
        elapsed_ns = SPIN_NS_MAX / 2;
    budget->limit_ns = elapsed_ns > SPIN_NS / 2 ? (uint32_t)(2 * elapsed_ns) : SPIN_NS;
}

/* The answer that came was for another thread. If it came at once, the spin saved a wake-up all the
 * same; if not, it says nothing about our own answer. */
static inline void spin_budget_beside(struct spin_budget *budget, uint64_t elapsed_ns)
{
    if (elapsed_ns <= SPIN_NS / 2)
        spin_budget_won(budget, elapsed_ns);
}

static inline void spin_budget_lost(struct spin_budget *budget)
{
    budget->lost++;
    if (budget->score > SPIN_SCORE_MIN)
        budget->score--;
}

#endif
