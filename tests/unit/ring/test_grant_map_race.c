/* SPDX-License-Identifier: MIT */
/* grant_map: owners that revoke or rewrite an entry while it is being mapped. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "ring/gnttab.h"
#include "unit/ring/grant_map_fixture.h"

enum { RACE_LIMIT_S = 10 };

struct race {
    struct fixture *f;
    uint32_t mapped;   /* the mapper is inside the page */
    uint32_t owned;    /* the owner took the page back */
    uint32_t stop;     /* main -> owner */
    uint32_t overlaps; /* both at once: never */
    uint32_t rounds;   /* how often the owner got the page back */
};

/* Stays in the page for a moment and looks whether the other one is there, too. */
static bool meets(const uint32_t *other)
{
    bool met = false;
    for (int i = 0; i < 20; i++)
        met |= load_full_u32(other) != 0;
    return met;
}

/* Offers and revokes, as the rules ask: while end_access says busy, the page is not touched. */
static void *offer_and_revoke(void *arg)
{
    struct race *race = arg;
    struct grant_entry_v1 *table = race->f->segment.gnttab;
    while (!load_full_u32(&race->stop)) {
        store_full_u32(&race->owned, 0);
        gnttab_grant_access(table, REF, DOM0_DOMID, 30, false);
        for (uint32_t i = race->rounds * 7 % 64; i > 0; i--)
            cpu_relax(); /* so that the two meet at every point of their ways */
        while (gnttab_end_access(table, REF) == -EBUSY)
            cpu_relax();
        store_full_u32(&race->owned, 1);
        race->overlaps += meets(&race->mapped);
        store_relaxed_u32(&race->rounds, load_relaxed_u32(&race->rounds) + 1);
    }
    return NULL;
}

static void a_page_is_never_revoked_while_it_is_mapped(void **state)
{
    struct fixture *f = *state;
    struct race race = {.f = f};
    pthread_t owner;
    uint32_t overlaps = 0, mapped = 0;
    time_t give_up = time(NULL) + RACE_LIMIT_S;
    assert_int_equal(pthread_create(&owner, NULL, offer_and_revoke, &race), 0);
    for (uint32_t i = 0; mapped < 50000 || load_relaxed_u32(&race.rounds) < 50000; i++) {
        void *page;
        int rc = grant_map_get(&f->map, REF, i % 2, false, &page);
        if (rc == -EBADF || rc == -EAGAIN) {
            if (time(NULL) > give_up)
                break;
            continue;
        }
        assert_int_equal(rc, 0);
        store_full_u32(&race.mapped, 1);
        overlaps += meets(&race.owned);
        store_full_u32(&race.mapped, 0);
        grant_map_put(&f->map, REF);
        mapped++;
    }
    store_full_u32(&race.stop, 1);
    assert_int_equal(pthread_join(owner, NULL), 0);
    assert_int_equal(overlaps, 0);
    assert_int_equal(race.overlaps, 0);
    assert_true(mapped > 0 && race.rounds > 0); /* they did meet */
}

/* Rewrites the entry as fast as it can, without any rule. */
static void *flip(void *arg)
{
    struct race *race = arg;
    struct grant_entry_v1 *entry = &race->f->segment.gnttab[REF];
    for (uint32_t i = 0; !load_relaxed_u32(&race->stop); i++) {
        store_relaxed_u32(&entry->frame, i % 5 == 0 ? UINT32_MAX - i : i % NR_PAGES);
        store_relaxed_u16(&entry->domid, (domid_t)(i % 3 == 0));
        store_relaxed_u16(&entry->flags, (uint16_t)(i % 7 == 0 ? i : GTF_permit_access));
    }
    return NULL;
}

static void a_flipping_entry_maps_inside_the_segment_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct race race = {.f = f};
    pthread_t owner;
    assert_int_equal(pthread_create(&owner, NULL, flip, &race), 0);
    uint32_t mapped = 0, refused = 0;
    time_t give_up = time(NULL) + RACE_LIMIT_S;
    for (uint32_t i = 0; (mapped < 1000 || refused < 1000) && time(NULL) <= give_up; i++) {
        void *page = NULL;
        int rc = grant_map_get(&f->map, REF, i % 2, false, &page);
        if (rc == 0) {
            size_t offset = (size_t)((uint8_t *)page - f->segment.base);
            if (offset % XEN_PAGE_SIZE != 0 || offset / XEN_PAGE_SIZE >= NR_PAGES)
                fail_msg("mapped offset %zu", offset);
            mapped++;
            grant_map_put(&f->map, REF);
        } else if (rc != -EBADF && rc != -EACCES && rc != -EFAULT && rc != -EAGAIN) {
            fail_msg("grant_map_get returned %d", rc);
        } else {
            refused++;
        }
        if (f->map.mapped_count != 0)
            fail_msg("a failed mapping left a pin");
    }
    store_relaxed_u32(&race.stop, 1);
    assert_int_equal(pthread_join(owner, NULL), 0);
    assert_true(mapped > 0 && refused > 0);
}

int main(void)
{
#define MAP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        MAP_TEST(a_page_is_never_revoked_while_it_is_mapped),
        MAP_TEST(a_flipping_entry_maps_inside_the_segment_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
