/* SPDX-License-Identifier: MIT */
#include "service/block/cache/sector_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { CAPACITY_MAX = 1 << 30 };

/* A key that clients cannot know. Early in boot the kernel may have no entropy yet; then the clock
 * and an address have to do, which is no worse than what the kernel itself would know. */
static void draw_key(struct sector_index *index)
{
    if (getrandom(index->key, sizeof(index->key), GRND_NONBLOCK) != sizeof(index->key)) {
        struct timespec now = {0};

        clock_gettime(CLOCK_MONOTONIC, &now);
        index->key[0] = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15);
        index->key[1] = (uint64_t)(uintptr_t)index->table * UINT64_C(0xbf58476d1ce4e5b9);
    }
    index->key[1] |= 1; /* never a multiplication by zero */
}

int sector_index_init(struct sector_index *index, uint32_t capacity)
{
    size_t position_count = 4;

    assert(capacity > 0);
    memset(index, 0, sizeof(*index));
    if (capacity > CAPACITY_MAX)
        return -ENOMEM;
    while (position_count < 2 * (size_t)capacity)
        position_count *= 2;

    index->capacity = capacity;
    index->mask = (uint32_t)(position_count - 1);
    index->table = calloc(position_count, sizeof(*index->table));
    index->sector_of = calloc(capacity, sizeof(*index->sector_of));
    if (index->table == NULL || index->sector_of == NULL) {
        sector_index_free(index);
        return -ENOMEM;
    }
    draw_key(index);
    sector_index_clear(index);
    return 0;
}

void sector_index_free(struct sector_index *index)
{
    free(index->sector_of);
    free(index->table);
    memset(index, 0, sizeof(*index));
}

void sector_index_clear(struct sector_index *index)
{
    /* All bits set: SECTOR_INDEX_NONE everywhere. */
    memset(index->table, 0xff, ((size_t)index->mask + 1) * sizeof(*index->table));
}

void sector_index_put(struct sector_index *index, uint64_t sector, uint32_t slot)
{
    uint32_t hash = sector_index_hash(index, sector);
    uint32_t at = hash & index->mask;

    assert(slot < index->capacity);
    while (index->table[at].slot != SECTOR_INDEX_NONE)
        at = (at + 1) & index->mask;
    index->table[at] = (struct sector_index_entry){.hash = hash, .slot = slot};
    index->sector_of[slot] = sector;
}

void sector_index_remove(struct sector_index *index, uint32_t slot)
{
    uint32_t mask = index->mask;
    struct sector_index_entry *table = index->table;
    uint32_t hole;

    assert(slot < index->capacity);
    hole = sector_index_hash(index, index->sector_of[slot]) & mask;
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
}
