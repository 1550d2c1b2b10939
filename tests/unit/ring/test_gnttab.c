/* SPDX-License-Identifier: MIT */
/* gnttab: the owner's side of a grant. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ring/gnttab.h"

static void grant_writes_the_whole_entry(void **state)
{
    (void)state;
    struct grant_entry_v1 table[4] = {{0}};
    gnttab_grant_access(table, 2, 9, 1234, false);
    assert_int_equal(table[2].flags, GTF_permit_access);
    assert_int_equal(table[2].domid, 9);
    assert_int_equal(table[2].frame, 1234);
    gnttab_grant_access(table, 3, 0, 1, true);
    assert_int_equal(table[3].flags, GTF_permit_access | GTF_readonly);
    const struct grant_entry_v1 zero = {0};
    assert_memory_equal(&table[1], &zero, sizeof(zero)); /* the neighbour */
}

static void end_access_takes_the_offer_back(void **state)
{
    (void)state;
    struct grant_entry_v1 table[2] = {{0}};
    gnttab_grant_access(table, 1, 0, 77, false);
    assert_int_equal(gnttab_end_access(table, 1), 0);
    assert_int_equal(table[1].flags, GTF_invalid);
    assert_int_equal(gnttab_end_access(table, 1), 0); /* of nothing: nothing happens */
    gnttab_grant_access(table, 1, 5, 78, true);       /* the reference can be used again */
    assert_int_equal(table[1].flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(table[1].domid, 5);
    assert_int_equal(table[1].frame, 78);
}

static void end_access_refuses_while_the_peer_maps(void **state)
{
    (void)state;
    static const uint16_t in_use[] = {GTF_reading, GTF_writing, GTF_reading | GTF_writing};
    for (size_t i = 0; i < sizeof(in_use) / sizeof(in_use[0]); i++) {
        struct grant_entry_v1 table[2] = {{0}};
        gnttab_grant_access(table, 1, 0, 77, false);
        table[1].flags = (uint16_t)(table[1].flags | in_use[i]);
        struct grant_entry_v1 before = table[1];
        assert_int_equal(gnttab_end_access(table, 1), -EBUSY);
        assert_memory_equal(&table[1], &before, sizeof(before));
        table[1].flags = (uint16_t)(table[1].flags & ~in_use[i]);
        assert_int_equal(gnttab_end_access(table, 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grant_writes_the_whole_entry),
        cmocka_unit_test(end_access_takes_the_offer_back),
        cmocka_unit_test(end_access_refuses_while_the_peer_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
