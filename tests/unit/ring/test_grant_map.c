/* SPDX-License-Identifier: MIT */
/* grant_map: mapping by reference, the checks, the pins and the in-use bits. */
#include <errno.h>

#include "ring/gnttab.h"
#include "unit/ring/grant_map_fixture.h"

static uint16_t flags_of(const struct fixture *f, grant_ref_t ref)
{
    return load_full_u16(&f->segment.gnttab[ref].flags);
}

static void expect_not_mapped(struct fixture *f, grant_ref_t ref, bool writable, int error)
{
    void *page = f;
    uint16_t before = ref < f->segment.nr_grant_entries ? flags_of(f, ref) : 0;
    uint32_t count = f->map.mapped_count;
    assert_int_equal(grant_map_get(&f->map, ref, writable, false, &page), error);
    assert_int_equal(f->map.mapped_count, count);
    if (ref < f->segment.nr_grant_entries)
        assert_int_equal(flags_of(f, ref), before);
}

static void get_finds_the_granted_page(void **state)
{
    struct fixture *f = *state;
    void *page;
    for (uint32_t pfn = 0; pfn < NR_PAGES; pfn++) {
        gnttab_grant_access(f->segment.gnttab, REF + pfn, DOM0_DOMID, pfn, false);
        assert_int_equal(grant_map_get(&f->map, REF + pfn, true, false, &page), 0);
        assert_ptr_equal(page, segment_page(&f->segment, pfn));
        assert_int_equal(f->map.mapped_count, pfn + 1);
    }
}

static void in_use_bits_tell_the_kind_of_mapping(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, false);
    assert_int_equal(grant_map_get(&f->map, REF, false, false, &page), 0);
    assert_int_equal(flags_of(f, REF), GTF_permit_access | GTF_reading);
    assert_int_equal(grant_map_get(&f->map, REF, true, false, &page), 0); /* upgraded */
    assert_int_equal(flags_of(f, REF), GTF_permit_access | IN_USE);
    grant_map_put(&f->map, REF);
    assert_int_equal(flags_of(f, REF), GTF_permit_access | IN_USE);
    grant_map_put(&f->map, REF);
    assert_int_equal(flags_of(f, REF), GTF_permit_access);
    assert_int_equal(f->map.mapped_count, 0);
}

static void references_out_of_range_are_refused(void **state)
{
    struct fixture *f = *state;
    /* What lies behind the table looks like a fine entry: it is the domain's first free page. */
    gnttab_grant_access(f->segment.gnttab, f->segment.nr_grant_entries, DOM0_DOMID, 30, false);
    expect_not_mapped(f, f->segment.nr_grant_entries, false, -EBADF);
    expect_not_mapped(f, 0x80000000, false, -EBADF);
    expect_not_mapped(f, UINT32_MAX, true, -EBADF);
}

static void entries_of_another_type_are_refused(void **state)
{
    struct fixture *f = *state;
    expect_not_mapped(f, REF, false, -EBADF); /* never granted */
    for (uint16_t type = 0; type <= GTF_type_mask; type++) {
        if (type == GTF_permit_access)
            continue;
        f->segment.gnttab[REF] = (struct grant_entry_v1){.flags = type, .frame = 30};
        expect_not_mapped(f, REF, false, -EBADF);
    }
}

static void grants_to_somebody_else_are_refused(void **state)
{
    struct fixture *f = *state;
    gnttab_grant_access(f->segment.gnttab, REF, 1, 30, false);
    expect_not_mapped(f, REF, false, -EBADF);
    gnttab_grant_access(f->segment.gnttab, REF, 0x100, 30, false);
    expect_not_mapped(f, REF, true, -EBADF);
}

static void writable_access_to_a_read_only_grant_is_refused(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, true);
    expect_not_mapped(f, REF, true, -EACCES);
    assert_int_equal(grant_map_get(&f->map, REF, false, false, &page), 0);
    expect_not_mapped(f, REF, true, -EACCES); /* nor by an upgrade */
    assert_int_equal(flags_of(f, REF), GTF_permit_access | GTF_readonly | GTF_reading);
}

