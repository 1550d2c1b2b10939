/* SPDX-License-Identifier: MIT */
/* cache_fill: each sector is read once, in requests that Dom0's cache keeps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/cache_fill.h"
#include "splitdom/xen/blkif.h"

static uint64_t next_sector, reads, fails_at;

int blkfront_read(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer)
{
    assert_null(bf);
    assert_int_equal(sector, next_sector);
    assert_in_range(sector_count, 1, BLKIF_MAX_SEGMENTS_PER_REQUEST * 8);
    memset(buffer, 1, sector_count * 512);
    next_sector += sector_count;
    return ++reads == fails_at ? -EIO : 0;
}

static int setup(void **state)
{
    (void)state;
    next_sector = 1000;
    reads = fails_at = 0;
    return 0;
}

static const struct blkfront_geometry geometry = {
    .first_sector = 1000, .last_sector = 9999, .sector_size = 4096};

static void all_sectors_are_read_in_small_requests(void **state)
{
    (void)state;
    assert_int_equal(cache_fill(NULL, &geometry, 0, 256 * 4096), 0);
    assert_int_equal(next_sector, 1000 + 2048);
}

static void whole_blocks_are_read(void **state)
{
    (void)state;
    next_sector = 1008;
    assert_int_equal(cache_fill(NULL, &geometry, 4096 + 511, 4096), 0);
    assert_int_equal(next_sector, 1008 + 16);
}

static void an_error_ends_it(void **state)
{
    (void)state;
    fails_at = 2;
    assert_int_equal(cache_fill(NULL, &geometry, 0, 256 * 4096), -EIO);
    assert_int_equal(reads, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_sectors_are_read_in_small_requests, setup),
        cmocka_unit_test_setup(whole_blocks_are_read, setup),
        cmocka_unit_test_setup(an_error_ends_it, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
