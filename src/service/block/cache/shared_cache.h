/* SPDX-License-Identifier: MIT */
/*
 * shared_cache: the memory of a cache that domains read by themselves: Dom0's side of
 * splitdom/shared_cache.h.
 *
 * It stores what the cache (cache.h) decides: which sector is in which slot, and which of these
 * domains are to find. One thread writes; readers, in any number of processes, never hold it up.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_SHARED_CACHE_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_SHARED_CACHE_H

#include <stdint.h>

struct shared_cache;

/*
 * Memory for slot_count >= 1 slots, all empty, that costs what is put into it. Errors: -ENOMEM;
 * those of memory_file_create; -EINVAL the kernel does not know F_SEAL_FUTURE_WRITE (before
 * Linux 5.1).
 */
int shared_cache_create(uint32_t slot_count, struct shared_cache **out);
/* Who has the file mapped still finds no sector there from then on, nor a Dom0. By the thread that
 * created it; what is left is to be destroyed. */
void shared_cache_retire(struct shared_cache *shared);
/* One that is not retired is retired first. Another one: any thread. NULL allowed. */
void shared_cache_destroy(struct shared_cache *shared);

/* The file for domains; stays ours. */
int shared_cache_fd(const struct shared_cache *shared);

/* The sectors of all slots, for reading: slot N's at 512 * N. */
const void *shared_cache_data(const struct shared_cache *shared);
/*
 * The slot holds sector from now on, with these 512 bytes, whatever it held before. No other slot
 * holds the sector. Domains that found the sector in this slot go on doing so; if it held another
 * one, they find neither until shared_cache_show.
 */
void shared_cache_fill(struct shared_cache *shared, uint32_t slot, uint64_t sector,
                       const void *data);
/* Domains find sector, which is what the slot was filled with. Costs one bit's look where they do
 * already. */
void shared_cache_show(struct shared_cache *shared, uint32_t slot, uint64_t sector);
/* A hint that a drop follows, or a fill with another sector; sector: what the slot holds now. */
void shared_cache_prefetch_drop(const struct shared_cache *shared, uint32_t slot, uint64_t sector);
/* The slot is empty: on return no reader that begins finds its sector. */
void shared_cache_drop(struct shared_cache *shared, uint32_t slot);
/* All slots are empty: the same. */
void shared_cache_clear(struct shared_cache *shared);

#endif