static void frames_outside_the_segment_are_refused(void **state)
{
    struct fixture *f = *state;
    static const uint32_t frames[] = {NR_PAGES, NR_PAGES + 1, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, frames[i], false);
        expect_not_mapped(f, REF, true, -EFAULT);
        assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), 0);
    }
}

static void a_mapped_page_stays_where_it_is(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, false);
    assert_int_equal(grant_map_get(&f->map, REF, true, false, &page), 0);
    /* The owner breaks the rules and rewrites the entry under the mapping. */
    f->segment.gnttab[REF] = (struct grant_entry_v1){.flags = 0, .domid = 3, .frame = UINT32_MAX};
    assert_int_equal(grant_map_get(&f->map, REF, true, false, &page), 0);
    assert_ptr_equal(page, segment_page(&f->segment, 30));
    grant_map_put(&f->map, REF);
    grant_map_put(&f->map, REF);
    assert_int_equal(f->map.mapped_count, 0);
    expect_not_mapped(f, REF, true, -EBADF); /* from now on the new entry counts */
}

static void end_access_is_busy_until_the_last_pin(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(grant_map_get(&f->map, REF, i != 1, false, &page), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), -EBUSY);
        assert_int_equal(f->map.mapped_count, 1);
        grant_map_put(&f->map, REF);
    }
    assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), 0);
    assert_int_equal(f->map.mapped_count, 0);
    expect_not_mapped(f, REF, false, -EBADF);
}

static void a_persistent_grant_stays_mapped(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(grant_map_get(&f->map, REF, true, true, &page), 0);
        grant_map_put(&f->map, REF);
        assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), -EBUSY);
    }
    assert_int_equal(f->map.mapped_count, 1);
    grant_map_fini(&f->map);
    assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), 0);
}

static void so_many_grants_are_persistent_and_no_more(void **state)
{
    struct fixture *f = *state;
    void *page;
    f->map.persistent_max = 1;
    for (grant_ref_t ref = REF; ref < REF + 2; ref++) {
        gnttab_grant_access(f->segment.gnttab, ref, DOM0_DOMID, 30, false);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(grant_map_get(&f->map, ref, true, true, &page), 0);
            grant_map_put(&f->map, ref);
        }
        assert_int_equal(f->map.persistent_count, 1);
    }
    assert_int_equal(flags_of(f, REF), GTF_permit_access | IN_USE);
    assert_int_equal(flags_of(f, REF + 1), GTF_permit_access);
    grant_map_end_persistence(&f->map);
    assert_int_equal(grant_map_get(&f->map, REF + 1, true, true, &page),
                     0); /* there is room again */
    grant_map_put(&f->map, REF + 1);
    assert_int_equal(flags_of(f, REF + 1), GTF_permit_access | IN_USE);
}

static void persistence_ends_but_not_for_who_has_a_pin(void **state)
{
    struct fixture *f = *state;
    void *page;
    for (grant_ref_t ref = REF; ref < REF + 3; ref++) {
        gnttab_grant_access(f->segment.gnttab, ref, DOM0_DOMID, 30, false);
        assert_int_equal(grant_map_get(&f->map, ref, true, ref != REF + 2, &page), 0);
    }
    grant_map_put(&f->map, REF);
    grant_map_end_persistence(&f->map);
    assert_int_equal(f->map.mapped_count, 2);
    assert_int_equal(flags_of(f, REF), GTF_permit_access);
    assert_int_equal(flags_of(f, REF + 1), GTF_permit_access | IN_USE);
    grant_map_end_persistence(&f->map); /* once is enough */
    grant_map_put(&f->map, REF + 1);
    grant_map_put(&f->map, REF + 2);
    assert_int_equal(f->map.mapped_count, 0);
}

