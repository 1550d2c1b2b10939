/* SPDX-License-Identifier: MIT */
/*
 * The cache proper: an index, a pool of data and a policy that knows slot numbers.
 *
 * A look-up costs one probe of the index (one cache line of it, nearly always), one comparison of
 * the sector and the policy's bookkeeping; nothing is copied, the caller reads the pool in place.
 * A miss, which is what a uniform load over a large disk sees 99 times of 100, is the probe alone.
 * Slots are taken in order until the cache is full, and change owner from then on. So memory that
 * is reserved for slots to come is not touched: a large cache costs what is in it. Slots whose
 * sectors were removed are taken first; they are chained through the first bytes of their data.
 */
#include "service/block/cache/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefetch.h"
#include "service/block/cache/sector_index.h"
#include "service/block/cache/shared_cache.h"
#include "service/block/engine/sector.h"

enum {
    POOL_ALIGN = 64,    /* a sector is eight whole cache lines */
    REMOVAL_AHEAD = 16, /* about as many lines as a processor fetches at once */
};

struct cache {
    struct sector_index index;
    const struct cache_policy *policy;
    void *policy_state;
    const unsigned char *data;   /* capacity sectors: those of pool or of shared */
    unsigned char *pool;         /* NULL: they are shared */
    struct shared_cache *shared; /* NULL: nobody but Dom0 sees them */
    int share_rc;                /* why not */
    uint32_t capacity;
    uint32_t used;      /* slots that hold a sector */
    uint32_t touched;   /* slots from here on never did */
    uint32_t free_slot; /* the first of those that did, or SECTOR_INDEX_NONE */
};

/* For at least one sector. */
static int create_slots(struct cache *cache)
{
    int rc = sector_index_init(&cache->index, cache->capacity);
    if (rc < 0)
        return rc;
    cache->pool = aligned_alloc(POOL_ALIGN, (size_t)cache->capacity * BLOCK_SECTOR_BYTES);
    if (cache->pool == NULL)
        return -ENOMEM;
    cache->data = cache->pool;
    cache->policy_state = cache->policy->create(cache->capacity);
    return cache->policy_state != NULL ? 0 : -ENOMEM;
}

int cache_create(size_t data_bytes, const struct cache_policy *policy, struct cache **out)
{
    size_t capacity = data_bytes / BLOCK_SECTOR_BYTES;
    *out = NULL;
    if (capacity >= SECTOR_INDEX_NONE)
        return -ENOMEM;
    struct cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return -ENOMEM;
    cache->policy = policy;
    cache->capacity = (uint32_t)capacity;
    cache->free_slot = SECTOR_INDEX_NONE;
    cache->share_rc = -ENOTSUP;
    int rc = capacity > 0 ? create_slots(cache) : 0;
    if (rc < 0) {
        cache_destroy(cache);
        return rc;
    }
    *out = cache;
    return 0;
}

void cache_retire(struct cache *cache)
{
    if (cache->shared != NULL)
        shared_cache_retire(cache->shared);
}

void cache_destroy(struct cache *cache)
{
    if (cache == NULL)
        return;
    if (cache->policy_state != NULL)
        cache->policy->destroy(cache->policy_state);
    free(cache->pool);
    shared_cache_destroy(cache->shared);
    sector_index_free(&cache->index);
    free(cache);
}

int cache_share(struct cache *cache)
{
    assert(cache->used == 0);
    if (cache->capacity == 0)
        return -ENOTSUP;
    int rc = cache->share_rc = shared_cache_create(cache->capacity, &cache->shared);
    if (rc < 0)
        return rc;
    free(cache->pool);
    cache->pool = NULL;
    cache->data = shared_cache_data(cache->shared);
    return 0;
}

int cache_shared_fd(const struct cache *cache)
{
    return cache->shared != NULL ? shared_cache_fd(cache->shared) : cache->share_rc;
}

static const unsigned char *slot_data(const struct cache *cache, uint32_t slot)
{
    return cache->data + (size_t)slot * BLOCK_SECTOR_BYTES;
}

static void fill_slot(struct cache *cache, uint32_t slot, uint64_t sector, const void *data)
{
    if (cache->shared != NULL)
        shared_cache_fill(cache->shared, slot, sector, data);
    else
        memcpy(cache->pool + (size_t)slot * BLOCK_SECTOR_BYTES, data, BLOCK_SECTOR_BYTES);
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
    if (cache->shared != NULL)
        shared_cache_show(cache->shared, slot, sector);
    return slot_data(cache, slot);
}

const void *cache_peek(const struct cache *cache, uint64_t sector)
{
    uint32_t slot = find_slot(cache, sector);

    return slot == SECTOR_INDEX_NONE ? NULL : slot_data(cache, slot);
}

/* In sight of its callers gcc takes away the calls of a function whose only effect is a hint as C
 * knows one. This hint is none. */
static inline void prefetch_index(const struct cache *cache, uint64_t sector)
{
    prefetch_to_write(sector_index_begin(&cache->index, sector), 1);
}

void cache_prefetch(const struct cache *cache, uint64_t sector)
{
    if (cache->used > 0)
        prefetch_index(cache, sector);
}

static uint32_t take_room(struct cache *cache)
{
    uint32_t slot = cache->free_slot;
    cache->used++;
    if (slot == SECTOR_INDEX_NONE)
        return cache->touched++;
    cache->free_slot = (uint32_t)cache->index.sector_of[slot];
    return slot;
}

