/* SPDX-License-Identifier: MIT */
/*
 * memory_hold: who still needs a domain's memory mapped.
 *
 * A device may be at work on a domain's pages when the domain ends. Whoever started that holds the
 * memory until the device is done; whoever lets go last gives the memory back.
 *
 * Threads: Dom0's loop thread alone.
 */
#ifndef SPLITDOM_SERVICE_BACK_MEMORY_HOLD_H
#define SPLITDOM_SERVICE_BACK_MEMORY_HOLD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what owns the memory. */
struct memory_hold {
    uint32_t holders;
    void (*let_go)(struct memory_hold *hold); /* by the last one: frees the owner */
};

/* NULL, for both: the memory outlives everybody. */
static inline void memory_hold_get(struct memory_hold *hold)
{
    if (hold != NULL)
        hold->holders++;
}

static inline void memory_hold_put(struct memory_hold *hold)
{
    if (hold == NULL)
        return;
    assert(hold->holders > 0);
    if (--hold->holders == 0)
        hold->let_go(hold);
}

#endif
