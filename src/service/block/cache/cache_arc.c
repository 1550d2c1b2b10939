/* SPDX-License-Identifier: MIT */
/*
 * ARC, the adaptive replacement cache: LRU and a frequency filter that learn each other's size.
 *
 *   T1   sectors read once lately, in order of that read           T1 and T2 are the cache
 *   T2   sectors read twice and more, in order of the last read
 *   B1   no data: what was given up from T1, in that order         B1 and B2 are the ghosts
 *   B2   no data: what was given up from T2
 *
 * With c places, T1 + B1 never exceed c and all four together 2c. A hit moves its sector to the
 * head of T2. A victim comes from T1 while T1 is longer than its target p, else from T2, and leaves
 * a ghost. p is what ARC learns: a read of a ghost in B1 says that T1 was too short, and raises p;
 * one in B2 lowers it. The smaller of the two ghost lists carries the larger step, for its members
 * are the less likely to be met. A returning ghost enters T2.
 *
 * So a load of pure recency drives p to c, where ARC is LRU; a scan runs through T1 and, since its
 * sectors never come back, cannot grow p at T2's expense. It has no parameter. On all our loads it
 * is within two points of the best policy, except on a loop larger than the cache, where like LRU
 * it finds nothing.
 *
 * A miss costs one look-up in the ghosts' index more than LRU.
 *
 * Source: Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003,
 * figure 4; the names are theirs. The seam splits their procedure in two: victim does the
 * adaptation and REPLACE, insert places the sector. While the cache fills for the first time there
 * are no ghosts and nothing to adapt. Where sectors were removed, insert comes without victim, and
 * keeps to the bounds by itself; it adapts nothing.
 */
#include "service/block/cache/cache_policy.h"
#include "service/block/cache/sector_index.h"
#include "service/block/cache/slot_list.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

/* Where a slot or a ghost is. A ghost hangs in the same array of links as the slots, its number
 * raised by c, and the lists' ends come after both. */
enum arc_list { T1, T2, B1, B2, LIST_COUNT };

struct arc {
    struct slot_link *link; /* c slots, c ghosts, LIST_COUNT ends */
    uint8_t *list_of;       /* by slot and by c + ghost: enum arc_list */
    uint64_t *sector_of;    /* by slot: what its ghost will be called */
    struct sector_index ghosts;
    uint32_t *free_ghost; /* stack of ghost numbers that are without a sector again */
    uint32_t free_ghost_count;
    uint32_t ghost_fill;        /* the numbers from here on never had one */
    uint32_t c;                 /* places in the cache */
    uint32_t p;                 /* target length of T1, 0..c */
    uint32_t count[LIST_COUNT]; /* members */
    enum arc_list incoming;     /* where the next insert goes: T1, or T2 for a returning ghost */
    bool victim_named;          /* since the last insert */
};

static uint32_t list_end(const struct arc *arc, enum arc_list list)
{
    return 2 * arc->c + (uint32_t)list;
}

static void enter(struct arc *arc, enum arc_list list, uint32_t node)
{
    slot_list_push_head(arc->link, list_end(arc, list), node);
    arc->list_of[node] = (uint8_t)list;
    arc->count[list]++;
}

static void leave(struct arc *arc, uint32_t node)
{
    slot_list_unlink(arc->link, node);
    arc->count[arc->list_of[node]]--;
}

static void arc_reset(void *state)
{
    struct arc *arc = state;

    for (int list = 0; list < LIST_COUNT; list++) {
        slot_list_init(arc->link, list_end(arc, (enum arc_list)list));
        arc->count[list] = 0;
    }
    sector_index_clear(&arc->ghosts);
    arc->free_ghost_count = 0;
    arc->ghost_fill = 0;
    arc->p = 0;
    arc->incoming = T1;
}

static void arc_destroy(void *state)
{
    struct arc *arc = state;

    free(arc->free_ghost);
    sector_index_free(&arc->ghosts);
    free(arc->sector_of);
    free(arc->list_of);
    free(arc->link);
    free(arc);
}

static void *arc_create(uint32_t capacity)
{
    struct arc *arc = calloc(1, sizeof(*arc));

    if (arc == NULL)
        return NULL;
    arc->c = capacity;
    arc->link = calloc(2 * (size_t)capacity + LIST_COUNT, sizeof(*arc->link));
    arc->list_of = calloc(2 * (size_t)capacity, sizeof(*arc->list_of));
    arc->sector_of = calloc(capacity, sizeof(*arc->sector_of));
    arc->free_ghost = calloc(capacity, sizeof(*arc->free_ghost));
    if (arc->link == NULL || arc->list_of == NULL || arc->sector_of == NULL ||
        arc->free_ghost == NULL || sector_index_init(&arc->ghosts, capacity) < 0) {
        arc_destroy(arc);
        return NULL;
    }
    arc_reset(arc);
    return arc;
}

