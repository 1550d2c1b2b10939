/* SPDX-License-Identifier: MIT */
/*
 * sector_index: which slot holds a sector. A map from sectors to slot numbers 0..capacity-1 that
 * never allocates after its creation.
 *
 * Open addressing with linear probing in a table of at least twice the capacity. A table entry is
 * eight bytes, 32 bits of the sector's hash and the slot, so that a whole probe sequence is nearly
 * always one cache line; the sector itself lies in sector_of[slot] and is looked at only when the
 * 32 bits agree. Those bits also give an entry's home position, so removal shifts the followers
 * back (Knuth, TAOCP vol. 3, 6.4, algorithm R) without hashing anything again, and there are no
 * tombstones that would make look-ups slower with age.
 *
 * The hash is keyed: clients choose the sectors, and with a hash that they can compute they could
 * choose ten thousand that probe each other.
 *
 * Single-threaded.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_SECTOR_INDEX_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_SECTOR_INDEX_H

#include <stdint.h>

#define SECTOR_INDEX_NONE UINT32_MAX

struct sector_index_entry {
    uint32_t hash;
    uint32_t slot; /* SECTOR_INDEX_NONE: the position is empty */
};

struct sector_index {
    struct sector_index_entry *table; /* mask + 1 positions */
    uint64_t *sector_of;              /* by slot; meaningful for slots in the table */
    uint64_t key[2];
    uint32_t mask;
    uint32_t capacity;
};

/* Room for slots 0..capacity-1, none in use; capacity >= 1. Errors: -ENOMEM, also for a capacity
 * above 2^30. */
int sector_index_init(struct sector_index *index, uint32_t capacity);
/* An index that is all zero is allowed. */
void sector_index_free(struct sector_index *index);
/* Back to no slot in use. */
void sector_index_clear(struct sector_index *index);
/* Neither the sector nor the slot may be in use. */
void sector_index_put(struct sector_index *index, uint64_t sector, uint32_t slot);
/* The slot must be in use. */
void sector_index_remove(struct sector_index *index, uint32_t slot);

/* One multiplication to 128 bits, halves folded (the mixing step of wyhash, Wang Yi). */
static inline uint32_t sector_index_hash(const struct sector_index *index, uint64_t sector)
{
    unsigned __int128 product = (unsigned __int128)(sector ^ index->key[0]) * index->key[1];

    return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64));
}

/* Where sector_index_find begins to look: to be prefetched. (By the caller: gcc removes calls of a
 * function that does nothing but prefetch.) */
static inline const void *sector_index_begin(const struct sector_index *index, uint64_t sector)
{
    return &index->table[sector_index_hash(index, sector) & index->mask];
}

/* The sector's slot, or SECTOR_INDEX_NONE. */
static inline uint32_t sector_index_find(const struct sector_index *index, uint64_t sector)
{
    uint32_t hash = sector_index_hash(index, sector);
    uint32_t at = hash & index->mask;

    for (;; at = (at + 1) & index->mask) {
        struct sector_index_entry entry = index->table[at];

        if (entry.slot == SECTOR_INDEX_NONE)
            return SECTOR_INDEX_NONE;
        if (entry.hash == hash && index->sector_of[entry.slot] == sector)
            return entry.slot;
    }
}

#endif
