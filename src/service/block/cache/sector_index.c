/* SPDX-License-Identifier: MIT */
#include "service/block/cache/sector_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

enum {
    CAPACITY_MAX = 1 << 30,
    /* So many at most on the average; with as many parts as an index can have, a part's number and
     * a place in it still come from different bits of the hash. */
    SLOTS_PER_PART = 1024,
    POSITIONS_MIN = 64, /* as much memory as one sector, and seldom a collision in a small cache */
};

/* A key that clients cannot know. Early in boot the kernel may have no entropy yet; then the clock
 * and an address have to do, which is no worse than what the kernel itself would know. */
static void draw_key(struct sector_index *index)
{
    if (getrandom(index->key, sizeof(index->key), GRND_NONBLOCK) != sizeof(index->key)) {
        index->key[0] = clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
        index->key[1] = (uint64_t)(uintptr_t)index->parts * UINT64_C(0xbf58476d1ce4e5b9);
    }
    index->key[1] |= 1; /* never a multiplication by zero */
}

static void empty_part(struct sector_index *index, struct sector_index_part *part)
{
    *part = (struct sector_index_part){.table = &index->nothing};
}

int sector_index_init(struct sector_index *index, uint32_t capacity)
{
    assert(capacity > 0);
    memset(index, 0, sizeof(*index));
    if (capacity > CAPACITY_MAX)
        return -ENOMEM;
    index->capacity = capacity;
    index->nothing.slot = SECTOR_INDEX_NONE;
    index->part_count = 2;
    index->shift = 31;
    while (index->part_count * (uint64_t)SLOTS_PER_PART < capacity) {
        index->part_count *= 2;
        index->shift--;
    }
    index->parts = calloc(index->part_count, sizeof(*index->parts));
    index->sector_of = calloc(capacity, sizeof(*index->sector_of));
    if (index->parts == NULL || index->sector_of == NULL) {
        free(index->parts);
        free(index->sector_of);
        memset(index, 0, sizeof(*index));
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < index->part_count; i++)
        empty_part(index, &index->parts[i]);
    draw_key(index);
    return 0;
}

void sector_index_free(struct sector_index *index)
{
    sector_index_clear(index);
    free(index->sector_of);
    free(index->parts);
    memset(index, 0, sizeof(*index));
}

void sector_index_clear(struct sector_index *index)
{
    for (uint32_t i = 0; i < index->part_count; i++) {
        struct sector_index_part *part = &index->parts[i];
        if (part->mask != 0)
            free(part->table);
        empty_part(index, part);
    }
}

/* Into a table with an empty position. */
static void place(struct sector_index_entry *table, uint32_t mask, struct sector_index_entry entry)
{
    uint32_t at = entry.hash & mask;
    while (table[at].slot != SECTOR_INDEX_NONE)
        at = (at + 1) & mask;
    table[at] = entry;
}

static bool grow(struct sector_index_part *part)
{
    uint32_t positions = part->mask == 0 ? POSITIONS_MIN : 2 * (part->mask + 1);
    struct sector_index_entry *table = malloc(positions * sizeof(*table));
    if (table == NULL)
        return false;
    memset(table, 0xff, positions * sizeof(*table)); /* SECTOR_INDEX_NONE everywhere */
    for (uint32_t at = 0; part->mask != 0 && at <= part->mask; at++) {
        if (part->table[at].slot != SECTOR_INDEX_NONE)
            place(table, positions - 1, part->table[at]);
    }
    if (part->mask != 0)
        free(part->table);
    part->table = table;
    part->mask = positions - 1;
    return true;
}

bool sector_index_reserve(struct sector_index *index, uint64_t sector)
{
    struct sector_index_part *part = sector_index_part_of(index, sector_index_hash(index, sector));
    if (2 * (part->count + 1) <= part->mask + 1)
        return true;
    /* Without memory a table may become fuller, as long as one position stays empty. */
    return grow(part) || part->count + 1 <= part->mask;
}

void sector_index_put(struct sector_index *index, uint64_t sector, uint32_t slot)
{
    uint32_t hash = sector_index_hash(index, sector);
    struct sector_index_part *part = sector_index_part_of(index, hash);
    assert(slot < index->capacity && part->count < part->mask);
    place(part->table, part->mask, (struct sector_index_entry){.hash = hash, .slot = slot});
    part->count++;
    index->sector_of[slot] = sector;
}

void sector_index_remove(struct sector_index *index, uint32_t slot)
{
    assert(slot < index->capacity);
    uint32_t hash = sector_index_hash(index, index->sector_of[slot]);
    struct sector_index_part *part = sector_index_part_of(index, hash);
    struct sector_index_entry *table = part->table;
    uint32_t mask = part->mask;
    uint32_t hole = hash & mask;
    while (table[hole].slot != slot) {
        assert(table[hole].slot != SECTOR_INDEX_NONE);
        hole = (hole + 1) & mask;
    }

    /* Close the gap: a follower moves into the hole unless its home lies after the hole, that is,
     * unless it is displaced by less than its distance from the hole. */
    for (uint32_t at = (hole + 1) & mask; table[at].slot != SECTOR_INDEX_NONE;
         at = (at + 1) & mask) {
        uint32_t displacement = (at - table[at].hash) & mask;
        if (displacement >= ((at - hole) & mask)) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole].slot = SECTOR_INDEX_NONE;
    part->count--;
}
