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

#include "splitdom/shared_cache.h"
#include "trace/trace_pace.h"

struct cache_view;

/*
 * Maps the file that Dom0 sent; fd stays the caller's. Hits are noted in claims, a page of the
 * domain's that outlives the view. Errors: -EBADFD it is not sealed as it must be; -EPROTO its
 * header is invalid; -ENOMEM; others of mmap.
 */
int cache_view_open(int fd, struct shared_cache_claims *claims, struct cache_view **out);
/* Nobody is reading. Notes in claims what threads have hit and not told yet: a thread tells when it
 * misses, and after some hits. */
void cache_view_tell_all(struct cache_view *view);
/* No reader is served any more, and the memory is given back. The view joins others that are
 * retired. */
void cache_view_retire(struct cache_view *view, struct cache_view **retired);
/* No reader is in any of these. */
void cache_view_free_all(struct cache_view **retired);

/*
 * Copies sector_count sectors into buffer if all of them are there. False: they are not all, or
 * Dom0 was just changing one; what is in buffer then is undefined. Any thread, no lock, no system
 * call, no waiting.
 */
bool cache_view_read(struct cache_view *view, uint64_t sector, uint32_t sector_count, void *buffer);

/* By which hits of the calling thread are traced: its own, as long as the view is. NULL: so many
 * threads are traced already. */
struct trace_pace *cache_view_pace(struct cache_view *view);
/* How many threads have read it. */
uint32_t cache_view_threads(const struct cache_view *view);

#endif
