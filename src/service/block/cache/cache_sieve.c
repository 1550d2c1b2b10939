/* SPDX-License-Identifier: MIT */
/*
 * SIEVE: CLOCK with one difference, which turns it into a filter for one-time reads.
 *
 * A queue in order of insertion, a bit per slot that a hit sets, and a hand that goes from the
 * oldest towards the newest, clearing set bits and stopping at the first clear one, the victim. The
 * difference: a new sector goes to the head of the queue, not to the victim's place. So the
 * survivors stay behind the hand, where it returns last, and newcomers are looked at soon after
 * their arrival: those not read again are quickly sifted out ("quick demotion") while what has
 * proved itself is left alone ("lazy promotion").
 *
 * Strong on skewed loads that stay as they are (zipf). Weak where yesterday's favourites must give
 * way, and where a sector's second read comes only after the hand has passed: bench/cache_sim has
 * it five points below LRU on a hot set that moves and fifteen on a load of pure recency.
 *
 * Source: Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is simpler than LRU: an efficient
 * turn-key eviction algorithm for web caches", NSDI 2024, algorithm 1.
 */
#include "service/block/cache/cache_policy.h"
#include "service/block/cache/slot_list.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct sieve {
    struct slot_link *link; /* capacity + 1 */
    bool *used;             /* capacity; since the hand last passed */
    uint32_t capacity;      /* also the end of the one list */
    uint32_t hand;          /* where to look next; capacity: at the oldest */
};

static void sieve_reset(void *state)
{
    struct sieve *sieve = state;

    slot_list_init(sieve->link, sieve->capacity);
    sieve->hand = sieve->capacity;
}

static void sieve_destroy(void *state)
{
    struct sieve *sieve = state;

    free(sieve->used);
    free(sieve->link);
    free(sieve);
}

static void *sieve_create(uint32_t capacity)
{
    struct sieve *sieve = calloc(1, sizeof(*sieve));

    if (sieve == NULL)
        return NULL;
    sieve->capacity = capacity;
    sieve->link = calloc((size_t)capacity + 1, sizeof(*sieve->link));
    sieve->used = calloc(capacity, sizeof(*sieve->used));
    if (sieve->link == NULL || sieve->used == NULL) {
        sieve_destroy(sieve);
        return NULL;
    }
    sieve_reset(sieve);
    return sieve;
}

static void sieve_hit(void *state, uint32_t slot)
{
    struct sieve *sieve = state;

    sieve->used[slot] = true;
}

static void sieve_insert(void *state, uint32_t slot, uint64_t sector)
{
    struct sieve *sieve = state;

    assert(slot < sieve->capacity);
    (void)sector;
    sieve->used[slot] = false;
    slot_list_push_head(sieve->link, sieve->capacity, slot);
}

static uint32_t sieve_victim(void *state, uint64_t incoming_sector)
{
    struct sieve *sieve = state;
    uint32_t slot = sieve->hand;

    (void)incoming_sector;
    if (slot == sieve->capacity)
        slot = slot_list_tail(sieve->link, sieve->capacity);
    while (sieve->used[slot]) {
        sieve->used[slot] = false;
        slot = sieve->link[slot].newer;
        if (slot == sieve->capacity) /* past the newest: round to the oldest */
            slot = slot_list_tail(sieve->link, sieve->capacity);
    }
    sieve->hand = sieve->link[slot].newer;
    slot_list_unlink(sieve->link, slot);
    return slot;
}

static void sieve_remove(void *state, uint32_t slot)
{
    struct sieve *sieve = state;

    if (sieve->hand == slot)
        sieve->hand = sieve->link[slot].newer;
    slot_list_unlink(sieve->link, slot);
}

const struct cache_policy cache_policy_sieve = {
    .name = "sieve",
    .create = sieve_create,
    .destroy = sieve_destroy,
    .hit = sieve_hit,
    .insert = sieve_insert,
    .victim = sieve_victim,
    .remove = sieve_remove,
    .reset = sieve_reset,
};
