/* SPDX-License-Identifier: MIT */
/* cache_fixture: sectors that say which they are, and their removal in small steps. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_CACHE_CACHE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_CACHE_CACHE_FIXTURE_H

#include "service/block/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"

enum { SECTOR_BYTES = 512 };

/* Here in steps of a few looks. */
static inline void remove_all(struct cache *cache, uint64_t sector, uint64_t sector_count)
{
    struct cache_removal removal;
    uint32_t looks;
    cache_remove_begin(cache, &removal, sector, sector_count);
    do
        looks = 3;
    while (!cache_remove_on(cache, &removal, &looks));
}

/* Contents that tell sector, version and byte position apart. */
static inline void fill(unsigned char data[SECTOR_BYTES], uint64_t sector, uint32_t version)
{
    uint64_t state = sector * 31 + version;

    for (int i = 0; i < SECTOR_BYTES; i++)
        data[i] = (unsigned char)prng_splitmix64(&state);
}

#endif
