/* SPDX-License-Identifier: MIT */
/*
 * cache_policy: the replacement policies that exist, one file each. A new policy is a file
 * cache_NAME.c, its declaration here, and a line in the list of cache_policy.c.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_CACHE_POLICY_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_CACHE_POLICY_H

#include "service/block/cache/cache.h"

extern const struct cache_policy cache_policy_lru;    /* cache_lru.c */
extern const struct cache_policy cache_policy_clock;  /* cache_clock.c */
extern const struct cache_policy cache_policy_sieve;  /* cache_sieve.c */
extern const struct cache_policy cache_policy_s3fifo; /* cache_s3fifo.c */
extern const struct cache_policy cache_policy_arc;    /* cache_arc.c */

#endif
