/* SPDX-License-Identifier: MIT */
/*
 * spin_budget: how long to look before sleeping, learnt from how looking went before.
 *
 * A spin that is shorter than the peer's wake-up saves nothing, so the limit follows the spins that
 * were won: SPIN_NS at least, twice what the last one took, SPIN_NS_MAX at most. It is granted
 * while spins succeed (one success outweighs two failures); after a run of failures it is withheld,
 * except for a probe now and then, with the largest limit, so that a change in the load is noticed.
 * Pure bookkeeping: the caller reads the clock.
 */
#ifndef SPLITDOM_RING_SPIN_BUDGET_H
#define SPLITDOM_RING_SPIN_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SPIN_NS = 10000,
    SPIN_NS_MAX = 100000,
    SPIN_SCORE_MAX = 16,
    SPIN_SCORE_MIN = -2,
    SPIN_PROBE_EVERY = 64,
};

struct spin_budget {
    int32_t score;   /* > 0: spin */
    uint32_t denied; /* waits since the last probe */
    uint32_t limit_ns;
    uint64_t won, lost;
};

static inline void spin_budget_init(struct spin_budget *budget)
{
    *budget = (struct spin_budget){.score = 1, .limit_ns = SPIN_NS};
}

/* For how long may this wait spin? 0: not at all. */
static inline uint32_t spin_budget_grant(struct spin_budget *budget)
{
    if (budget->score > 0)
        return budget->limit_ns;
    if (++budget->denied < SPIN_PROBE_EVERY)
        return 0;
    budget->denied = 0;
    return SPIN_NS_MAX;
}

static inline void spin_budget_won(struct spin_budget *budget, uint64_t elapsed_ns)
{
    budget->won++;
    budget->score = budget->score + 2 < SPIN_SCORE_MAX ? budget->score + 2 : SPIN_SCORE_MAX;
    if (elapsed_ns > SPIN_NS_MAX / 2)
        elapsed_ns = SPIN_NS_MAX / 2;
    budget->limit_ns = elapsed_ns > SPIN_NS / 2 ? (uint32_t)(2 * elapsed_ns) : SPIN_NS;
}

static inline void spin_budget_lost(struct spin_budget *budget)
{
    budget->lost++;
    if (budget->score > SPIN_SCORE_MIN)
        budget->score--;
}

#endif
