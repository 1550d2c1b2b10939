/* SPDX-License-Identifier: MIT */
/*
 * slot_list: doubly linked circular lists of slot numbers, several in one array.
 *
 * Links are 32-bit indices, eight bytes a slot, so that a list of ten thousand slots stays in the
 * second-level cache. Numbers from the slot count upwards are the lists' own ends ("lists" below):
 * with capacity slots and two lists, allocate capacity + 2 links and name the lists capacity and
 * capacity + 1. A slot is in one list at most, and only slots that are may be unlinked.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_SLOT_LIST_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_SLOT_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct slot_link {
    uint32_t older; /* towards the tail */
    uint32_t newer; /* towards the head */
};

static inline void slot_list_init(struct slot_link *links, uint32_t list)
{
    links[list] = (struct slot_link){.older = list, .newer = list};
}

/* The newest slot, or the list itself when empty. */
static inline uint32_t slot_list_head(const struct slot_link *links, uint32_t list)
{
    return links[list].older;
}

/* The oldest slot, or the list itself when empty. */
static inline uint32_t slot_list_tail(const struct slot_link *links, uint32_t list)
{
    return links[list].newer;
}

static inline void slot_list_unlink(struct slot_link *links, uint32_t slot)
{
    struct slot_link at = links[slot];

    links[at.newer].older = at.older;
    links[at.older].newer = at.newer;
}

static inline void slot_list_push_head(struct slot_link *links, uint32_t list, uint32_t slot)
{
    uint32_t head = links[list].older;

    links[slot] = (struct slot_link){.older = head, .newer = list};
    links[head].newer = slot;
    links[list].older = slot;
}

#endif
