/* SPDX-License-Identifier: MIT */
/* shadow: ids that lie are recognised, entries come back in order of submission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "domu/blkfront/shadow.h"
#include "faults/fault_walk.h"

enum { NR_ENTRIES = 8 };

static struct shadow shadow;

static int setup(void **state)
{
    (void)state;
    return shadow_init(&shadow, NR_ENTRIES, 0);
}

static int teardown(void **state)
{
    (void)state;
    shadow_fini(&shadow);
    shadow_fini(&shadow);
    return 0;
}

static void entries_run_out_and_come_back(void **state)
{
    (void)state;
    struct shadow_entry *entry[NR_ENTRIES];
    uint32_t seen = 0;
    for (int i = 0; i < NR_ENTRIES; i++) {
        assert_int_equal(shadow.free_count, NR_ENTRIES - i);
        entry[i] = shadow_take(&shadow);
        assert_non_null(entry[i]);
        seen |= 1u << shadow_index(&shadow, entry[i]);
    }
    assert_int_equal(seen, (1u << NR_ENTRIES) - 1);
    assert_null(shadow_take(&shadow));
    assert_int_equal(shadow.free_count, 0);
    shadow_put(&shadow, entry[3]);
    assert_ptr_equal(shadow_take(&shadow), entry[3]);
    assert_null(shadow_take(&shadow));
}

static void an_id_finds_its_entry_until_it_is_answered(void **state)
{
    (void)state;
    struct shadow_entry *entry = shadow_take(&shadow);
    uint64_t id = entry->id;
    assert_ptr_equal(shadow_find(&shadow, id), entry);
    shadow_put(&shadow, entry);
    assert_null(shadow_find(&shadow, id));
    assert_ptr_equal(shadow_take(&shadow), entry); /* the same entry, another request */
    assert_null(shadow_find(&shadow, id));
    assert_ptr_equal(shadow_find(&shadow, entry->id), entry);
}

static void a_new_request_has_no_rank(void **state)
{
    (void)state;
    struct shadow_entry *entry = shadow_take(&shadow);
    shadow_set_rank(entry, TRACE_RANK_NEVER);
    shadow_put(&shadow, entry);
    assert_ptr_equal(shadow_take(&shadow), entry); /* the last one that came back */
    assert_int_equal(trace_rank(entry->id), 0);
}

static void no_other_id_is_believed(void **state)
{
    (void)state;
    struct shadow_entry *entry[3];
    for (int i = 0; i < 3; i++)
        entry[i] = shadow_take(&shadow);
    uint64_t id = entry[1]->id;
    for (int bit = 0; bit < 64; bit++)
        assert_true(shadow_find(&shadow, id ^ 1ull << bit) != entry[1]);
    assert_null(shadow_find(&shadow, UINT64_MAX));
    assert_null(shadow_find(&shadow, NR_ENTRIES));
    assert_null(shadow_find(&shadow, (uint32_t)id));   /* generation 0 is never used first */
    assert_null(shadow_find(&shadow, 1ull << 32 | 5)); /* never taken */
}

static void an_id_is_not_used_again_soon(void **state)
{
    (void)state;
    uint64_t first = 0;
    for (int i = 0; i < 100000; i++) {
        struct shadow_entry *entry = shadow_take(&shadow);
        uint64_t id = entry->id;
        if (i == 0)
            first = id;
        else
            assert_true(id != first);
        shadow_put(&shadow, entry);
    }
}

/* Re-issue after a restart: what is unanswered, oldest first, wherever its entry lies. */
static void pending_entries_come_in_order_of_submission(void **state)
{
    (void)state;
    struct shadow_entry *entry[NR_ENTRIES], *next = NULL;
    for (int i = 0; i < NR_ENTRIES; i++) {
        entry[i] = shadow_take(&shadow);
        entry[i]->sector = (uint64_t)i;
    }
    shadow_put(&shadow, entry[0]);
    shadow_put(&shadow, entry[5]);
    shadow_put(&shadow, entry[2]);
    shadow_take(&shadow)->sector = 100;
    shadow_take(&shadow)->sector = 101;
    static const uint64_t expected[] = {1, 3, 4, 6, 7, 100, 101};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        next = shadow_next(&shadow, next == NULL ? 0 : next->sequence);
        assert_non_null(next);
        assert_int_equal(next->sector, expected[i]);
    }
    assert_null(shadow_next(&shadow, next->sequence));
}

static void nothing_pending_gives_nothing(void **state)
{
    (void)state;
    assert_null(shadow_next(&shadow, 0));
    shadow_put(&shadow, shadow_take(&shadow));
    assert_null(shadow_next(&shadow, 0));
}

static void a_retired_entry_is_nobody_elses_until_it_is_free(void **state)
{
    (void)state;
    struct shadow_entry *entry = shadow_take(&shadow);
    uint64_t id = entry->id;
    shadow_retire(entry);
    assert_null(shadow_find(&shadow, id));
    assert_null(shadow_next(&shadow, 0));
    for (uint32_t i = 1; i < NR_ENTRIES; i++)
        assert_ptr_not_equal(shadow_take(&shadow), entry);
    assert_null(shadow_take(&shadow));
    shadow_free(&shadow, entry);
    assert_ptr_equal(shadow_take(&shadow), entry);
}

/* Rings of one disk share the numbers: each knows its own alone. */
static void ids_begin_where_they_are_told_to(void **state)
{
    (void)state;
    struct shadow second;
    assert_int_equal(shadow_init(&second, 4, NR_ENTRIES), 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct shadow_entry *ours = shadow_take(&shadow), *other = shadow_take(&second);
        assert_int_equal(ours->id % SHADOW_IDS, i);
        assert_int_equal(other->id % SHADOW_IDS, NR_ENTRIES + i);
        assert_ptr_equal(shadow_find(&shadow, ours->id), ours);
        assert_ptr_equal(shadow_find(&second, other->id), other);
        assert_null(shadow_find(&shadow, other->id));
        assert_null(shadow_find(&second, ours->id));
    }
    assert_null(shadow_take(&second));
    shadow_fini(&second);
}

static int begin_and_end(void *arg)
{
    struct shadow another = {.nr_entries = 0};
    (void)arg;
    int rc = shadow_init(&another, NR_ENTRIES, 0);
    shadow_fini(&another);
    return rc;
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    assert_true(fault_walk(begin_and_end, NULL) >= 1);
}

int main(void)
{
#define SHADOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SHADOW_TEST(entries_run_out_and_come_back),
        SHADOW_TEST(an_id_finds_its_entry_until_it_is_answered),
        SHADOW_TEST(a_new_request_has_no_rank),
        SHADOW_TEST(no_other_id_is_believed),
        SHADOW_TEST(an_id_is_not_used_again_soon),
        SHADOW_TEST(pending_entries_come_in_order_of_submission),
        SHADOW_TEST(nothing_pending_gives_nothing),
        SHADOW_TEST(a_retired_entry_is_nobody_elses_until_it_is_free),
        SHADOW_TEST(ids_begin_where_they_are_told_to),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
