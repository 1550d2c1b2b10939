/* SPDX-License-Identifier: MIT */
/*
 * cache_claims: what users of a cache say that they read of it by themselves, and how the cache
 * takes notice: at its own pace, one source after the other, a bounded number each.
 *
 * So no source can make the others' claims be heard less, whatever it claims. What is claimed
 * counts as use: a source can keep in the cache what it could also keep there by asking for it.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_CACHE_CLAIMS_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_CACHE_CLAIMS_H

#include <stdint.h>

#include "base/container_of.h"
#include "base/list.h"
#include "service/block/cache/cache.h"

enum {
    /* So often everything that a source has noted is looked at once. */
    CACHE_CLAIMS_SHARES = 8,
};

/* Embedded in its owner. */
struct cache_source {
    /* Tells the cache (cache_use_slot) of one part in CACHE_CLAIMS_SHARES of what was noted;
     * returns how many reads were noted there since the last time. */
    uint64_t (*take)(struct cache_source *source, struct cache *cache);
    struct list_node of_cache;
};

struct cache_claims {
    struct list sources;
    uint64_t reads; /* that all sources have claimed so far */
};

static inline void cache_claims_add(struct cache_claims *claims, struct cache_source *source)
{
    list_push_back(&claims->sources, &source->of_cache);
}

static inline void cache_claims_take_all(struct cache_claims *claims, struct cache *cache,
                                         struct cache_source *source)
{
    for (uint32_t i = 0; i < CACHE_CLAIMS_SHARES; i++)
        claims->reads += source->take(source, cache);
}

/* The source goes; what it noted counts. */
static inline void cache_claims_remove(struct cache_claims *claims, struct cache *cache,
                                       struct cache_source *source)
{
    cache_claims_take_all(claims, cache, source);
    list_remove(&source->of_cache);
}

/* Before something is put into the cache: hears the next source. */
static inline void cache_claims_hear(struct cache_claims *claims, struct cache *cache)
{
    struct list_node *node = list_pop_front(&claims->sources);
    if (node == NULL)
        return;
    struct cache_source *source = container_of(node, struct cache_source, of_cache);
    list_push_back(&claims->sources, node);
    claims->reads += source->take(source, cache);
}

/* Hears all sources: for who wants to know the count. */
static inline uint64_t cache_claims_count(struct cache_claims *claims, struct cache *cache)
{
    for (struct list_node *node = list_first(&claims->sources); node != NULL;
         node = list_next(&claims->sources, node))
        cache_claims_take_all(claims, cache, container_of(node, struct cache_source, of_cache));
    return claims->reads;
}

#endif
