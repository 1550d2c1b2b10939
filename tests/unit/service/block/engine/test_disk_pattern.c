/* SPDX-License-Identifier: MIT */
/* disk_pattern: each sector begins with its number, wherever it is put. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "service/block/engine/disk.h"
#include "service/block/engine/disk_pattern.h"

enum { SECTORS = 8 };

static uint8_t bytes[SECTORS * 512 + 16];

static int setup(void **state)
{
    (void)state;
    memset(bytes, 0xa5, sizeof(bytes));
    return 0;
}

static void assert_sector(const uint8_t *at, uint64_t number, uint32_t length_bytes)
{
    uint8_t wanted[512] = {0};
    uint64_t le = htole64(number);
    memcpy(wanted, &le, sizeof(le));
    assert_memory_equal(at, wanted, length_bytes);
}

static void sectors_begin_with_their_numbers(void **state)
{
    (void)state;
    disk_pattern_fill(bytes, UINT64_C(0x123456789a00) * 512, SECTORS * 512);
    for (uint64_t i = 0; i < SECTORS; i++)
        assert_sector(bytes + i * 512, UINT64_C(0x123456789a00) + i, 512);
    assert_int_equal(bytes[SECTORS * 512], 0xa5);
}

static void a_part_of_a_sector_is_filled(void **state)
{
    (void)state;
    disk_pattern_fill(bytes, 7 * 512, 512 + 5);
    assert_sector(bytes, 7, 512);
    assert_sector(bytes + 512, 8, 5);
    assert_int_equal(bytes[512 + 5], 0xa5);
}

static void a_read_without_parts_fills_its_buffer(void **state)
{
    (void)state;
    disk_pattern_answer(
        &(struct disk_io){.offset_bytes = 3 * 512, .length_bytes = 1024, .buffer = bytes});
    assert_sector(bytes, 3, 512);
    assert_sector(bytes + 512, 4, 512);
    assert_int_equal(bytes[1024], 0xa5);
}

static void a_read_in_parts_fills_each_and_nothing_else(void **state)
{
    (void)state;
    struct iovec iov[] = {{bytes + 2048, 512}, {bytes, 1024}};
    disk_pattern_answer(&(struct disk_io){.offset_bytes = 9 * 512,
                                          .length_bytes = 1536,
                                          .buffer = bytes + 3072,
                                          .iov_count = 2,
                                          .iov = iov});
    assert_sector(bytes + 2048, 9, 512);
    assert_sector(bytes, 10, 512);
    assert_sector(bytes + 512, 11, 512);
    assert_int_equal(bytes[1024], 0xa5);
    assert_int_equal(bytes[3072], 0xa5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sectors_begin_with_their_numbers, setup),
        cmocka_unit_test_setup(a_part_of_a_sector_is_filled, setup),
        cmocka_unit_test_setup(a_read_without_parts_fills_its_buffer, setup),
        cmocka_unit_test_setup(a_read_in_parts_fills_each_and_nothing_else, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
