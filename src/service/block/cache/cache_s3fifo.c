/* SPDX-License-Identifier: MIT */
/*
 * S3-FIFO: three first-in-first-out queues, the first of which is a sieve for one-time reads.
 *
 *   small   a tenth of the cache. New sectors enter here.
 *   main    the rest. For sectors that were used twice and more while in small.
 *   ghost   no data: the sectors that last left small for good, as many as main has places.
 *
 * Hits only count, up to 3. A victim is looked for in small while that has its tenth, else in main:
 *   - the oldest of small moves to main when it was used more than once, its count back to 0;
 * otherwise it is the victim and is remembered in ghost;
 *   - the oldest of main goes round again with its count lowered by one; with a count of 0 it is
 * the victim, and main also gives one up as soon as it has more than its nine tenths. A sector that
 * comes back while in ghost has shown that small was too short for it and enters main directly.
 * Most sectors of a skewed load are read once; small throws them out after a tenth of the time that
 * LRU would keep them, and what is worth keeping has the other nine tenths for itself.
 *
 * The best choice on zipf loads beside scans, and the only one here that survives a loop larger
 * than the cache (a return through ghost); loses about ten points to LRU where a sector's second
 * read comes later than small is long and only once.
 *
 * One victim may take many steps, but each step uses up a count that a hit had given.
 *
 * Source: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction",
 * SOSP 2023, algorithm 1.
 */
#include "service/block/cache/cache_policy.h"
#include "service/block/cache/sector_index.h"
#include "service/block/cache/slot_list.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    USE_COUNT_MAX = 3,
    SMALL_DIVISOR = 10,
    PROMOTE_ABOVE = 1, /* uses that do not yet earn a place in main */
};

struct s3fifo_slot {
    uint64_t sector;
    uint8_t use_count;
    bool in_main;
};

struct s3fifo {
    struct slot_link *link;   /* capacity + 2 */
    struct s3fifo_slot *slot; /* capacity */
    struct sector_index ghosts;
    bool *ghost_used;    /* ghost_capacity: the position of the ring holds a sector */
    uint32_t ghost_next; /* position that is written next: the oldest */
    uint32_t ghost_fill; /* positions that were ever written: ghost_used is valid for these */
    uint32_t capacity;
    uint32_t ghost_capacity;
    uint32_t small_list, main_list; /* names of the lists */
    uint32_t small_count, main_count;
    uint32_t small_target, main_target;
    bool incoming_was_ghost; /* from victim to the insert that follows */
    bool victim_named;       /* likewise */
};

static void s3fifo_reset(void *state)
{
    struct s3fifo *s3 = state;

    slot_list_init(s3->link, s3->small_list);
    slot_list_init(s3->link, s3->main_list);
    s3->small_count = s3->main_count = 0;
    sector_index_clear(&s3->ghosts);
    s3->ghost_next = s3->ghost_fill = 0;
}

static void s3fifo_destroy(void *state)
{
    struct s3fifo *s3 = state;

    free(s3->ghost_used);
    sector_index_free(&s3->ghosts);
    free(s3->slot);
    free(s3->link);
    free(s3);
}

static void *s3fifo_create(uint32_t capacity)
{
    struct s3fifo *s3 = calloc(1, sizeof(*s3));

    if (s3 == NULL)
        return NULL;
    s3->capacity = capacity;
    s3->small_list = capacity;
    s3->main_list = capacity + 1;
    s3->small_target = capacity >= SMALL_DIVISOR ? capacity / SMALL_DIVISOR : 1;
    s3->main_target = capacity - s3->small_target;
    s3->ghost_capacity = s3->main_target > 0 ? s3->main_target : 1;
    s3->link = calloc((size_t)capacity + 2, sizeof(*s3->link));
    s3->slot = calloc(capacity, sizeof(*s3->slot));
    s3->ghost_used = calloc(s3->ghost_capacity, sizeof(*s3->ghost_used));
    if (s3->link == NULL || s3->slot == NULL || s3->ghost_used == NULL ||
        sector_index_init(&s3->ghosts, s3->ghost_capacity) < 0) {
        s3fifo_destroy(s3);
        return NULL;
    }
    s3fifo_reset(s3);
    return s3;
}

