/* SPDX-License-Identifier: MIT */
/* validate: every verdict on every kind, by brute force where the range allows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/back/vbd/validate.h"

enum { DISK_SECTORS = 1000 };

/* All that a disk can offer, and one that is only read. */
static const struct vbd_rights all = {.sector_count = DISK_SECTORS,
                                      .block_sectors = 1,
                                      .write = true,
                                      .flush = true,
                                      .discard = true};
static const struct vbd_rights read_only = {.sector_count = DISK_SECTORS, .block_sectors = 1};

typedef int validate_fn(const struct blkif_request *req, const struct vbd_rights *rights);
/* With segments all three judge alike. */
static validate_fn *const kinds[] = {validate_read, validate_write, validate_flush};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct blkif_request whole_pages(uint8_t nr_segments, uint64_t sector)
{
    struct blkif_request req = {.nr_segments = nr_segments, .sector_number = sector};
    for (int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        req.seg[i].last_sect = BLKIF_SECTORS_PER_PAGE - 1;
    return req;
}

static void judge(validate_fn *validate, const struct blkif_request *req,
                  const struct vbd_rights *rights, int verdict)
{
    assert_int_equal(validate(req, rights), verdict);
}

static void judge_all(const struct blkif_request *req, bool good, uint32_t sectors)
{
    for (int kind = 0; kind < KINDS; kind++)
        judge(kinds[kind], req, &all, good ? (int)sectors : BLKIF_RSP_ERROR);
}

static void a_read_only_disk_is_only_read(void **state)
{
    (void)state;
    const struct blkif_request req = whole_pages(1, 0);
    const struct blkif_request_discard discard = {.nr_sectors = 8};
    struct blkif_request_indirect indirect = {.nr_segments = 1};
    judge(validate_read, &req, &read_only, 8);
    judge(validate_write, &req, &read_only, BLKIF_RSP_ERROR);
    judge(validate_flush, &req, &read_only, BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(validate_discard(&discard, &read_only), BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(validate_indirect(&indirect, &read_only), BLKIF_RSP_OKAY);
    indirect.indirect_op = BLKIF_OP_WRITE;
    assert_int_equal(validate_indirect(&indirect, &read_only), BLKIF_RSP_ERROR);
}

/* A disk can be written and yet not flushed or discarded. */
static void each_right_counts_by_itself(void **state)
{
    (void)state;
    const struct blkif_request req = whole_pages(1, 0);
    const struct blkif_request_discard discard = {.nr_sectors = 8};
    for (int rights = 0; rights < 8; rights++) {
        const struct vbd_rights some = {.sector_count = DISK_SECTORS,
                                        .block_sectors = 1,
                                        .write = (rights & 1) != 0,
                                        .flush = (rights & 2) != 0,
                                        .discard = (rights & 4) != 0};
        const int write = some.write ? 8 : BLKIF_RSP_ERROR;
        judge(validate_write, &req, &some, write);
        judge(validate_flush, &req, &some, some.flush ? write : BLKIF_RSP_EOPNOTSUPP);
        assert_int_equal(validate_discard(&discard, &some),
                         some.discard ? BLKIF_RSP_OKAY : BLKIF_RSP_EOPNOTSUPP);
    }
}

/* What is not offered is told as such, whatever else is wrong with the request. */
static void the_operation_is_judged_first(void **state)
{
    (void)state;
    const struct blkif_request req = whole_pages(12, UINT64_MAX);
    const struct blkif_request_discard discard = {.sector_number = UINT64_MAX};
    judge(validate_flush, &req, &read_only, BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(validate_discard(&discard, &read_only), BLKIF_RSP_EOPNOTSUPP);
}

static void one_to_eleven_segments_are_taken(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= UINT8_MAX; n++) {
        const struct blkif_request req = whole_pages((uint8_t)n, 0);
        judge_all(&req, n <= BLKIF_MAX_SEGMENTS_PER_REQUEST, n * 8);
    }
    const struct blkif_request none = whole_pages(0, UINT64_MAX);
    judge(validate_read, &none, &all, BLKIF_RSP_ERROR);
    judge(validate_write, &none, &all, BLKIF_RSP_ERROR);
    judge(validate_flush, &none, &all, 0); /* and its sector means nothing */
}

static void every_pair_of_first_and_last(void **state)
{
    (void)state;
    for (unsigned position = 0; position < BLKIF_MAX_SEGMENTS_PER_REQUEST; position += 5) {
        for (unsigned first = 0; first <= UINT8_MAX; first++) {
            for (unsigned last = 0; last <= UINT8_MAX; last++) {
                struct blkif_request req = whole_pages(BLKIF_MAX_SEGMENTS_PER_REQUEST, 0);
                req.seg[position].first_sect = (uint8_t)first;
                req.seg[position].last_sect = (uint8_t)last;
                judge_all(&req, last < BLKIF_SECTORS_PER_PAGE && first <= last,
                          80 + last - first + 1);
            }
        }
    }
}

/* What lies behind nr_segments is stale and judged by nobody. */
static void unused_segments_do_not_count(void **state)
{
    (void)state;
    struct blkif_request req = whole_pages(1, 0);
    req.seg[1].first_sect = 255;
    req.seg[1].last_sect = 255;
    judge_all(&req, true, 8);
}

static const uint64_t far[] = {1001,           UINT32_MAX,     UINT64_C(1) << 55, INT64_MAX,
                               UINT64_MAX - 8, UINT64_MAX - 7, UINT64_MAX - 1,    UINT64_MAX};
enum { FAR = sizeof(far) / sizeof(far[0]) };

static void nothing_beyond_the_end_is_touched(void **state)
{
    (void)state;
    for (uint64_t sector = 980; sector < 1020; sector++) {
        const struct blkif_request req = whole_pages(1, sector);
        judge_all(&req, sector + 8 <= DISK_SECTORS, 8);
    }
    for (size_t i = 0; i < FAR; i++) {
        const struct blkif_request req = whole_pages(1, far[i]);
        judge_all(&req, false, 0);
    }
}

static void small_and_huge_disks(void **state)
{
    (void)state;
    struct vbd_rights rights = all;
    for (rights.sector_count = 0; rights.sector_count < 20; rights.sector_count++) {
        for (uint64_t sector = 0; sector < 20; sector++) {
            const struct blkif_request req = whole_pages(1, sector);
            const bool good = sector + 8 <= rights.sector_count;
            judge(validate_read, &req, &rights, good ? 8 : BLKIF_RSP_ERROR);
        }
    }
    rights.sector_count = UINT64_MAX;
    struct blkif_request last = whole_pages(1, UINT64_MAX - 8);
    judge(validate_read, &last, &rights, 8);
    last.sector_number++;
    judge(validate_read, &last, &rights, BLKIF_RSP_ERROR);
}

static void blocks_are_touched_whole_or_not_at_all(void **state)
{
    (void)state;
    struct vbd_rights rights = all;
    for (rights.block_sectors = 1; rights.block_sectors <= 8; rights.block_sectors *= 2) {
        for (uint32_t sector = 0; sector < 16; sector++) {
            for (uint32_t count = 1; count <= 8; count++) {
                struct blkif_request req = whole_pages(2, sector);
                const struct blkif_request_discard discard = {.sector_number = sector,
                                                              .nr_sectors = count};
                bool good = (sector | count) % rights.block_sectors == 0;
                req.seg[1].last_sect = (uint8_t)(count - 1);
                for (int kind = 0; kind < KINDS; kind++)
                    judge(kinds[kind], &req, &rights, good ? 8 + (int)count : BLKIF_RSP_ERROR);
                assert_int_equal(validate_discard(&discard, &rights),
                                 good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
            }
        }
    }
}

static void discards_have_any_size_within_the_disk(void **state)
{
    (void)state;
    static const struct {
        uint64_t sector, count;
        bool good;
    } cases[] = {
        {0, 0, false},
        {0, 1, true},
        {0, DISK_SECTORS, true},
        {0, DISK_SECTORS + 1, false},
        {1, DISK_SECTORS, false},
        {DISK_SECTORS - 1, 1, true},
        {DISK_SECTORS, 1, false},
        {DISK_SECTORS, 0, false},
        {0, UINT64_MAX, false},
        {1, UINT64_MAX, false},
        {UINT64_MAX, 1, false},
        {UINT64_MAX - 5, 10, false}, /* the sum is 4 */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct blkif_request_discard req = {.sector_number = cases[i].sector,
                                                  .nr_sectors = cases[i].count};
        assert_int_equal(validate_discard(&req, &all),
                         cases[i].good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    }
}

/* To forget a sector is less than to wipe it: who asks for that is told that it is not to be had.
 * The other bits of the flag have no meaning. */
static void a_secure_discard_is_not_to_be_had(void **state)
{
    (void)state;
    for (unsigned flag = 0; flag <= UINT8_MAX; flag++) {
        const struct blkif_request_discard req = {.flag = (uint8_t)flag, .nr_sectors = 1};
        assert_int_equal(validate_discard(&req, &all),
                         (flag & 1) != 0 ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_OKAY);
    }
}

static void indirect_requests_read_or_write(void **state)
{
    (void)state;
    for (unsigned op = 0; op <= UINT8_MAX; op++) {
        const struct blkif_request_indirect req = {.indirect_op = (uint8_t)op, .nr_segments = 1};
        assert_int_equal(validate_indirect(&req, &all),
                         op <= BLKIF_OP_WRITE ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    }
}

static void indirect_requests_have_up_to_4096_segments(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= UINT16_MAX; n++) {
        const struct blkif_request_indirect req = {.nr_segments = (uint16_t)n};
        assert_int_equal(validate_indirect(&req, &all),
                         n >= 1 && n <= 4096 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    }
}

static void segments_of_indirect_requests_are_judged_as_others(void **state)
{
    enum { COUNT = BLKIF_MAX_INDIRECT_SEGMENTS };
    (void)state;
    static struct blkif_request_segment segments[COUNT + 1];
    struct blkif_request_indirect req = {.nr_segments = COUNT};
    struct vbd_rights rights = all;
    rights.sector_count = BLKIF_INDIRECT_SECTORS_MAX + 8;
    for (int i = 0; i < COUNT; i++)
        segments[i].last_sect = BLKIF_SECTORS_PER_PAGE - 1;
    segments[COUNT] = (struct blkif_request_segment){.first_sect = 255, .last_sect = 255};
    req.sector_number = 8;
    assert_int_equal(validate_indirect_segments(&req, segments, &rights),
                     BLKIF_INDIRECT_SECTORS_MAX);
    req.sector_number = 9;
    assert_int_equal(validate_indirect_segments(&req, segments, &rights), BLKIF_RSP_ERROR);
    req.sector_number = 8;
    static const uint8_t wrong[][2] = {{1, 0}, {0, 8}, {7, 6}, {255, 255}, {8, 8}, {0, 255}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct blkif_request_segment *seg = &segments[i % 2 == 0 ? COUNT - 1 : 0];
        seg->first_sect = wrong[i][0];
        seg->last_sect = wrong[i][1];
        assert_int_equal(validate_indirect_segments(&req, segments, &rights), BLKIF_RSP_ERROR);
        *seg = (struct blkif_request_segment){.last_sect = BLKIF_SECTORS_PER_PAGE - 1};
    }
    rights.block_sectors = 8;
    assert_int_equal(validate_indirect_segments(&req, segments, &rights),
                     BLKIF_INDIRECT_SECTORS_MAX);
    segments[COUNT / 2].last_sect = 3;
    assert_int_equal(validate_indirect_segments(&req, segments, &rights), BLKIF_RSP_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_only_disk_is_only_read),
        cmocka_unit_test(each_right_counts_by_itself),
        cmocka_unit_test(the_operation_is_judged_first),
        cmocka_unit_test(one_to_eleven_segments_are_taken),
        cmocka_unit_test(every_pair_of_first_and_last),
        cmocka_unit_test(unused_segments_do_not_count),
        cmocka_unit_test(nothing_beyond_the_end_is_touched),
        cmocka_unit_test(small_and_huge_disks),
        cmocka_unit_test(blocks_are_touched_whole_or_not_at_all),
        cmocka_unit_test(discards_have_any_size_within_the_disk),
        cmocka_unit_test(a_secure_discard_is_not_to_be_had),
        cmocka_unit_test(indirect_requests_read_or_write),
        cmocka_unit_test(indirect_requests_have_up_to_4096_segments),
        cmocka_unit_test(segments_of_indirect_requests_are_judged_as_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
