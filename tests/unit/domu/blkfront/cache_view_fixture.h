/* SPDX-License-Identifier: MIT */
/* cache_view_fixture: a cache of Dom0 and the view that a domain has of it. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_CACHE_VIEW_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_CACHE_VIEW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "domu/blkfront/cache_view.h"
#include "service/block/cache/shared_cache.h"

enum { SLOTS = 100, SECTORS = 512, SECTOR_BYTES = SHARED_CACHE_SECTOR_BYTES };

struct fixture {
    struct shared_cache *shared;
    struct shared_cache_claims claims;
    struct cache_view *view, *retired;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(shared_cache_create(SLOTS, &f->shared), 0);
    assert_int_equal(cache_view_open(shared_cache_fd(f->shared), &f->claims, &f->view), 0);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->view != NULL)
        cache_view_retire(f->view, &f->retired);
    cache_view_free_all(&f->retired);
    shared_cache_destroy(f->shared);
    free(f);
    return 0;
}

/* Every word says which sector and which version this is. */
static inline void make_sector(uint64_t sector, uint32_t version, uint64_t word[SECTOR_BYTES / 8])
{
    for (uint64_t i = 0; i < SECTOR_BYTES / 8; i++)
        word[i] = sector << 40 | (uint64_t)version << 8 | i;
}

static inline void put(struct fixture *f, uint32_t slot, uint64_t sector, uint32_t version)
{
    uint64_t word[SECTOR_BYTES / 8];
    make_sector(sector, version, word);
    shared_cache_fill(f->shared, slot, sector, word);
    shared_cache_show(f->shared, slot, sector);
}

#endif