static void ghost_remember(struct s3fifo *s3, uint64_t sector)
{
    uint32_t at = s3->ghost_next;
    bool fresh = at == s3->ghost_fill;
    if (!sector_index_reserve(&s3->ghosts, sector))
        return; /* a ghost is not worth more memory than there is */
    if (!fresh && s3->ghost_used[at])
        sector_index_remove(&s3->ghosts, at);
    sector_index_put(&s3->ghosts, sector, at);
    s3->ghost_used[at] = true;
    s3->ghost_fill += fresh;
    s3->ghost_next = at + 1 == s3->ghost_capacity ? 0 : at + 1;
}

/* Was it one? Then it is not any more. */
static bool ghost_forget(struct s3fifo *s3, uint64_t sector)
{
    uint32_t at = sector_index_find(&s3->ghosts, sector);

    if (at == SECTOR_INDEX_NONE)
        return false;
    sector_index_remove(&s3->ghosts, at);
    s3->ghost_used[at] = false;
    return true;
}

static void enter_main(struct s3fifo *s3, uint32_t slot)
{
    s3->main_count++;
    s3->slot[slot].in_main = true;
    slot_list_push_head(s3->link, s3->main_list, slot);
}

static void enter_small(struct s3fifo *s3, uint32_t slot)
{
    s3->small_count++;
    s3->slot[slot].in_main = false;
    slot_list_push_head(s3->link, s3->small_list, slot);
}

static uint32_t pop_main(struct s3fifo *s3)
{
    uint32_t slot = slot_list_tail(s3->link, s3->main_list);

    slot_list_unlink(s3->link, slot);
    s3->main_count--;
    return slot;
}

static uint32_t pop_small(struct s3fifo *s3)
{
    uint32_t slot = slot_list_tail(s3->link, s3->small_list);

    slot_list_unlink(s3->link, slot);
    s3->small_count--;
    return slot;
}

static uint32_t victim_of_main(struct s3fifo *s3)
{
    uint32_t slot = pop_main(s3);

    for (; s3->slot[slot].use_count > 0; slot = pop_main(s3)) {
        s3->slot[slot].use_count--;
        enter_main(s3, slot);
    }
    return slot;
}

/* What earned a place in main moves there, at the latest until main is over its target. */
static uint32_t victim_of_small(struct s3fifo *s3)
{
    for (;;) {
        uint32_t slot = pop_small(s3);

        if (s3->slot[slot].use_count <= PROMOTE_ABOVE) {
            ghost_remember(s3, s3->slot[slot].sector);
            return slot;
        }
        s3->slot[slot].use_count = 0;
        enter_main(s3, slot);
        if (s3->main_count > s3->main_target)
            return victim_of_main(s3);
    }
}

static void s3fifo_hit(void *state, uint32_t slot)
{
    struct s3fifo *s3 = state;

    if (s3->slot[slot].use_count < USE_COUNT_MAX)
        s3->slot[slot].use_count++;
}

static void s3fifo_insert(void *state, uint32_t slot, uint64_t sector)
{
    struct s3fifo *s3 = state;

    assert(slot < s3->capacity && s3->small_count + s3->main_count < s3->capacity);
    s3->slot[slot].sector = sector;
    s3->slot[slot].use_count = 0;
    if (!s3->victim_named)
        s3->incoming_was_ghost = ghost_forget(s3, sector);
    if (s3->incoming_was_ghost)
        enter_main(s3, slot);
    else
        enter_small(s3, slot);
    s3->incoming_was_ghost = s3->victim_named = false;
}

static uint32_t s3fifo_victim(void *state, uint64_t incoming_sector)
{
    struct s3fifo *s3 = state;

    /* Before the victim is remembered, which may push the incoming sector out of the ring. */
    s3->incoming_was_ghost = ghost_forget(s3, incoming_sector);
    s3->victim_named = true;
    if (s3->small_count >= s3->small_target)
        return victim_of_small(s3);
    return victim_of_main(s3);
}

static void s3fifo_remove(void *state, uint32_t slot)
{
    struct s3fifo *s3 = state;

    slot_list_unlink(s3->link, slot);
    if (s3->slot[slot].in_main)
        s3->main_count--;
    else
        s3->small_count--;
}

const struct cache_policy cache_policy_s3fifo = {
    .name = "s3fifo",
    .create = s3fifo_create,
    .destroy = s3fifo_destroy,
    .hit = s3fifo_hit,
    .insert = s3fifo_insert,
    .victim = s3fifo_victim,
    .remove = s3fifo_remove,
    .reset = s3fifo_reset,
};
