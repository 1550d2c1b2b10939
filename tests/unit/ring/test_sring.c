/* SPDX-License-Identifier: MIT */
/* sring: sizes, the fresh header and the notification hold-off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/sring.h"

/* What __CONST_RING_SIZE gives for the rings of blkif (112 bytes a slot), netif's two (8 and 12)
 * and a slot that leaves no byte over. */
static void entries_are_the_largest_power_of_two_that_fits(void **state)
{
    (void)state;
    static const struct {
        uint32_t page_order;
        size_t slot_bytes;
        uint32_t entries;
    } cases[] = {{0, 112, 32}, {1, 112, 64}, {4, 112, 512}, {0, 8, 256},  {0, 12, 256},
                 {1, 8, 512},  {0, 63, 64},  {0, 64, 32},   {0, 4032, 1}, {4, 4, 8192}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(sring_entries(cases[i].page_order, cases[i].slot_bytes), cases[i].entries);
}

static void slots_follow_each_other_and_come_round(void **state)
{
    (void)state;
    uint64_t page[XEN_PAGE_SIZE / sizeof(uint64_t)];
    struct sring *sring = (struct sring *)(void *)page;
    uint8_t *first = (uint8_t *)page + 64;
    for (uint32_t i = 0; i < 8; i++) {
        assert_ptr_equal(sring_slot(sring, 8, i, 12), first + i * 12u);
        assert_ptr_equal(sring_slot(sring, 8, i + 8, 12), first + i * 12u);
        assert_ptr_equal(sring_slot(sring, 8, i - 8, 112), first + i * 112u);
    }
    assert_ptr_equal(sring_slot(sring, 8, UINT32_MAX, 12), first + 84);
}

static void init_asks_for_the_first_of_each_direction(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 1, 12345, UINT32_MAX - 3, UINT32_MAX};
    struct sring *sring = malloc(XEN_PAGE_SIZE);
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
    sring_init((struct sring *)(void *)page, 0);
    for (size_t i = offsetof(struct sring, slots); i < XEN_PAGE_SIZE; i++)
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
    assert_false(sring_must_notify(0, 512, 0x80000000));
}

static void copy_words_copies_exactly(void **state)
{
    (void)state;
    uint64_t from[5] = {1, 2, 3, 4, 5};
    uint64_t to[5] = {9, 9, 9, 9, 9};
    sring_copy_words(to, from, 3 * sizeof(uint64_t), sizeof(uint64_t));
    const uint64_t expected[5] = {1, 2, 3, 9, 9};
    assert_memory_equal(to, expected, sizeof(to));
    sring_copy_words(to, from + 3, 0, sizeof(uint64_t));
    assert_memory_equal(to, expected, sizeof(to));
}

/* 12-byte slots: every second one lies at an odd multiple of four. */
static void copy_words_of_four_bytes_need_no_more_alignment(void **state)
{
    (void)state;
    uint32_t from[5] = {1, 2, 3, 4, 5};
    uint32_t to[5] = {9, 9, 9, 9, 9};
    sring_copy_words(to, from + 1, 3 * sizeof(uint32_t), sizeof(uint32_t));
    const uint32_t expected[5] = {2, 3, 4, 9, 9};
    assert_memory_equal(to, expected, sizeof(to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_the_largest_power_of_two_that_fits),
        cmocka_unit_test(slots_follow_each_other_and_come_round),
        cmocka_unit_test(init_asks_for_the_first_of_each_direction),
        cmocka_unit_test(init_leaves_the_slots_alone),
        cmocka_unit_test(hold_off_truth_table),
        cmocka_unit_test(hold_off_known_values),
        cmocka_unit_test(copy_words_copies_exactly),
        cmocka_unit_test(copy_words_of_four_bytes_need_no_more_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
