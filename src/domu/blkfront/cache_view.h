/* SPDX-License-Identifier: MIT */
/*
 * cache_view: Dom0's cache of a disk, as the domain reads it: splitdom/shared_cache.h.
 *
 * Nothing in the mapping is trusted: Dom0 can give wrong data there, as it can on the ring, and
 * nothing else. What is read of it is bounded, and every index is checked before use.
 *
 * A view that is replaced (a new Dom0, a device that fails) stays mapped until the device is
 * closed, because a reader may be in it; its memory is given back at once.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_CACHE_VIEW_H
#define SPLITDOM_DOMU_BLKFRONT_CACHE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "domu/blkfront/cache_notes.h"
#include "splitdom/shared_cache.h"

struct cache_view;

/*
 * Maps the file that Dom0 sent; fd stays the caller's. Hits are noted in claims, a page of the
 * domain's that outlives the view. Errors: -EBADFD it is not sealed as it must be; -EPROTO its
 * header is invalid; -ENOMEM; others of mmap.
 */
int cache_view_open(int fd, struct shared_cache_claims *claims, struct cache_view **out);
/* No reader is served any more, and the memory is given back. The view joins others that are
 * retired. */
void cache_view_retire(struct cache_view *view, struct cache_view **retired);
/* No reader is in any of these. */
void cache_view_free_all(struct cache_view **retired);

/* Where a read begins to look: a slot, or nowhere in particular. */
#define CACHE_VIEW_ANYWHERE UINT32_MAX

/*
 * The sector is read after the next one, and next: what each needs comes into this CPU's cache
 * while others are copied. The second returns where the sector may be then: a hint for
 * cache_view_read_at, of this view or another. Any thread, no waiting.
 */
void cache_view_expect_bucket(const struct cache_view *view, uint64_t sector);
uint32_t cache_view_expect_data(const struct cache_view *view, uint64_t sector);

/*
 * Copies sector_count sectors into buffer if all of them are there; at is where the first one may
 * be. False: they are not all, or Dom0 was just changing one; what is in buffer then is undefined.
 * Any thread, no lock, no system call, no waiting.
 */
bool cache_view_read_at(struct cache_view *view, uint32_t at, uint64_t sector,
                        uint32_t sector_count, void *buffer);

static inline bool cache_view_read(struct cache_view *view, uint64_t sector, uint32_t sector_count,
                                   void *buffer)
{
    return cache_view_read_at(view, CACHE_VIEW_ANYWHERE, sector, sector_count, buffer);
}

/* What its threads have hit; as long as the view is. */
struct cache_notes *cache_view_notes(struct cache_view *view);

#endif
