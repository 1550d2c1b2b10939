/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/shadow.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION UINT64_C(0x100000000)

int shadow_init(struct shadow *shadow, uint32_t nr_entries, uint32_t first_id)
{
    assert(first_id + nr_entries <= SHADOW_IDS);
    *shadow =
        (struct shadow){.nr_entries = nr_entries, .free_head = SHADOW_NONE, .first_id = first_id};
    shadow->entry = calloc(nr_entries, sizeof(*shadow->entry));
    if (shadow->entry == NULL)
        return -ENOMEM;
    for (uint32_t i = nr_entries; i-- > 0;) {
        shadow->entry[i].id = first_id + i;
        shadow->entry[i].next_free = shadow->free_head;
        shadow->free_head = i;
    }
    shadow->free_count = nr_entries;
    return 0;
}

void shadow_fini(struct shadow *shadow)
{
    free(shadow->entry);
    memset(shadow, 0, sizeof(*shadow));
}

struct shadow_entry *shadow_take(struct shadow *shadow)
{
    if (shadow->free_head == SHADOW_NONE)
        return NULL;
    struct shadow_entry *entry = &shadow->entry[shadow->free_head];
    shadow->free_head = entry->next_free;
    shadow->free_count--;
    entry->pending = true;
    entry->abandoned = false;
    entry->id += GENERATION;
    shadow_set_rank(entry, 0); /* a trace that is over may have left the last one's */
    entry->sequence = ++shadow->sequence;
    return entry;
}

void shadow_put(struct shadow *shadow, struct shadow_entry *entry)
{
    shadow_retire(entry);
    shadow_free(shadow, entry);
}

void shadow_retire(struct shadow_entry *entry)
{
    assert(entry->pending && !list_is_linked(&entry->backlog));
    entry->pending = false;
}

void shadow_free(struct shadow *shadow, struct shadow_entry *entry)
{
    assert(!entry->pending);
    entry->next_free = shadow->free_head;
    shadow->free_head = shadow_index(shadow, entry);
    shadow->free_count++;
}

uint32_t shadow_index(const struct shadow *shadow, const struct shadow_entry *entry)
{
    return (uint32_t)(entry - shadow->entry);
}

struct shadow_entry *shadow_find(struct shadow *shadow, uint64_t id)
{
    uint32_t index =
        (uint32_t)(id % SHADOW_IDS) - shadow->first_id; /* a lower one wraps: too large */
    if (index >= shadow->nr_entries)
        return NULL;
    struct shadow_entry *entry = &shadow->entry[index];
    return entry->pending && entry->id == id ? entry : NULL;
}

struct shadow_entry *shadow_next(struct shadow *shadow, uint64_t sequence)
{
    struct shadow_entry *next = NULL;
    for (uint32_t i = 0; i < shadow->nr_entries; i++) {
        struct shadow_entry *entry = &shadow->entry[i];
        if (entry->pending && !entry->is_held && entry->sequence > sequence &&
            (next == NULL || entry->sequence < next->sequence))
            next = entry;
    }
    return next;
}
