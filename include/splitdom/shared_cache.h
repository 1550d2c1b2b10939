/* SPDX-License-Identifier: MIT */
/*
 * shared_cache: Dom0's cache of a virtual disk, as its domains see it: one file in memory for each
 * disk, which domains map read-only and from which they take hits without asking Dom0. (The
 * universal buffer cache that Barham et al., SOSP'03, name as future work.)
 *
 * Dom0 alone writes the file. It is sealed (F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE): who
 * has the descriptor can neither write to the file nor take pages from under a reader.
 *
 *     offset 0               struct shared_cache_header
 *     buckets_offset         bucket_count buckets: which slot may hold a sector
 *     slots_offset           slot_count headers: which sector a slot holds
 *     data_offset            slot_count sectors of 512 bytes
 *
 * The version protocol, for each slot (a sequence lock with one writer):
 *
 *   Dom0                                     a domain
 *     version becomes odd                      loads epoch of the header, then version: even?
 *     sector, epoch and data are written       is it this sector, of this epoch? copies the data
 *     version becomes the next even number     version and epoch are what they were? then a hit
 *
 * Each load of a domain is an acquire, each store of Dom0 a release: docs/concurrency.md.
 * A sector is shown from the first time on that Dom0 is asked for it again: most of what passes
 * through a cache never is, and would pay for an entry that nobody needs. A slot that is not shown
 * has no sector here, whatever Dom0 writes into its data.
 * A slot whose epoch is not the header's is empty: Dom0 empties the cache by one store.
 *
 * Buckets are taken into use as the cache fills (linear hashing: Litwin, VLDB 1980), so that a
 * large cache costs what is in it. A bucket is a hint. Dom0 may leave a sector out, where its
 * bucket is full; an entry may be out of date. What counts is the slot.
 * At the end of each hit a domain looks at owner of the header, too.
 *
 * In the other direction, each domain notes its hits in a page of its own, granted to Dom0 (struct
 * shared_cache_claims): that is how Dom0 learns what is in use. Notes may be lost.
 */
#ifndef SPLITDOM_SHARED_CACHE_H
#define SPLITDOM_SHARED_CACHE_H

#include <stdint.h>

enum {
    SHARED_CACHE_MAGIC = 0x53444d43, /* "SDMC" */
    SHARED_CACHE_VERSION = 2,
    SHARED_CACHE_SECTOR_BYTES = 512,
    SHARED_CACHE_WAYS = 8, /* entries of a bucket: one cache line */
    SHARED_CACHE_LINE_BYTES = 64,
    SHARED_CACHE_PAGE_BYTES = 4096,
    SHARED_CACHE_SHARDS = 8,
    SHARED_CACHE_SHARD_SLOTS = 56,
    SHARED_CACHE_USED_WORDS = 256,
    SHARED_CACHE_SLOTS_MAX = 1 << 30,
};

/* sector of a slot that holds none. */
#define SHARED_CACHE_NO_SECTOR UINT64_MAX

/* Constant once a domain can see the file, except for epoch, bucket_limit and owner. */
struct shared_cache_header {
    uint32_t magic;
    uint32_t version;
    uint32_t sector_bytes;
    uint32_t slot_count;
    uint32_t bucket_count;
    uint32_t epoch;        /* Dom0 counts it up when everything is to be forgotten; never 0 */
    uint32_t bucket_limit; /* buckets in use: 1..bucket_count */
    /* A robust futex (linux/futex.h) that Dom0 holds. FUTEX_OWNER_DIED: Dom0 has ended; the kernel
     * writes that before a next Dom0 can begin, and what is in the file is out of date from then
     * on. 0: the kernel knows none. */
    uint32_t owner;
    uint64_t seed[2]; /* of shared_cache_hash */
    uint64_t buckets_offset, slots_offset, data_offset;
    uint64_t bytes; /* of the file */
};

/* Upper half: the sector's tag; lower half: a slot plus one, 0 where the entry is not in use. */
struct shared_cache_bucket {
    uint64_t entry[SHARED_CACHE_WAYS];
};

struct shared_cache_slot {
    uint32_t version; /* odd while Dom0 changes the slot */
    uint32_t epoch;
    uint64_t sector;
};

/*
 * A thread notes hits in a shard, several at once: when it has had a dozen, and before it asks Dom0
 * for something that is not there. reads: those that were hits. noted: slots noted here, the last
 * one at slot[(noted - 1) % SHARED_CACHE_SHARD_SLOTS]. heard: what Dom0 has seen of noted. What is
 * overwritten and was not heard is marked in used, and counted in spilled. Dom0 writes heard; the
 * domain writes the rest.
 */
struct shared_cache_shard {
    uint64_t reads;
    uint64_t noted;
    uint64_t heard;
    uint64_t spilled;
    uint32_t slot[SHARED_CACHE_SHARD_SLOTS];
};

/* used: a bit for each of the first slots. The domain sets bits, Dom0 clears them, both by atomic
 * read-modify-write. */
struct shared_cache_claims {
    struct shared_cache_shard shard[SHARED_CACHE_SHARDS];
    uint64_t used[SHARED_CACHE_USED_WORDS];
};

_Static_assert(sizeof(struct shared_cache_header) == 80, "header is 80 bytes");
_Static_assert(sizeof(struct shared_cache_bucket) == SHARED_CACHE_LINE_BYTES, "one cache line");
_Static_assert(sizeof(struct shared_cache_slot) == 16, "slot header is 16 bytes");
_Static_assert(sizeof(struct shared_cache_claims) == SHARED_CACHE_PAGE_BYTES, "claims: one page");

/* The low bits choose the bucket, the upper 32 are the tag. (wyhash's mixing step, Wang Yi.) */
static inline uint64_t shared_cache_hash(const uint64_t seed[2], uint64_t sector)
{
    unsigned __int128 product = (unsigned __int128)(sector ^ seed[0]) * seed[1];
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Which of bucket_limit >= 1 buckets: those below the limit's power of two are split one by one. */
static inline uint32_t shared_cache_bucket_of(uint64_t hash, uint32_t bucket_limit)
{
    uint32_t mask = bucket_limit == 1 ? 0 : UINT32_MAX >> __builtin_clz(bucket_limit - 1);
    uint32_t bucket = (uint32_t)hash & mask;
    return bucket < bucket_limit ? bucket : bucket & mask >> 1;
}

static inline uint64_t shared_cache_entry(uint64_t hash, uint32_t slot)
{
    return (hash & ~(uint64_t)UINT32_MAX) | (slot + 1);
}

#endif
