/* SPDX-License-Identifier: MIT */
/*
 * cache: sectors of the image that Dom0 keeps in memory. Bounded, private to Dom0, read-only data.
 *
 * A table of `capacity` slots of 512 bytes, found by sector through a hash table that grows with
 * what is in (sector_index.h): a large cache costs as much memory as has been put into it. Which
 * slot is given up when the cache is full is the policy's business (struct cache_policy): LRU is
 * the default.
 *
 * Single-threaded: Dom0's loop owns it.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_CACHE_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

/*
 * A policy sees slot numbers 0..capacity-1 and sectors, never data. Its state belongs to one cache.
 * While the cache has room, insert comes alone, with slots that were never used or have been
 * removed; while it is full, each insert follows a victim call for the same sector and reuses the
 * slot that it named.
 */
struct cache_policy {
    const char *name;
    /* Required. State for capacity >= 1 slots, all empty. NULL when out of memory. */
    void *(*create)(uint32_t capacity);
    /* Required. */
    void (*destroy)(void *state);
    /* Required. The slot was found by a look-up. */
    void (*hit)(void *state, uint32_t slot);
    /* Required. A new sector now lives in slot, which was never used, was removed or came from
     * victim. */
    void (*insert)(void *state, uint32_t slot, uint64_t sector);
    /* Required. All slots are in use: name the one to give up; the policy forgets it. */
    uint32_t (*victim)(void *state, uint64_t incoming_sector);
    /* Optional. All slots are in use: the one that victim would name now, or what is likely to be;
     * nothing changes. */
    uint32_t (*next_victim)(const void *state);
    /* Required. The sector in slot is to be forgotten; the slot is not in use any more. */
    void (*remove)(void *state, uint32_t slot);
    /* Required. Back to the state after create: all slots empty, no history. */
    void (*reset)(void *state);
};

/* The policies in the order of their list, from index 0 on. NULL: there are no more. */
const struct cache_policy *cache_policy_at(uint32_t index);
/* Looks a policy up by name ("lru", ...). NULL when unknown. */
const struct cache_policy *cache_policy_find(const char *name);

/*
 * data_bytes: bound for the sectors' data, rounded down to whole sectors; 0 gives a cache that
 * holds nothing and always misses. Errors: -ENOMEM.
 */
int cache_create(size_t data_bytes, const struct cache_policy *policy, struct cache **out);
/* Nothing is looked up or put in any more, and domains that read it find nothing. By the thread
 * that created it, which must not wait for what cache_destroy takes: milliseconds for each ten MiB
 * that are in. */
void cache_retire(struct cache *cache);
/* By the thread that created it; one that is retired: any. NULL allowed. */
void cache_destroy(struct cache *cache);

/*
 * Puts the data where domains can read them (splitdom/shared_cache.h). They find a sector from its
 * first cache_lookup on: most of what passes through a cache is never asked for again, and an entry
 * for domains would cost each of these reads. The cache is empty. Errors: -ENOTSUP it has no room;
 * those of shared_cache_create; then it stays as it was.
 */
int cache_share(struct cache *cache);
/* The file that domains map, which stays the cache's. Errors, it is not shared: what cache_share
 * returned; -ENOTSUP nobody asked for that. */
int cache_shared_fd(const struct cache *cache);
/* A domain says that it read the sector in this slot (any number): counts as a use. */
void cache_use_slot(struct cache *cache, uint32_t slot);

/* The 512 bytes of a cached sector, valid until the next cache_insert, cache_remove_on or
 * cache_clear; else NULL. Counts as a use. */
const void *cache_lookup(struct cache *cache, uint64_t sector);
/* As cache_lookup, but does not count as a use. */
const void *cache_peek(const struct cache *cache, uint64_t sector);
/* Copies 512 bytes in, or forgets them where memory is lacking. Inserting a sector that is there
 * already updates its data but does not count as a use. */
void cache_insert(struct cache *cache, uint64_t sector, const void *data);
/* The same for count sectors from sector on, in their order; data: of all of them. Each one's
 * memory is on its way while the one before is put in. */
void cache_insert_run(struct cache *cache, uint64_t sector, uint32_t count, const void *data);
/* Forgetting what there is of a range of sectors, in as many steps as the caller likes. */
struct cache_removal {
    uint64_t sector, sector_count;
    bool by_slot;       /* looks at the slots, which are fewer than the sectors */
    uint64_t done, end; /* sectors, or slots, that were looked at, of all to be */
    uint64_t removed;   /* sectors that were there so far */
};

/* sector + sector_count must not wrap. */
void cache_remove_begin(const struct cache *cache, struct cache_removal *removal, uint64_t sector,
                        uint64_t sector_count);
/*
 * Goes on with at most *looks looks at a sector or slot, which become fewer by those that it took.
 * Returns whether all are looked at: the cache has none of the range then, if the caller has
 * inserted none since the beginning. As many looks as the smaller number, of the sectors or of the
 * slots in use at the beginning, are enough.
 */
bool cache_remove_on(struct cache *cache, struct cache_removal *removal, uint32_t *looks);
/*
 * Hints that cost next to nothing: a cache of ten thousand sectors is larger than what the
 * processor keeps near while the kernel works in between, so its lines come from far, and better
 * before they are needed. The first is for a look-up or insertion of that sector (any number will
 * do), the second for the slot that the next insertion takes.
 */
void cache_prefetch(const struct cache *cache, uint64_t sector);
void cache_prefetch_victim(const struct cache *cache);
/* Forgets everything (the image changed size). */
void cache_clear(struct cache *cache);

uint32_t cache_capacity(const struct cache *cache); /* sectors */
uint32_t cache_used(const struct cache *cache);     /* sectors */
/* Since it was made or cleared: every slot has held a sector, or there is none. */
bool cache_was_full(const struct cache *cache);

#endif