/* A slot for a sector that is not there: one without a sector, or the policy's choice. */
static uint32_t take_slot(struct cache *cache, uint64_t sector)
{
    if (cache->used < cache->capacity)
        return take_room(cache);
    uint32_t slot = cache->policy->victim(cache->policy_state, sector);
    assert(slot < cache->capacity);
    sector_index_remove(&cache->index, slot);
    return slot;
}

/* The slot that the next insertion takes, as far as that is known; else SECTOR_INDEX_NONE. */
static uint32_t next_slot(const struct cache *cache)
{
    if (cache->used < cache->capacity)
        return cache->free_slot;
    if (cache->capacity == 0 || cache->policy->next_victim == NULL)
        return SECTOR_INDEX_NONE;
    return cache->policy->next_victim(cache->policy_state);
}

void cache_prefetch_victim(const struct cache *cache)
{
    uint32_t slot = next_slot(cache);
    if (slot == SECTOR_INDEX_NONE)
        return;
    assert(slot < cache->capacity);
    prefetch_to_write(slot_data(cache, slot), BLOCK_SECTOR_BYTES);
    if (cache->used < cache->capacity)
        return;
    uint64_t sector = cache->index.sector_of[slot];
    prefetch_index(cache, sector);
    if (cache->shared != NULL)
        shared_cache_prefetch_drop(cache->shared, slot, sector);
}

/* The sector's slot, which it gets now if it has none; SECTOR_INDEX_NONE where memory is lacking.
 */
static uint32_t slot_for(struct cache *cache, uint64_t sector)
{
    uint32_t slot = find_slot(cache, sector);
    if (slot != SECTOR_INDEX_NONE)
        return slot;
    if (!sector_index_reserve(&cache->index, sector))
        return SECTOR_INDEX_NONE;
    slot = take_slot(cache, sector);
    sector_index_put(&cache->index, sector, slot);
    cache->policy->insert(cache->policy_state, slot, sector);
    return slot;
}

void cache_insert(struct cache *cache, uint64_t sector, const void *data)
{
    if (cache->capacity == 0)
        return;
    uint32_t slot = slot_for(cache, sector);
    if (slot != SECTOR_INDEX_NONE)
        fill_slot(cache, slot, sector, data);
}

void cache_insert_run(struct cache *cache, uint64_t sector, uint32_t count, const void *data)
{
    if (cache->capacity == 0)
        return;
    for (uint32_t i = 1; i < count; i++)
        cache_prefetch(cache, sector + i);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = slot_for(cache, sector + i);
        if (i + 1 < count)
            cache_prefetch_victim(cache);
        if (slot != SECTOR_INDEX_NONE)
            fill_slot(cache, slot, sector + i,
                      (const unsigned char *)data + (size_t)i * BLOCK_SECTOR_BYTES);
    }
}

void cache_use_slot(struct cache *cache, uint32_t slot)
{
    if (slot < cache->touched && find_slot(cache, cache->index.sector_of[slot]) == slot)
        cache->policy->hit(cache->policy_state, slot);
}

static void remove_slot(struct cache *cache, uint32_t slot)
{
    sector_index_remove(&cache->index, slot);
    cache->policy->remove(cache->policy_state, slot);
    if (cache->shared != NULL)
        shared_cache_drop(cache->shared, slot);
    cache->index.sector_of[slot] = cache->free_slot;
    cache->free_slot = slot;
    cache->used--;
}

void cache_remove_begin(const struct cache *cache, struct cache_removal *removal, uint64_t sector,
                        uint64_t sector_count)
{
    assert(sector + sector_count >= sector);
    /* A slot that has never been used now will hold nothing of the range. */
    bool by_slot = cache->touched < sector_count;
    *removal = (struct cache_removal){.sector = sector,
                                      .sector_count = sector_count,
                                      .by_slot = by_slot,
                                      .end = by_slot ? cache->touched : sector_count};
    if (by_slot || cache->used == 0)
        return;
    for (uint64_t i = 0; i < sector_count && i < REMOVAL_AHEAD; i++)
        prefetch_index(cache, sector + i);
}

/* What stands there of a free slot is no sector. */
static bool remove_if_within(struct cache *cache, const struct cache_removal *removal,
                             uint32_t slot)
{
    uint64_t held = cache->index.sector_of[slot];
    if (held - removal->sector >= removal->sector_count || find_slot(cache, held) != slot)
        return false;
    remove_slot(cache, slot);
    return true;
}

bool cache_remove_on(struct cache *cache, struct cache_removal *removal, uint32_t *looks)
{
    if (cache->used == 0)
        removal->done = removal->end;
    for (; removal->done < removal->end && *looks != 0; removal->done++, --*looks) {
        if (removal->by_slot) {
            removal->removed += remove_if_within(cache, removal, (uint32_t)removal->done);
            continue;
        }
        uint32_t slot = find_slot(cache, removal->sector + removal->done);
        if (slot == SECTOR_INDEX_NONE)
            continue;
        remove_slot(cache, slot);
        removal->removed++;
    }
    return removal->done == removal->end;
}

void cache_clear(struct cache *cache)
{
    if (cache->touched == 0)
        return;
    sector_index_clear(&cache->index);
    if (cache->shared != NULL)
        shared_cache_clear(cache->shared);
    cache->policy->reset(cache->policy_state);
    cache->used = cache->touched = 0;
    cache->free_slot = SECTOR_INDEX_NONE;
}

uint32_t cache_capacity(const struct cache *cache)
{
    return cache->capacity;
}

uint32_t cache_used(const struct cache *cache)
{
    return cache->used;
}

bool cache_was_full(const struct cache *cache)
{
    return cache->touched == cache->capacity;
}
