/* SPDX-License-Identifier: MIT */
/*
 * hold: who still needs what its owner would take away: a domain's memory, the use of a vdisk.
 *
 * A device may be at work on a domain's pages when the domain or its disk ends. Whoever started
 * that holds what it needs until the device is done; whoever lets go last ends it.
 *
 * Threads: Dom0's loop thread alone.
 */
#ifndef SPLITDOM_SERVICE_BACK_HOLD_H
#define SPLITDOM_SERVICE_BACK_HOLD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what is held. */
struct hold {
    uint32_t holders;                  /* its owner is one */
    void (*let_go)(struct hold *hold); /* by the last one */
};

/* NULL, for both: it outlives everybody. */
static inline void hold_get(struct hold *hold)
{
    if (hold != NULL)
        hold->holders++;
}

static inline void hold_put(struct hold *hold)
{
    if (hold == NULL)
        return;
    assert(hold->holders > 0);
    if (--hold->holders == 0)
        hold->let_go(hold);
}

#endif
