/* SPDX-License-Identifier: MIT */
/* sring: sizes, the fresh header and the notification hold-off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/sring.h"

static void entries_are_the_largest_power_of_two_that_fits(void **state)
{
    (void)state;
    for (uint32_t order = 0; order <= SRING_PAGE_ORDER_MAX; order++) {
        size_t bytes = (size_t)XEN_PAGE_SIZE << order;
        uint32_t entries = sring_entries(order);
        assert_int_equal(entries, 32u << order);
        assert_true(sizeof(struct blkif_sring) + entries * sizeof(union blkif_sring_entry) <=
                    bytes);
        assert_true(sizeof(struct blkif_sring) + 2 * entries * sizeof(union blkif_sring_entry) >
                    bytes);
    }
    assert_int_equal(sring_entries(SRING_PAGE_ORDER_MAX), SRING_ENTRIES_MAX);
}

static void init_asks_for_the_first_of_each_direction(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 1, 12345, UINT32_MAX - 3, UINT32_MAX};
    struct blkif_sring *sring = malloc(XEN_PAGE_SIZE);
    assert_non_null(sring);
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        memset(sring, 0xa5, XEN_PAGE_SIZE);
        sring_init(sring, starts[i]);
        assert_int_equal(sring->req_prod, starts[i]);
        assert_int_equal(sring->rsp_prod, starts[i]);
        assert_int_equal(sring->req_event, (uint32_t)(starts[i] + 1));
        assert_int_equal(sring->rsp_event, (uint32_t)(starts[i] + 1));
        const uint8_t zero[48] = {0};
        assert_memory_equal(sring->pvt, zero, sizeof(zero));
    }
    free(sring);
}

static void init_leaves_the_slots_alone(void **state)
{
    (void)state;
    uint8_t *page = malloc(XEN_PAGE_SIZE);
    assert_non_null(page);
    memset(page, 0xa5, XEN_PAGE_SIZE);
    sring_init((struct blkif_sring *)(void *)page, 0);
    for (size_t i = offsetof(struct blkif_sring, ring); i < XEN_PAGE_SIZE; i++)
        assert_int_equal(page[i], 0xa5);
    free(page);
}

/*
 * The rule, spelled without a subtraction: walk from old to new one index at a time and see whether
 * the event is met. Sound for any number of steps below 2^32.
 */
static bool passes_event(uint32_t old_prod, uint32_t steps, uint32_t event)
{
    for (uint32_t i = 1; i <= steps; i++) {
        if ((uint32_t)(old_prod + i) == event)
            return true;
    }
    return false;
}

static void hold_off_truth_table(void **state)
{
    (void)state;
    /* The bases put the window on 0, on the sign bit and on the wrap. */
    static const uint32_t bases[] = {0, 1000, 0x7ffffff0, 0xffffffe0};
    for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
        for (uint32_t o = 0; o < 40; o++) {
            for (uint32_t steps = 0; steps <= 40; steps++) {
                for (uint32_t e = 0; e < 100; e++) {
                    uint32_t old_prod = bases[b] + o;
                    uint32_t event = bases[b] + e - 10;
                    bool expected = passes_event(old_prod, steps, event);
                    if (sring_must_notify(old_prod, old_prod + steps, event) != expected)
                        fail_msg("old %u new %u event %u: not %d", old_prod, old_prod + steps,
                                 event, expected);
                }
            }
        }
    }
}

static void hold_off_known_values(void **state)
{
    (void)state;
    assert_true(sring_must_notify(2, 4, 3));
    assert_true(sring_must_notify(2, 4, 4));
    assert_false(sring_must_notify(2, 4, 2));
    assert_false(sring_must_notify(2, 4, 5));
    assert_true(sring_must_notify(0xfffffffe, 1, 0));
    assert_true(sring_must_notify(0xfffffffe, 1, 0xffffffff));
    assert_false(sring_must_notify(0xfffffffe, 1, 0xfffffffe));
    assert_false(sring_must_notify(7, 7, 7));
    assert_false(sring_must_notify(7, 7, 8));
    /* An event that lies far away is never met by a ring-sized step. */
    assert_false(sring_must_notify(0, SRING_ENTRIES_MAX, 0x80000000));
}

static void copy_words_copies_exactly(void **state)
{
    (void)state;
    uint64_t from[5] = {1, 2, 3, 4, 5};
    uint64_t to[5] = {9, 9, 9, 9, 9};
    sring_copy_words(to, from, 3 * sizeof(uint64_t));
    const uint64_t expected[5] = {1, 2, 3, 9, 9};
    assert_memory_equal(to, expected, sizeof(to));
    sring_copy_words(to, from + 3, 0);
    assert_memory_equal(to, expected, sizeof(to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_the_largest_power_of_two_that_fits),
        cmocka_unit_test(init_asks_for_the_first_of_each_direction),
        cmocka_unit_test(init_leaves_the_slots_alone),
        cmocka_unit_test(hold_off_truth_table),
        cmocka_unit_test(hold_off_known_values),
        cmocka_unit_test(copy_words_copies_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
