/* SPDX-License-Identifier: MIT */
#include "service/block/inflight.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static uint32_t bucket_of(const struct inflight *table, uint64_t sector)
{
    unsigned __int128 product =
        (unsigned __int128)(sector / INFLIGHT_GRANULE ^ table->key) * (table->key | 1);

    return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64)) % INFLIGHT_BUCKETS;
}

void inflight_init(struct inflight *table, uint64_t key)
{
    memset(table, 0, sizeof(*table));
    table->key = key;
}

void inflight_add(struct inflight *table, struct inflight_read *read, uint64_t sector,
                  uint32_t sector_count)
{
    uint32_t bucket = bucket_of(table, sector);

    assert(sector_count > 0 && sector + sector_count > sector);
    *read = (struct inflight_read){
        .sector = sector,
        .sector_count = sector_count,
        .hash_next = table->bucket[bucket],
    };
    table->bucket[bucket] = read;
    table->count++;
}

struct inflight_read *inflight_find(const struct inflight *table, uint64_t sector,
                                    uint32_t sector_count)
{
    if (table->count == 0 || sector_count == 0)
        return NULL;
    for (struct inflight_read *read = table->bucket[bucket_of(table, sector)]; read != NULL;
         read = read->hash_next) {
        uint64_t offset = sector - read->sector; /* huge when the read starts after the span */
        if (offset < INFLIGHT_GRANULE &&
            read->sector / INFLIGHT_GRANULE == sector / INFLIGHT_GRANULE &&
            offset + sector_count <= read->sector_count)
            return read;
    }
    return NULL;
}

void inflight_remove(struct inflight *table, struct inflight_read *read)
{
    struct inflight_read **link = &table->bucket[bucket_of(table, read->sector)];

    while (*link != read) {
        assert(*link != NULL);
        link = &(*link)->hash_next;
    }
    *link = read->hash_next;
    read->hash_next = NULL;
    table->count--;
}