static void fini_clears_every_in_use_bit(void **state)
{
    struct fixture *f = *state;
    void *page;
    for (uint32_t i = 0; i < 10; i++) {
        gnttab_grant_access(f->segment.gnttab, REF + i, DOM0_DOMID, 30, false);
        for (uint32_t n = 0; n <= i; n++)
            assert_int_equal(grant_map_get(&f->map, REF + i, i % 2, i % 3 == 0, &page), 0);
    }
    grant_map_fini(&f->map);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(flags_of(f, REF + i), GTF_permit_access);
    assert_null(f->map.pins);
    grant_map_fini(&f->map); /* and again, on a zeroed map */
}

static void pins_are_bounded(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, false);
    for (uint32_t i = 0; i < PINS_MAX; i++)
        assert_int_equal(grant_map_get(&f->map, REF, true, false, &page), 0);
    assert_int_equal(grant_map_get(&f->map, REF, true, false, &page), -EMFILE);
    assert_int_equal(grant_map_get(&f->map, REF, true, true, &page), -EMFILE);
    for (uint32_t i = 0; i < PINS_MAX; i++)
        grant_map_put(&f->map, REF);
    assert_int_equal(flags_of(f, REF), GTF_permit_access);
}

/* The map counts even if the owner wipes the in-use bits; release must not add any. */
static void put_after_the_owner_wiped_the_entry(void **state)
{
    struct fixture *f = *state;
    void *page;
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 30, false);
    assert_int_equal(grant_map_get(&f->map, REF, true, false, &page), 0);
    f->segment.gnttab[REF] = (struct grant_entry_v1){0};
    grant_map_put(&f->map, REF);
    assert_int_equal(flags_of(f, REF), 0);
    assert_int_equal(f->map.mapped_count, 0);
}

/* As two rings of a disk do: what is in use on one of them stays in use when the other is done. */
static void a_page_is_in_use_as_long_as_any_map_has_it(void **state)
{
    struct fixture *f = *state;
    struct grant_map other;
    void *page;
    assert_int_equal(grant_map_init(&other, &f->segment, DOM0_DOMID), 0);
    gnttab_grant_access(f->segment.gnttab, REF, DOM0_DOMID, 3, false);
    assert_int_equal(grant_map_get(&f->map, REF, false, false, &page), 0);
    assert_int_equal(grant_map_get(&other, REF, true, false, &page), 0);
    assert_int_equal(flags_of(f, REF) & IN_USE, IN_USE);
    grant_map_put(&other, REF); /* the one that wrote */
    assert_int_equal(flags_of(f, REF) & IN_USE, GTF_reading);
    assert_int_equal(grant_map_get(&f->map, REF, true, true, &page), 0);
    assert_int_equal(grant_map_get(&other, REF, false, false, &page), 0);
    grant_map_fini(&f->map);
    assert_int_equal(flags_of(f, REF) & IN_USE, GTF_reading);
    assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), -EBUSY);
    grant_map_fini(&other);
    assert_int_equal(flags_of(f, REF) & IN_USE, 0);
    assert_int_equal(gnttab_end_access(f->segment.gnttab, REF), 0);
}

int main(void)
{
#define MAP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        MAP_TEST(get_finds_the_granted_page),
        MAP_TEST(in_use_bits_tell_the_kind_of_mapping),
        MAP_TEST(references_out_of_range_are_refused),
        MAP_TEST(entries_of_another_type_are_refused),
        MAP_TEST(grants_to_somebody_else_are_refused),
        MAP_TEST(writable_access_to_a_read_only_grant_is_refused),
        MAP_TEST(frames_outside_the_segment_are_refused),
        MAP_TEST(a_mapped_page_stays_where_it_is),
        MAP_TEST(end_access_is_busy_until_the_last_pin),
        MAP_TEST(a_persistent_grant_stays_mapped),
        MAP_TEST(so_many_grants_are_persistent_and_no_more),
        MAP_TEST(persistence_ends_but_not_for_who_has_a_pin),
        MAP_TEST(fini_clears_every_in_use_bit),
        MAP_TEST(pins_are_bounded),
        MAP_TEST(put_after_the_owner_wiped_the_entry),
        MAP_TEST(a_page_is_in_use_as_long_as_any_map_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
