/* SPDX-License-Identifier: MIT */
/* disk_memory: against a plain array for each of two images. */
#include "service/block/engine/disk_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "faults/fault_walk.h"
#include "service/block/engine/image.h"
#include "service/block/engine/sector.h"

enum { SECTORS = 400, IMAGES = 2, SPAN_MAX = 30, BEFORE = 0x11 };

/* Far beyond 4 GiB, so that no part of a place is ignored. */
#define FIRST_BYTE (UINT64_C(1) << 42)

static unsigned char now[IMAGES][SECTORS * BLOCK_SECTOR_BYTES];

static void assert_contents(const struct disk_memory *memory, const struct image *images)
{
    static unsigned char read[SECTORS * BLOCK_SECTOR_BYTES];
    for (int i = 0; i < IMAGES; i++) {
        memset(read, BEFORE, sizeof(read));
        disk_memory_read(memory, &images[i], FIRST_BYTE, read, sizeof(read));
        assert_memory_equal(read, now[i], sizeof(read));
    }
}

static void agrees_with_an_array(void **state)
{
    static const struct image images[IMAGES];
    unsigned char data[SPAN_MAX * BLOCK_SECTOR_BYTES];
    struct disk_memory *memory;
    struct prng prng;
    (void)state;
    prng_init(&prng, 3, 0);
    memset(now, BEFORE, sizeof(now));
    assert_int_equal(disk_memory_create(&memory), 0);
    assert_contents(memory, images);
    for (int step = 0; step < 4000; step++) {
        uint64_t image = prng_below(&prng, IMAGES), sector = prng_below(&prng, SECTORS - SPAN_MAX);
        size_t bytes = (1 + (size_t)prng_below(&prng, SPAN_MAX)) * BLOCK_SECTOR_BYTES;
        unsigned char *array = now[image] + sector * BLOCK_SECTOR_BYTES;
        uint64_t offset_bytes = FIRST_BYTE + sector * BLOCK_SECTOR_BYTES;
        memset(data, step % 251, bytes);
        if (prng_below(&prng, 3) == 0) {
            memset(array, 0, bytes);
            assert_int_equal(disk_memory_discard(memory, &images[image], offset_bytes, bytes), 0);
        } else {
            memcpy(array, data, bytes);
            assert_int_equal(disk_memory_write(memory, &images[image], offset_bytes, data, bytes),
                             0);
        }
        if (step == 2000) {
            disk_memory_forget(memory, &images[0]);
            memset(now[0], BEFORE, sizeof(now[0]));
        }
        if (step % 50 == 0)
            assert_contents(memory, images);
    }
    struct disk_memory *copy;
    assert_int_equal(disk_memory_copy(memory, &copy), 0);
    disk_memory_destroy(memory);
    assert_contents(copy, images);
    disk_memory_destroy(copy);
    disk_memory_destroy(NULL);
}

/* More than the table has places at first. */
static void holds_many_places(void **state)
{
    static const struct image image;
    enum { COUNT = 5000 };
    struct disk_memory *memory;
    unsigned char data[BLOCK_SECTOR_BYTES];
    (void)state;
    assert_int_equal(disk_memory_create(&memory), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        memcpy(data, &i, sizeof(i));
        assert_int_equal(
            disk_memory_write(memory, &image, UINT64_C(1048576) * i, data, sizeof(data)), 0);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t number;
        disk_memory_read(memory, &image, UINT64_C(1048576) * i, data, sizeof(data));
        memcpy(&number, data, sizeof(number));
        assert_int_equal(number, i);
    }
    disk_memory_destroy(memory);
}

/* A page with data, one of zeros, and a copy of them. */
static int write_and_copy(void *unused)
{
    static const struct image image;
    unsigned char data[8 * BLOCK_SECTOR_BYTES] = {1};
    struct disk_memory *memory, *copy = NULL;
    (void)unused;
    int rc = disk_memory_create(&memory);
    if (rc < 0) {
        assert_null(memory);
        return rc;
    }
    rc = disk_memory_write(memory, &image, FIRST_BYTE, data, sizeof(data));
    if (rc == 0)
        rc = disk_memory_discard(memory, &image, FIRST_BYTE + sizeof(data), sizeof(data));
    if (rc == 0)
        rc = disk_memory_copy(memory, &copy);
    assert_true((rc < 0) == (copy == NULL));
    disk_memory_destroy(copy);
    disk_memory_destroy(memory);
    return rc;
}

static void without_memory_nothing_is_kept_and_that_is_told(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(write_and_copy, NULL), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(holds_many_places),
        cmocka_unit_test(without_memory_nothing_is_kept_and_that_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
