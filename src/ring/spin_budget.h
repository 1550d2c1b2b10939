/* SPDX-License-Identifier: MIT */
/*
 * spin_budget: how long to look before sleeping, learnt from how looking went before.
 *
 * A wake-up costs about 5 us on either side, so a spin shorter than that saves nothing and a longer
 * one costs more than it saves: the budget is SPIN_NS or nothing. It is spent while spins succeed;
 * after a run of failures it is withheld, except for a probe now and then, so that a change in the
 * load is noticed. Pure bookkeeping: the caller reads the clock.
 */
#ifndef SPLITDOM_RING_SPIN_BUDGET_H
#define SPLITDOM_RING_SPIN_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SPIN_NS = 10000,
    SPIN_SCORE_MAX = 16,
    SPIN_PROBE_EVERY = 64,
};

struct spin_budget {
    int32_t score;   /* > 0: spin */
    uint32_t denied; /* waits since the last probe */
    uint64_t won, lost;
};

static inline void spin_budget_init(struct spin_budget *budget)
{
    *budget = (struct spin_budget){.score = 1};
}

/* Is this wait to begin with a spin? */
static inline bool spin_budget_grant(struct spin_budget *budget)
{
    if (budget->score > 0)
        return true;
    if (++budget->denied < SPIN_PROBE_EVERY)
        return false;
    budget->denied = 0;
    return true;
}

/* How a granted spin ended. One success outweighs one failure: a probe that wins switches back. */
static inline void spin_budget_report(struct spin_budget *budget, bool won)
{
    if (won) {
        budget->won++;
        budget->score += 2;
        if (budget->score > SPIN_SCORE_MAX)
            budget->score = SPIN_SCORE_MAX;
    } else {
        budget->lost++;
        if (budget->score > -2)
            budget->score -= 1;
    }
}

#endif
