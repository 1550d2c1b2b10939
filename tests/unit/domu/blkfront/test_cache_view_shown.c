/* SPDX-License-Identifier: MIT */
/* cache_view: domains find what Dom0 shows, not all that it holds. */
#include <string.h>

#include "service/block/cache/cache.h"
#include "unit/domu/blkfront/cache_view_fixture.h"

static void fill(struct fixture *f, uint32_t slot, uint64_t sector, uint32_t version)
{
    uint64_t word[SECTOR_BYTES / 8];
    make_sector(sector, version, word);
    shared_cache_fill(f->shared, slot, sector, word);
}

static bool reads(struct fixture *f, uint64_t sector, uint32_t version)
{
    uint64_t seen[SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
    make_sector(sector, version, expected);
    return cache_view_read(f->view, sector, 1, seen) && memcmp(seen, expected, SECTOR_BYTES) == 0;
}

static void a_sector_is_found_once_it_is_shown(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    fill(f, 3, 77, 1);
    assert_false(cache_view_read(f->view, 77, 1, seen));
    shared_cache_show(f->shared, 3, 77);
    shared_cache_show(f->shared, 3, 77);
    assert_true(reads(f, 77, 1));
    fill(f, 3, 77, 2);
    assert_true(reads(f, 77, 2));
}

static void another_sector_hides_what_was_shown(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    fill(f, 3, 78, 1);
    assert_false(cache_view_read(f->view, 77, 1, seen));
    assert_false(cache_view_read(f->view, 78, 1, seen));
    assert_false(cache_view_read_at(f->view, 3, 78, 1, seen));
    shared_cache_show(f->shared, 3, 78);
    assert_true(reads(f, 78, 1));
    shared_cache_drop(f->shared, 3);
    assert_false(cache_view_read(f->view, 78, 1, seen));
}

static void what_was_forgotten_with_all_is_shown_anew(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    put(f, 4, 80, 1);
    shared_cache_clear(f->shared);
    fill(f, 3, 77, 2);
    assert_false(cache_view_read(f->view, 77, 1, seen));
    shared_cache_show(f->shared, 3, 77);
    assert_true(reads(f, 77, 2));
    fill(f, 4, 81, 2);
    shared_cache_show(f->shared, 4, 81);
    assert_true(reads(f, 81, 2));
    assert_false(cache_view_read(f->view, 80, 1, seen));
}

/* Most of what a cache takes in is never asked for again. */
static void a_cache_shows_what_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct cache *cache;
    struct cache_view *view;
    uint64_t word[SECTOR_BYTES / 8], seen[SECTOR_BYTES / 8];
    make_sector(7, 1, word);
    assert_int_equal(cache_create(4 * SECTOR_BYTES, cache_policy_find("lru"), &cache), 0);
    assert_int_equal(cache_share(cache), 0);
    assert_int_equal(cache_view_open(cache_shared_fd(cache), &f->claims, &view), 0);
    cache_insert(cache, 7, word);
    assert_non_null(cache_peek(cache, 7));
    assert_false(cache_view_read(view, 7, 1, seen));
    assert_non_null(cache_lookup(cache, 7));
    assert_true(cache_view_read(view, 7, 1, seen));
    assert_memory_equal(seen, word, SECTOR_BYTES);
    cache_view_retire(view, &f->retired);
    cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sector_is_found_once_it_is_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(another_sector_hides_what_was_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_forgotten_with_all_is_shown_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cache_shows_what_is_asked_for_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
