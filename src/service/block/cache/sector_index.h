/* SPDX-License-Identifier: MIT */
/*
 * sector_index: which slot holds a sector. A map from sectors to slot numbers 0..capacity-1.
 *
 * Open addressing with linear probing, in parts: the upper bits of a sector's hash choose the part,
 * the lower ones its place there. Each part is a table of its own that doubles when it is half
 * full. So the memory is that of what is in, not of what could be; no table has to be moved that is
 * larger than a few thousand entries; and an index that is cleared gives its memory back.
 *
 * A table entry is eight bytes, 32 bits of the sector's hash and the slot, so that a whole probe
 * sequence is nearly always one cache line; the sector itself lies in sector_of[slot] and is looked
 * at only when the 32 bits agree. Those bits also give an entry's home position, so removal shifts
 * the followers back (Knuth, TAOCP vol. 3, 6.4, algorithm R) without hashing anything again, and
 * there are no tombstones that would make look-ups slower with age.
 *
 * The hash is keyed: clients choose the sectors, and with a hash that they can compute they could
 * choose ten thousand that probe each other.
 *
 * Single-threaded.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_SECTOR_INDEX_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_SECTOR_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define SECTOR_INDEX_NONE UINT32_MAX

struct sector_index_entry {
    uint32_t hash;
    uint32_t slot; /* SECTOR_INDEX_NONE: the position is empty */
};

struct sector_index_part {
    struct sector_index_entry *table; /* mask + 1 positions, at least one of them empty */
    uint32_t mask;                    /* 0: the index's own `nothing` */
    uint32_t count;
};

/* Stays where it is in memory once it is initialised. */
struct sector_index {
    struct sector_index_part *parts;
    uint32_t shift;      /* hash >> shift is a part's number */
    uint32_t part_count; /* at least two */
    uint64_t *sector_of; /* by slot; meaningful for slots in the index */
    uint64_t key[2];
    uint32_t capacity;
    struct sector_index_entry nothing; /* the table of parts that are empty */
};

/* Room for slots 0..capacity-1, none in use; capacity >= 1. Errors: -ENOMEM, also for a capacity
 * above 2^30. */
int sector_index_init(struct sector_index *index, uint32_t capacity);
/* An index that is all zero is allowed. */
void sector_index_free(struct sector_index *index);
/* Back to no slot in use. */
void sector_index_clear(struct sector_index *index);
/* Whether there is memory to put this sector: false, and nothing has changed. */
bool sector_index_reserve(struct sector_index *index, uint64_t sector);
/* Neither the sector nor the slot may be in use. The sector was reserved; since then nothing was
 * put, but something may have been removed. */
void sector_index_put(struct sector_index *index, uint64_t sector, uint32_t slot);
/* The slot must be in use. */
void sector_index_remove(struct sector_index *index, uint32_t slot);

/* One multiplication to 128 bits, halves folded (the mixing step of wyhash, Wang Yi). */
static inline uint32_t sector_index_hash(const struct sector_index *index, uint64_t sector)
{
    unsigned __int128 product = (unsigned __int128)(sector ^ index->key[0]) * index->key[1];

    return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64));
}

static inline struct sector_index_part *sector_index_part_of(const struct sector_index *index,
                                                             uint32_t hash)
{
    return &index->parts[hash >> index->shift];
}

/* Where sector_index_find begins to look: to be prefetched. (By the caller: gcc removes calls of a
 * function that does nothing but prefetch.) */
static inline const void *sector_index_begin(const struct sector_index *index, uint64_t sector)
{
    uint32_t hash = sector_index_hash(index, sector);
    const struct sector_index_part *part = sector_index_part_of(index, hash);
    return &part->table[hash & part->mask];
}

/* The sector's slot, or SECTOR_INDEX_NONE. */
static inline uint32_t sector_index_find(const struct sector_index *index, uint64_t sector)
{
    uint32_t hash = sector_index_hash(index, sector);
    const struct sector_index_part *part = sector_index_part_of(index, hash);
    const struct sector_index_entry *table = part->table;
    uint32_t mask = part->mask;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        struct sector_index_entry entry = table[at];
        if (entry.slot == SECTOR_INDEX_NONE)
            return SECTOR_INDEX_NONE;
        if (entry.hash == hash && index->sector_of[entry.slot] == sector)
            return entry.slot;
    }
}

#endif
