/* SPDX-License-Identifier: MIT */
/* pages: only the free ones of a segment are handed out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/pages.h"

static void the_free_pages_of_a_segment_are_handed_out(void **state)
{
    enum { WANTED = 33 };
    (void)state;
    struct segment segment;
    struct pages pages;
    uint32_t pfn, other;
    int fd;
    assert_int_equal(segment_create(segment_pages_for(WANTED), 1, &segment, &fd), 0);
    assert_int_equal(pages_init(&pages, &segment), 0);
    assert_int_equal(pages_take(&pages, segment.nr_free_pages + 1, &pfn), -ENOSPC);
    assert_int_equal(pages_take(&pages, segment.nr_free_pages, &pfn), 0);
    assert_int_equal(pfn, segment.free_pfn);
    assert_int_equal(pages_take(&pages, 1, &other), -ENOSPC);
    pages_give(&pages, pfn + 4, 2);
    assert_int_equal(pages_take(&pages, 2, &other), 0);
    assert_int_equal(other, pfn + 4);
    pages_fini(&pages);
    segment_detach(&segment);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_free_pages_of_a_segment_are_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
