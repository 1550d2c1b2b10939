/* SPDX-License-Identifier: MIT */
/*
 * rereads: whether what is written should enter a cache that is full.
 *
 * It costs others their place there, and time. It is worth both where what was written is read
 * soon, as some databases do. So a write that is not kept is noted, a read that misses and finds
 * such a note shows that keeping would have been worth while, and then the next writes are kept.
 * None of that is more than a hint.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_REREADS_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_REREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REREADS_BLOCK_SECTORS = 8, /* noted together */
    /* To keep a write costs a twentieth of what a read of the disk does, or a little less. */
    REREADS_KEPT_FOR_EACH = 32,
    REREADS_KEPT_MAX = 1024,
};

/* All zero at first, and after rereads_free. */
struct rereads {
    uint64_t *note;    /* block numbers plus one, each at its place; 0: none. NULL before a write */
    uint32_t mask;     /* of places */
    uint32_t kept_yet; /* writes that will be kept */
};

void rereads_free(struct rereads *rereads);

/*
 * A write of these sectors has ended, of which the cache, which is full, has none. Should it take
 * them? There are notes for about as many as a cache of cache_sectors holds; no memory: no notes.
 */
bool rereads_keep(struct rereads *rereads, uint32_t cache_sectors, uint64_t sector,
                  uint32_t sector_count);

/* A block's bits are mixed: one domain's blocks must not all have one place. */
static inline uint64_t *rereads_place(const struct rereads *rereads, uint64_t block)
{
    return &rereads->note[(uint32_t)(block ^ block >> 16) & rereads->mask];
}

/* A read that begins with this sector was not in the cache. */
static inline void rereads_missed(struct rereads *rereads, uint64_t sector)
{
    if (rereads->note == NULL)
        return;
    uint64_t block = sector / REREADS_BLOCK_SECTORS, *note = rereads_place(rereads, block);
    if (*note != block + 1)
        return;
    *note = 0;
    rereads->kept_yet += REREADS_KEPT_FOR_EACH;
    if (rereads->kept_yet > REREADS_KEPT_MAX)
        rereads->kept_yet = REREADS_KEPT_MAX;
}

#endif
