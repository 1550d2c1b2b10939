/* SPDX-License-Identifier: MIT */
/*
 * The cache proper: an index, a pool of data and a policy that knows slot numbers.
 *
 * A look-up costs one probe of the index (one cache line of it, nearly always), one comparison of
 * the sector and the policy's bookkeeping; nothing is copied, the caller reads the pool in place.
 * A miss, which is what a uniform load over a large disk sees 99 times of 100, is the probe alone.
 * Slots are taken in order until the cache is full, and change owner from then on.
 */
#include "service/block/cache/cache.h"
#include "service/block/cache/sector_index.h"
#include "service/block/engine/sector.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    POOL_ALIGN = 64, /* a sector is eight whole cache lines */
};

struct cache {
    struct sector_index index;
    const struct cache_policy *policy;
    void *policy_state;
    unsigned char *pool; /* capacity sectors */
    uint32_t capacity;
    uint32_t used; /* slots 0..used-1 hold sectors */
};

int cache_create(size_t data_bytes, const struct cache_policy *policy, struct cache **out)
{
    size_t capacity = data_bytes / BLOCK_SECTOR_BYTES;
    struct cache *cache;

    *out = NULL;
    if (capacity >= SECTOR_INDEX_NONE)
        return -ENOMEM;
    cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return -ENOMEM;
    cache->policy = policy;
    cache->capacity = (uint32_t)capacity;
    if (capacity > 0) {
        if (sector_index_init(&cache->index, cache->capacity) < 0)
            goto fail;
        cache->pool = aligned_alloc(POOL_ALIGN, capacity * BLOCK_SECTOR_BYTES);
        if (cache->pool == NULL)
            goto fail;
        cache->policy_state = policy->create(cache->capacity);
        if (cache->policy_state == NULL)
            goto fail;
    }
    *out = cache;
    return 0;

fail:
    cache_destroy(cache);
    return -ENOMEM;
}

void cache_destroy(struct cache *cache)
{
    if (cache == NULL)
        return;
    if (cache->policy_state != NULL)
        cache->policy->destroy(cache->policy_state);
    free(cache->pool);
    sector_index_free(&cache->index);
    free(cache);
}

static unsigned char *slot_data(const struct cache *cache, uint32_t slot)
{
    return cache->pool + (size_t)slot * BLOCK_SECTOR_BYTES;
}

static uint32_t find_slot(const struct cache *cache, uint64_t sector)
{
    /* A cache without room has no table to probe. */
    return cache->used > 0 ? sector_index_find(&cache->index, sector) : SECTOR_INDEX_NONE;
}

const void *cache_lookup(struct cache *cache, uint64_t sector)
{
    uint32_t slot = find_slot(cache, sector);

    if (slot == SECTOR_INDEX_NONE)
        return NULL;
    cache->policy->hit(cache->policy_state, slot);
    return slot_data(cache, slot);
}

const void *cache_peek(const struct cache *cache, uint64_t sector)
{
    uint32_t slot = find_slot(cache, sector);

    return slot == SECTOR_INDEX_NONE ? NULL : slot_data(cache, slot);
}

void cache_insert(struct cache *cache, uint64_t sector, const void *data)
{
    uint32_t slot;

    if (cache->capacity == 0)
        return;
    slot = find_slot(cache, sector);
    if (slot == SECTOR_INDEX_NONE) {
        if (cache->used < cache->capacity) {
            slot = cache->used++;
        } else {
            slot = cache->policy->victim(cache->policy_state, sector);
            assert(slot < cache->capacity);
            sector_index_remove(&cache->index, slot);
        }
        sector_index_put(&cache->index, sector, slot);
        cache->policy->insert(cache->policy_state, slot, sector);
    }
    memcpy(slot_data(cache, slot), data, BLOCK_SECTOR_BYTES);
}

void cache_prefetch(const struct cache *cache, uint64_t sector)
{
    if (cache->used > 0)
        __builtin_prefetch(sector_index_begin(&cache->index, sector));
}

void cache_prefetch_victim(const struct cache *cache)
{
    const unsigned char *data;
    uint32_t slot;

    if (cache->used < cache->capacity || cache->capacity == 0 || cache->policy->next_victim == NULL)
        return;
    slot = cache->policy->next_victim(cache->policy_state);
    assert(slot < cache->capacity);
    data = slot_data(cache, slot);
    for (size_t i = 0; i < BLOCK_SECTOR_BYTES; i += POOL_ALIGN)
        __builtin_prefetch(data + i, 1);
    __builtin_prefetch(sector_index_begin(&cache->index, cache->index.sector_of[slot]));
}

void cache_clear(struct cache *cache)
{
    if (cache->used == 0)
        return;
    sector_index_clear(&cache->index);
    cache->policy->reset(cache->policy_state);
    cache->used = 0;
}

uint32_t cache_capacity(const struct cache *cache)
{
    return cache->capacity;
}

uint32_t cache_used(const struct cache *cache)
{
    return cache->used;
}
