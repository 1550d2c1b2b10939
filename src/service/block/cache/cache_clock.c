/* SPDX-License-Identifier: MIT */
/*
 * CLOCK, or second chance: an approximation of LRU that does not move anything on a hit.
 *
 * Slots stand in a circle, each with a bit that a hit sets. To find a victim the hand goes round:
 * a set bit is cleared and its slot passed over, the first clear one is given up. A new sector
 * takes the victim's place just behind the hand, so it has a whole revolution to prove itself, with
 * its bit clear: a sector that is read once is gone after one revolution, which makes CLOCK a
 * little better than LRU on skewed loads. A hit is a store of one byte.
 *
 * One victim may cost a whole revolution, but each step of it clears a bit that a hit had set, so
 * the hand moves at most one step per hit and one per victim in the long run.
 *
 * Source: F. J. Corbató, "A paging experiment with the Multics system", MIT Project MAC, 1968.
 */
#include "service/block/cache/cache_policy.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct clock {
    uint32_t capacity;
    uint32_t hand; /* the slot to be looked at next */
    bool used[];   /* since the hand last passed */
};

static void clock_reset(void *state)
{
    struct clock *clock = state;

    clock->hand = 0;
}

static void *clock_create(uint32_t capacity)
{
    struct clock *clock = calloc(1, sizeof(*clock) + capacity * sizeof(clock->used[0]));

    if (clock != NULL)
        clock->capacity = capacity;
    return clock;
}

static void clock_hit(void *state, uint32_t slot)
{
    struct clock *clock = state;

    clock->used[slot] = true;
}

static void clock_insert(void *state, uint32_t slot, uint64_t sector)
{
    struct clock *clock = state;

    assert(slot < clock->capacity);
    (void)sector;
    clock->used[slot] = false;
}

static uint32_t clock_victim(void *state, uint64_t incoming_sector)
{
    struct clock *clock = state;
    uint32_t slot;
    bool used;

    (void)incoming_sector;
    do {
        slot = clock->hand;
        used = clock->used[slot];
        clock->used[slot] = false;
        clock->hand = slot + 1 == clock->capacity ? 0 : slot + 1;
    } while (used);
    return slot;
}

/* The hand does not move before all slots are in use again. */
static void clock_remove(void *state, uint32_t slot)
{
    struct clock *clock = state;

    assert(slot < clock->capacity);
    clock->used[slot] = false;
}

const struct cache_policy cache_policy_clock = {
    .name = "clock",
    .create = clock_create,
    .destroy = free,
    .hit = clock_hit,
    .insert = clock_insert,
    .victim = clock_victim,
    .remove = clock_remove,
    .reset = clock_reset,
};
