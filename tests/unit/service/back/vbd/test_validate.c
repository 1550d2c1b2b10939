/* SPDX-License-Identifier: MIT */
/* validate: every verdict, by brute force where the range allows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/back/vbd/validate.h"

enum { DISK_SECTORS = 1000 };

static struct blkif_request whole_pages(uint8_t nr_segments, uint64_t sector)
{
    struct blkif_request req = {
        .operation = BLKIF_OP_READ, .nr_segments = nr_segments, .sector_number = sector};
    for (int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        req.seg[i].last_sect = BLKIF_SECTORS_PER_PAGE - 1;
    return req;
}

static void only_reads_are_carried_out(void **state)
{
    (void)state;
    for (unsigned operation = 0; operation <= UINT8_MAX; operation++) {
        struct blkif_request req = whole_pages(1, 0);
        uint32_t count = 77;
        int16_t expected = operation == BLKIF_OP_READ    ? BLKIF_RSP_OKAY
                           : operation == BLKIF_OP_WRITE ? BLKIF_RSP_ERROR
                                                         : BLKIF_RSP_EOPNOTSUPP;
        req.operation = (uint8_t)operation;
        assert_int_equal(validate_request(&req, DISK_SECTORS, &count), expected);
        assert_int_equal(count, expected == BLKIF_RSP_OKAY ? 8 : 0);
    }
}

/* An unsupported operation is told as such, whatever else is wrong with the request. */
static void the_operation_is_judged_first(void **state)
{
    (void)state;
    struct blkif_request req = whole_pages(0, UINT64_MAX);
    uint32_t count;
    req.operation = BLKIF_OP_DISCARD;
    assert_int_equal(validate_request(&req, DISK_SECTORS, &count), BLKIF_RSP_EOPNOTSUPP);
}

static void one_to_eleven_segments_are_taken(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= UINT8_MAX; n++) {
        struct blkif_request req = whole_pages((uint8_t)n, 0);
        uint32_t count = 77;
        bool good = n >= 1 && n <= BLKIF_MAX_SEGMENTS_PER_REQUEST;
        assert_int_equal(validate_request(&req, DISK_SECTORS, &count),
                         good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
        assert_int_equal(count, good ? n * 8 : 0);
    }
}

static void every_pair_of_first_and_last(void **state)
{
    (void)state;
    for (unsigned position = 0; position < BLKIF_MAX_SEGMENTS_PER_REQUEST; position += 5) {
        for (unsigned first = 0; first <= UINT8_MAX; first++) {
            for (unsigned last = 0; last <= UINT8_MAX; last++) {
                struct blkif_request req = whole_pages(BLKIF_MAX_SEGMENTS_PER_REQUEST, 0);
                uint32_t count = 77;
                bool good = last < BLKIF_SECTORS_PER_PAGE && first <= last;
                req.seg[position].first_sect = (uint8_t)first;
                req.seg[position].last_sect = (uint8_t)last;
                assert_int_equal(validate_request(&req, DISK_SECTORS, &count),
                                 good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
                assert_int_equal(count, good ? 80 + last - first + 1 : 0);
            }
        }
    }
}

/* What lies behind nr_segments is stale and judged by nobody. */
static void unused_segments_do_not_count(void **state)
{
    (void)state;
    struct blkif_request req = whole_pages(1, 0);
    uint32_t count;
    req.seg[1].first_sect = 255;
    req.seg[1].last_sect = 255;
    assert_int_equal(validate_request(&req, DISK_SECTORS, &count), BLKIF_RSP_OKAY);
}

static void nothing_beyond_the_end_is_read(void **state)
{
    (void)state;
    static const uint64_t far[] = {1001,           UINT32_MAX,     UINT64_C(1) << 55, INT64_MAX,
                                   UINT64_MAX - 8, UINT64_MAX - 7, UINT64_MAX - 1,    UINT64_MAX};
    uint32_t count;
    for (uint64_t sector = 980; sector < 1020; sector++) {
        struct blkif_request req = whole_pages(1, sector);
        assert_int_equal(validate_request(&req, DISK_SECTORS, &count),
                         sector + 8 <= DISK_SECTORS ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    }
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        struct blkif_request req = whole_pages(1, far[i]);
        assert_int_equal(validate_request(&req, DISK_SECTORS, &count), BLKIF_RSP_ERROR);
    }
}

static void small_and_huge_disks(void **state)
{
    (void)state;
    uint32_t count;
    for (uint64_t disk = 0; disk < 20; disk++) {
        for (uint64_t sector = 0; sector < 20; sector++) {
            struct blkif_request req = whole_pages(1, sector);
            assert_int_equal(validate_request(&req, disk, &count),
                             sector + 8 <= disk ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
        }
    }
    struct blkif_request last = whole_pages(1, UINT64_MAX - 8);
    assert_int_equal(validate_request(&last, UINT64_MAX, &count), BLKIF_RSP_OKAY);
    last.sector_number++;
    assert_int_equal(validate_request(&last, UINT64_MAX, &count), BLKIF_RSP_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_reads_are_carried_out),
        cmocka_unit_test(the_operation_is_judged_first),
        cmocka_unit_test(one_to_eleven_segments_are_taken),
        cmocka_unit_test(every_pair_of_first_and_last),
        cmocka_unit_test(unused_segments_do_not_count),
        cmocka_unit_test(nothing_beyond_the_end_is_read),
        cmocka_unit_test(small_and_huge_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
