/* SPDX-License-Identifier: MIT */
/*
 * tail: how much of a vector's end is to become one part.
 * tsan: long: it starts no thread
 */
#include "service/block/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAGE = TAIL_PAGE_BYTES, PAGES = 16 };

static _Alignas(PAGE) uint8_t memory[PAGES * PAGE];

static struct iovec pages(uint32_t first, uint32_t count)
{
    return (struct iovec){.iov_base = memory + (size_t)first * PAGE,
                          .iov_len = (size_t)count * PAGE};
}

static void as_many_pages_as_parts_stay(void **state)
{
    (void)state;
    struct iovec vector[] = {pages(0, 8)};
    uint32_t count = 1;
    assert_int_equal(tail_cut(vector, &count, 8, 512), 0);
    assert_int_equal(tail_cut(vector, &count, 9, 512), 0);
    assert_int_equal(tail_cut(vector, &count, 0, 512), 0); /* nobody knows */
    assert_int_equal(count, 1);
    assert_int_equal(vector[0].iov_len, 8 * PAGE);
}

static void what_is_too_much_becomes_one_part(void **state)
{
    (void)state;
    for (uint32_t over = 1; over < TAIL_PAGES_MAX; over++) {
        struct iovec vector[] = {pages(0, PAGES)};
        uint32_t count = 1;
        assert_int_equal(tail_cut(vector, &count, PAGES - over, 512), (over + 1) * PAGE);
        assert_int_equal(count, 1);
        assert_int_equal(vector[0].iov_len, (PAGES - over - 1) * PAGE);
    }
}

static void more_than_there_is_memory_for_stays(void **state)
{
    (void)state;
    struct iovec vector[] = {pages(0, PAGES)};
    uint32_t count = 1;
    assert_int_equal(tail_cut(vector, &count, PAGES - TAIL_PAGES_MAX, 512), 0);
    assert_int_equal(vector[0].iov_len, PAGES * PAGE);
}

static void whole_parts_go_first(void **state)
{
    (void)state;
    struct iovec vector[] = {pages(0, 4), pages(8, 1), pages(6, 1), pages(10, 1)};
    uint32_t count = 4;
    assert_int_equal(tail_cut(vector, &count, 6, 512), 2 * PAGE);
    assert_int_equal(count, 2);
    assert_int_equal(vector[1].iov_len, PAGE);
    struct iovec again[] = {pages(0, 4), pages(8, 1)};
    count = 2;
    assert_int_equal(tail_cut(again, &count, 3, 512), 3 * PAGE);
    assert_int_equal(count, 1);
    assert_int_equal(again[0].iov_len, 2 * PAGE);
}

static void a_part_of_a_page_is_one_of_them(void **state)
{
    (void)state;
    struct iovec vector[] = {pages(0, 3)};
    uint32_t count = 1;
    vector[0].iov_len -= 1024;
    assert_int_equal(tail_cut(vector, &count, 2, 512), 2 * PAGE - 1024);
    assert_int_equal(vector[0].iov_len, PAGE);
}

static void blocks_are_not_torn(void **state)
{
    (void)state;
    struct iovec vector[] = {{memory + 512, 3 * PAGE}}; /* in four pages */
    uint32_t count = 1;
    assert_int_equal(tail_cut(vector, &count, 3, PAGE), 0);
    assert_int_equal(count, 1);
    assert_int_equal(vector[0].iov_len, 3 * PAGE);
    assert_int_equal(tail_cut(vector, &count, 3, 512), PAGE + 512);
    assert_int_equal(vector[0].iov_len, 2 * PAGE - 512);
}

static void not_all_of_a_vector_is_an_end(void **state)
{
    (void)state;
    struct iovec vector[] = {pages(0, 1), pages(4, 1)};
    uint32_t count = 2;
    assert_int_equal(tail_cut(vector, &count, 1, 512), 0);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_pages_as_parts_stay),
        cmocka_unit_test(what_is_too_much_becomes_one_part),
        cmocka_unit_test(more_than_there_is_memory_for_stays),
        cmocka_unit_test(whole_parts_go_first),
        cmocka_unit_test(a_part_of_a_page_is_one_of_them),
        cmocka_unit_test(blocks_are_not_torn),
        cmocka_unit_test(not_all_of_a_vector_is_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
