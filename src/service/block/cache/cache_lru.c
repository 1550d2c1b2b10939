/* SPDX-License-Identifier: MIT */
/*
 * LRU: give up the sector that has gone unused for longest.
 *
 * One list in order of last use: a hit moves its slot to the head, the victim is the tail. Exact,
 * simple and the best of all policies when what was read lately is read again soon. Its weakness is
 * the reverse: a scan pushes everything out, and on a loop over one and a half times the cache it
 * never hits at all. It has no parameter and no history beyond the cache.
 *
 * Source: the stack algorithm of Mattson, Gecsei, Slutz and Traiger, "Evaluation techniques for
 * storage hierarchies", IBM Systems Journal 9(2), 1970.
 */
#include "service/block/cache/cache_policy.h"
#include "service/block/cache/slot_list.h"

#include <assert.h>
#include <stdlib.h>

struct lru {
    uint32_t list;           /* == capacity: the end of the one list */
    struct slot_link link[]; /* capacity + 1 */
};

static void lru_reset(void *state)
{
    struct lru *lru = state;

    slot_list_init(lru->link, lru->list);
}

static void *lru_create(uint32_t capacity)
{
    struct lru *lru = calloc(1, sizeof(*lru) + ((size_t)capacity + 1) * sizeof(lru->link[0]));

    if (lru == NULL)
        return NULL;
    lru->list = capacity;
    lru_reset(lru);
    return lru;
}

static void lru_hit(void *state, uint32_t slot)
{
    struct lru *lru = state;

    assert(slot < lru->list);
    if (slot_list_head(lru->link, lru->list) == slot)
        return;
    slot_list_unlink(lru->link, slot);
    slot_list_push_head(lru->link, lru->list, slot);
}

static void lru_insert(void *state, uint32_t slot, uint64_t sector)
{
    struct lru *lru = state;

    assert(slot < lru->list);
    (void)sector;
    slot_list_push_head(lru->link, lru->list, slot);
}

static uint32_t lru_victim(void *state, uint64_t incoming_sector)
{
    struct lru *lru = state;
    uint32_t slot = slot_list_tail(lru->link, lru->list);

    (void)incoming_sector;
    slot_list_unlink(lru->link, slot);
    return slot;
}

static uint32_t lru_next_victim(const void *state)
{
    const struct lru *lru = state;

    return slot_list_tail(lru->link, lru->list);
}

static void lru_remove(void *state, uint32_t slot)
{
    struct lru *lru = state;

    assert(slot < lru->list);
    slot_list_unlink(lru->link, slot);
}

const struct cache_policy cache_policy_lru = {
    .name = "lru",
    .create = lru_create,
    .destroy = free,
    .hit = lru_hit,
    .insert = lru_insert,
    .victim = lru_victim,
    .next_victim = lru_next_victim,
    .remove = lru_remove,
    .reset = lru_reset,
};
