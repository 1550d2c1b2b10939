/* SPDX-License-Identifier: MIT */
/* grants: offers under references that follow each other, taken back, repeated in another table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "domu/grants.h"
#include "faults/fault_walk.h"

enum { ENTRIES = 32, PAGE = 100, PAGES = 200, FREE_PAGES = 8 };

static struct grant_entry_v1 table[ENTRIES], next[ENTRIES];
static struct grants grants;
static struct pages pages;

static int setup(void **state)
{
    (void)state;
    memset(table, 0, sizeof(table));
    memset(next, 0, sizeof(next));
    const struct segment segment = {.gnttab = table,
                                    .nr_grant_entries = ENTRIES,
                                    .nr_pages = PAGES,
                                    .free_pfn = PAGE,
                                    .nr_free_pages = FREE_PAGES};
    return pages_init(&pages, &segment) < 0 ? -1 : grants_init(&grants, &segment);
}

static int teardown(void **state)
{
    (void)state;
    grants_fini(&grants);
    pages_fini(&pages);
    return 0;
}

static grant_ref_t offer(uint32_t pfn, uint32_t count)
{
    grant_ref_t ref;
    assert_int_equal(grants_offer(&grants, pfn, count, false, &ref), 0);
    return ref;
}

static void pages_are_offered_side_by_side(void **state)
{
    (void)state;
    grant_ref_t ref;
    assert_int_equal(offer(PAGE, 3), GNTTAB_NR_RESERVED_ENTRIES);
    assert_int_equal(grants_offer(&grants, 7, 1, true, &ref), 0);
    assert_int_equal(ref, GNTTAB_NR_RESERVED_ENTRIES + 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(table[GNTTAB_NR_RESERVED_ENTRIES + i].flags, GTF_permit_access);
        assert_int_equal(table[GNTTAB_NR_RESERVED_ENTRIES + i].frame, PAGE + i);
        assert_int_equal(table[GNTTAB_NR_RESERVED_ENTRIES + i].domid, DOM0_DOMID);
    }
    assert_int_equal(table[ref].flags, GTF_permit_access | GTF_readonly);
}

static void the_toolstacks_references_are_left_alone(void **state)
{
    (void)state;
    grant_ref_t ref;
    assert_int_equal(
        grants_offer(&grants, PAGE, ENTRIES - GNTTAB_NR_RESERVED_ENTRIES + 1, false, &ref),
        -ENOSPC);
    (void)offer(PAGE, ENTRIES - GNTTAB_NR_RESERVED_ENTRIES);
    for (grant_ref_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++)
        assert_int_equal(table[i].flags, 0);
}

static void what_is_taken_back_is_offered_no_more(void **state)
{
    (void)state;
    grant_ref_t ref = offer(PAGE, 2);
    assert_int_equal(grants_end(&grants, ref, 2, false), 0);
    assert_int_equal(table[ref].flags | table[ref + 1].flags, 0);
    assert_int_equal(offer(PAGE, 2), ref);
}

static void what_dom0_has_mapped_stays_taken(void **state)
{
    (void)state;
    grant_ref_t ref = offer(PAGE, 3);
    table[ref + 1].flags |= GTF_reading;
    assert_int_equal(grants_end(&grants, ref, 3, false), -EBUSY);
    assert_int_equal(offer(PAGE, 1), ref);
    assert_int_equal(offer(PAGE, 1), ref + 2);
    assert_int_equal(table[ref + 1].flags, GTF_permit_access | GTF_reading);
}

/* Pages and references, each when the last use of it has ended; a page may have two references. */
static void what_dom0_lets_go_of_is_free_again(void **state)
{
    (void)state;
    uint32_t pfn, other;
    assert_int_equal(pages_take(&pages, FREE_PAGES, &pfn), 0);
    grant_ref_t ref = offer(pfn, FREE_PAGES), second;
    assert_int_equal(grants_offer(&grants, pfn, 2, true, &second), 0);
    table[ref].flags |= GTF_writing;
    table[second].flags |= GTF_reading;
    assert_int_equal(grants_end(&grants, ref, FREE_PAGES, false), -EBUSY);
    assert_int_equal(grants_end(&grants, second, 2, false), -EBUSY);
    grants_give_pages(&grants, &pages, pfn, FREE_PAGES);
    assert_int_equal(pages_take(&pages, FREE_PAGES, &other), -ENOSPC);
    assert_int_equal(pages_take(&pages, FREE_PAGES - 1, &other), 0);
    assert_int_equal(other, pfn + 1);
    pages_give(&pages, other, FREE_PAGES - 1);
    table[ref].flags &= (uint16_t)~GTF_writing;
    grants_sweep(&grants, &pages);
    assert_int_equal(table[ref].flags, 0);
    assert_int_equal(pages_take(&pages, FREE_PAGES, &other), -ENOSPC);
    table[second].flags &= (uint16_t)~GTF_reading;
    grants_sweep(&grants, &pages);
    grants_sweep(&grants, &pages);
    assert_int_equal(pages_take(&pages, FREE_PAGES, &other), 0);
    assert_int_equal(offer(pfn, FREE_PAGES + 2), ref);
}

static void a_dead_dom0_has_nothing_mapped(void **state)
{
    (void)state;
    grant_ref_t ref = offer(PAGE, 3);
    table[ref + 1].flags |= GTF_writing;
    assert_int_equal(grants_end(&grants, ref, 3, true), 0);
    assert_int_equal(offer(PAGE, 3), ref);
}

static void all_that_is_offered_is_offered_to_the_next_dom0(void **state)
{
    (void)state;
    grant_ref_t kept = offer(PAGE, 2), taken_back = offer(PAGE + 2, 2), busy = offer(PAGE + 4, 1);
    table[busy].flags |= GTF_reading;
    assert_int_equal(grants_end(&grants, taken_back, 2, false), 0);
    assert_int_equal(grants_end(&grants, busy, 1, false), -EBUSY);
    grants_repeat(&grants, next);
    for (grant_ref_t ref = 0; ref < ENTRIES; ref++) {
        bool offered = ref == kept || ref == kept + 1;
        assert_int_equal(next[ref].flags, offered ? GTF_permit_access : 0);
        assert_int_equal(next[ref].frame, offered ? PAGE + ref - kept : 0);
    }
}

static int begin_and_end(void *arg)
{
    const struct segment segment = {.gnttab = table,
                                    .nr_grant_entries = ENTRIES,
                                    .nr_pages = PAGES,
                                    .free_pfn = PAGE,
                                    .nr_free_pages = FREE_PAGES};
    struct grants another;
    (void)arg;
    int rc = grants_init(&another, &segment);
    if (rc == 0)
        grants_fini(&another);
    return rc;
}

static void without_memory_nothing_can_be_offered(void **state)
{
    (void)state;
    assert_true(fault_walk(begin_and_end, NULL) >= 3);
}

int main(void)
{
#define GRANTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        GRANTS_TEST(pages_are_offered_side_by_side),
        GRANTS_TEST(the_toolstacks_references_are_left_alone),
        GRANTS_TEST(what_is_taken_back_is_offered_no_more),
        GRANTS_TEST(what_dom0_has_mapped_stays_taken),
        GRANTS_TEST(what_dom0_lets_go_of_is_free_again),
        GRANTS_TEST(a_dead_dom0_has_nothing_mapped),
        GRANTS_TEST(all_that_is_offered_is_offered_to_the_next_dom0),
        cmocka_unit_test(without_memory_nothing_can_be_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
