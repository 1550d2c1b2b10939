/* SPDX-License-Identifier: MIT */
/* vbd_claims: what a domain notes of its hits counts as use, whatever else it writes there. */
#include "service/back/vbd/vbd_claims.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_vdisk.h"
#include "ring/gnttab.h"

enum { NR_PAGES = 64, DOMID = 5, REF = 20, CACHE_SECTORS = 4 };

struct fixture {
    struct segment segment;
    int fd;
    struct fake_vdisk fake;
    struct cache *cache;
    struct vbd_claims claims;
    struct shared_cache_claims *page; /* the domain's */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = 1000,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = 4});
    f->cache = f->fake.vdisk->cache;
    f->page = segment_page(&f->segment, f->segment.free_pfn);
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, f->segment.free_pfn, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vbd_claims_close(&f->claims);
    fake_vdisk_destroy(&f->fake);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

static void open_claims(struct fixture *f)
{
    assert_int_equal(vbd_claims_open(&f->claims, &f->segment, REF, f->fake.vdisk), 0);
}

static void fill(struct fixture *f)
{
    uint8_t data[512] = {0};
    for (uint64_t sector = 0; sector < CACHE_SECTORS; sector++)
        cache_insert(f->cache, sector, data);
}

/* As cache_view.c does. */
static void note(struct fixture *f, int shard, uint32_t slot)
{
    struct shared_cache_shard *at = &f->page->shard[shard];
    at->reads++;
    at->slot[at->noted++ % SHARED_CACHE_SHARD_SLOTS] = slot;
}

static void a_sector_that_was_claimed_stays(void **state)
{
    struct fixture *f = *state;
    uint8_t data[512] = {0};
    open_claims(f);
    fill(f);
    note(f, 3, 0); /* sector 0, the oldest, is in slot 0 */
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 1);
    cache_insert(f->cache, 100, data);
    assert_non_null(cache_peek(f->cache, 0));
    assert_null(cache_peek(f->cache, 1));
}

static void each_read_counts_once(void **state)
{
    struct fixture *f = *state;
    open_claims(f);
    for (int i = 0; i < 1000; i++)
        note(f, i % SHARED_CACHE_SHARDS, 0);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 1000);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 1000);
    note(f, 0, 0);
    vbd_claims_close(&f->claims); /* what nobody has heard yet counts */
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 1001);
    assert_int_equal(f->claims.reads, 1001);
}

/* What was heard before is not heard again. */
static void each_claim_is_used_once(void **state)
{
    struct fixture *f = *state;
    uint8_t data[512] = {0};
    open_claims(f);
    fill(f);
    note(f, 3, 0);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 1);
    for (uint64_t sector = 1; sector < CACHE_SECTORS; sector++) /* sector 0 is the oldest again */
        assert_non_null(cache_lookup(f->cache, sector));
    note(f, 3, 1);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 2);
    cache_insert(f->cache, 100, data);
    assert_null(cache_peek(f->cache, 0));
    assert_non_null(cache_peek(f->cache, 1));
}

static void what_stood_there_before_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    note(f, 1, 2);
    f->page->shard[2].spilled = 5;
    f->page->used[3] = 1;
    open_claims(f);
    assert_int_equal(f->page->shard[1].heard, 1);
    assert_int_equal(f->page->used[3], 0);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 0);
    assert_int_equal(f->claims.words_left, 0); /* nor is there anything to look for */
}

static void mark(struct fixture *f, uint32_t slot)
{
    f->page->used[slot / 64] |= UINT64_C(1) << slot % 64;
    f->page->shard[0].spilled++;
}

static void a_slot_that_was_only_marked_stays(void **state)
{
    struct fixture *f = *state;
    uint8_t data[512] = {0};
    open_claims(f);
    fill(f);
    mark(f, 0);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 0);
    assert_int_equal(f->page->used[0], 0);
    cache_insert(f->cache, 100, data);
    assert_non_null(cache_peek(f->cache, 0));
    assert_null(cache_peek(f->cache, 1));
}

static void marks_are_looked_for_once(void **state)
{
    struct fixture *f = *state;
    open_claims(f);
    mark(f, 0);
    for (uint32_t i = 0; i < SHARED_CACHE_SHARDS; i++)
        (void)vdisk_claimed_reads(f->fake.vdisk);
    assert_int_equal(f->claims.words_left, 0);
    f->page->used[0] = 1; /* without a word of it */
    (void)vdisk_claimed_reads(f->fake.vdisk);
    assert_int_equal(f->page->used[0], 1);
    assert_int_equal(f->claims.words_left, 0);
}

/* The flood of one domain costs the others' reads little each, and is worked off in the end. */
static void a_flood_of_marks_is_heard_a_few_at_a_time(void **state)
{
    struct fixture *f = *state;
    uint32_t looks = 0, left = SHARED_CACHE_USED_WORDS * 64;
    open_claims(f);
    memset(f->page->used, 0xff, sizeof(f->page->used));
    f->page->shard[3].spilled++;
    for (; left > 0; looks++) {
        uint32_t before = left;
        assert_true(looks < 1000);
        cache_claims_hear(&f->fake.vdisk->claims, f->cache);
        left = 0;
        for (uint32_t i = 0; i < SHARED_CACHE_USED_WORDS; i++)
            left += (uint32_t)__builtin_popcountll(f->page->used[i]);
        assert_true(before - left <= VBD_CLAIMS_MARKS_MAX);
    }
    assert_true(looks >= SHARED_CACHE_USED_WORDS * 64 / VBD_CLAIMS_MARKS_MAX);
}

static void the_domain_is_told_what_was_heard(void **state)
{
    struct fixture *f = *state;
    open_claims(f);
    for (uint32_t i = 0; i < 5; i++)
        note(f, 6, 0);
    assert_int_equal(f->page->shard[6].heard, 0);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 5);
    assert_int_equal(f->page->shard[6].heard, 5);
}

static void garbage_harms_nobody(void **state)
{
    struct fixture *f = *state;
    open_claims(f);
    memset(f->page, 0xff, sizeof(*f->page));
    (void)vdisk_claimed_reads(f->fake.vdisk); /* the cache is empty: no slot exists */
    fill(f);
    memset(f->page, 0xa5, sizeof(*f->page));
    (void)vdisk_claimed_reads(f->fake.vdisk);
    for (uint64_t sector = 0; sector < CACHE_SECTORS; sector++)
        assert_non_null(cache_peek(f->cache, sector));
}

static void a_page_that_is_not_granted_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(vbd_claims_open(&f->claims, &f->segment, REF + 1, f->fake.vdisk), -EBADF);
    assert_int_equal(vdisk_claimed_reads(f->fake.vdisk), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sector_that_was_claimed_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(each_read_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(each_claim_is_used_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_stood_there_before_counts_for_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_slot_that_was_only_marked_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_are_looked_for_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_of_marks_is_heard_a_few_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(the_domain_is_told_what_was_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_that_is_not_granted_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