static bool any_free_ghost(const struct arc *arc)
{
    return arc->free_ghost_count > 0 || arc->ghost_fill < arc->c;
}

static void ghost_add(struct arc *arc, enum arc_list list, uint64_t sector)
{
    if (!sector_index_reserve(&arc->ghosts, sector))
        return; /* a ghost is not worth more memory than there is */
    uint32_t ghost =
        arc->free_ghost_count > 0 ? arc->free_ghost[--arc->free_ghost_count] : arc->ghost_fill++;
    assert(ghost < arc->c);
    sector_index_put(&arc->ghosts, sector, ghost);
    enter(arc, list, arc->c + ghost);
}

static void ghost_drop(struct arc *arc, uint32_t ghost)
{
    leave(arc, arc->c + ghost);
    sector_index_remove(&arc->ghosts, ghost);
    arc->free_ghost[arc->free_ghost_count++] = ghost;
}

static void ghost_drop_oldest(struct arc *arc, enum arc_list list)
{
    ghost_drop(arc, slot_list_tail(arc->link, list_end(arc, list)) - arc->c);
}

/* The oldest of T1 or T2 loses its slot, unless told otherwise with a ghost to remember it. */
static uint32_t give_up_oldest(struct arc *arc, enum arc_list list, bool remember)
{
    uint32_t slot = slot_list_tail(arc->link, list_end(arc, list));

    leave(arc, slot);
    if (remember)
        ghost_add(arc, list == T1 ? B1 : B2, arc->sector_of[slot]);
    return slot;
}

/* REPLACE(x, p) of the paper. */
static uint32_t replace(struct arc *arc, bool incoming_was_in_b2)
{
    bool from_t1 = arc->count[T1] > arc->p ||
                   (arc->count[T1] > 0 && incoming_was_in_b2 && arc->count[T1] == arc->p);

    return give_up_oldest(arc, from_t1 ? T1 : T2, true);
}

/* Cases II and III: the incoming sector is a ghost. */
static uint32_t victim_for_ghost(struct arc *arc, uint32_t ghost)
{
    bool in_b1 = arc->list_of[arc->c + ghost] == B1;
    uint32_t mine = arc->count[in_b1 ? B1 : B2];
    uint32_t other = arc->count[in_b1 ? B2 : B1];
    uint32_t step = mine >= other ? 1 : other / mine;

    if (in_b1)
        arc->p = arc->c - arc->p > step ? arc->p + step : arc->c;
    else
        arc->p = arc->p > step ? arc->p - step : 0;
    ghost_drop(arc, ghost);
    arc->incoming = T2;
    return replace(arc, !in_b1);
}

/* Case IV: nobody remembers the incoming sector. */
static uint32_t victim_for_stranger(struct arc *arc)
{
    arc->incoming = T1;
    if (arc->count[T1] + arc->count[B1] == arc->c) {
        if (arc->count[T1] == arc->c)
            return give_up_oldest(arc, T1, false);
        ghost_drop_oldest(arc, B1);
    } else if (!any_free_ghost(arc)) {
        ghost_drop_oldest(arc, B2);
    }
    return replace(arc, false);
}

static void arc_hit(void *state, uint32_t slot)
{
    struct arc *arc = state;

    leave(arc, slot);
    enter(arc, T2, slot);
}

/* A sector comes into the room that a removed one has left. */
static void make_way(struct arc *arc, uint64_t incoming_sector)
{
    uint32_t ghost = sector_index_find(&arc->ghosts, incoming_sector);

    if (ghost != SECTOR_INDEX_NONE) {
        ghost_drop(arc, ghost);
        arc->incoming = T2;
    } else if (arc->count[T1] + arc->count[B1] == arc->c && arc->count[B1] > 0) {
        ghost_drop_oldest(arc, B1);
    }
}

static void arc_insert(void *state, uint32_t slot, uint64_t sector)
{
    struct arc *arc = state;

    if (!arc->victim_named)
        make_way(arc, sector);
    arc->victim_named = false;
    assert(slot < arc->c && arc->count[T1] + arc->count[T2] < arc->c);
    arc->sector_of[slot] = sector;
    enter(arc, arc->incoming, slot);
    arc->incoming = T1;
}

static uint32_t arc_victim(void *state, uint64_t incoming_sector)
{
    struct arc *arc = state;
    uint32_t ghost = sector_index_find(&arc->ghosts, incoming_sector);

    arc->victim_named = true;
    if (ghost != SECTOR_INDEX_NONE)
        return victim_for_ghost(arc, ghost);
    return victim_for_stranger(arc);
}

static void arc_remove(void *state, uint32_t slot)
{
    leave(state, slot);
}

const struct cache_policy cache_policy_arc = {
    .name = "arc",
    .create = arc_create,
    .destroy = arc_destroy,
    .hit = arc_hit,
    .insert = arc_insert,
    .victim = arc_victim,
    .remove = arc_remove,
    .reset = arc_reset,
};
