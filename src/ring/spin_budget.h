/* SPDX-License-Identifier: MIT */
/*
 * spin_budget: how long to look before sleeping, learnt from how looking went before.
 *
 * A spin that is shorter than the peer's wake-up saves nothing, so the limit follows the spins that
 * were won: SPIN_NS at least, twice what the last one took, SPIN_NS_MAX at most. It is granted
 * while spins succeed (one success outweighs two failures); after a run of failures it is withheld,
 * except for a probe now and then, with the largest limit, so that a change in the load is noticed.
 * Probes that fail become rarer: one of SPIN_NS_MAX in each 64 waits is a tenth of a cold read's
 * processor time where many threads wait.
 * Pure bookkeeping: the caller reads the clock.
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

/* What came was for somebody else. At once, it saved a wake-up all the same; after a while it says
 * neither that ours is near nor that it is far. */
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
