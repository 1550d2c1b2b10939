/* SPDX-License-Identifier: MIT */
/* disk_contents: what lasts when power is lost. */
#include "service/block/engine/disk_contents.h"

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

enum { SPAN_SECTORS = 4, SPAN_BYTES = SPAN_SECTORS * BLOCK_SECTOR_BYTES };

static const struct image images[2];

static void write_all(struct disk_contents *contents, const struct image *image, int fill)
{
    unsigned char data[SPAN_BYTES];
    memset(data, fill, sizeof(data));
    assert_int_equal(disk_contents_write(contents, image, 4096, data, sizeof(data)), 0);
}

static int read_sector(const struct disk_contents *contents, const struct image *image,
                       uint32_t sector)
{
    unsigned char data[BLOCK_SECTOR_BYTES];
    memset(data, 0x11, sizeof(data));
    disk_contents_read(contents, image, 4096 + (uint64_t)sector * BLOCK_SECTOR_BYTES, data,
                       sizeof(data));
    for (size_t i = 1; i < sizeof(data); i++)
        assert_int_equal(data[i], data[0]);
    return data[0];
}

static void without_a_cache_nothing_is_lost(void **state)
{
    struct disk_contents *contents;
    struct prng prng;
    (void)state;
    prng_init(&prng, 1, 0);
    assert_int_equal(disk_contents_create(false, &contents), 0);
    write_all(contents, &images[0], 2);
    assert_int_equal(disk_contents_lose_power(contents, &prng), 0);
    assert_int_equal(read_sector(contents, &images[0], 3), 2);
    disk_contents_destroy(contents);
    disk_contents_destroy(NULL);
}

/* Any of what it was, sector by sector; and nothing else. */
static void what_is_in_the_cache_may_be_lost(void **state)
{
    uint32_t seen[5] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct disk_contents *contents;
        struct prng prng;
        prng_init(&prng, seed, 0);
        assert_int_equal(disk_contents_create(true, &contents), 0);
        write_all(contents, &images[0], 2);
        assert_int_equal(disk_contents_flush(contents, &images[0], 1), 0);
        write_all(contents, &images[0], 3);
        assert_int_equal(disk_contents_write(contents, &images[0], 4096, NULL, SPAN_BYTES), 0);
        write_all(contents, &images[0], 4);
        assert_int_equal(read_sector(contents, &images[0], 1), 4);
        assert_int_equal(disk_contents_lose_power(contents, &prng), 0);
        for (uint32_t s = 0; s < SPAN_SECTORS; s++) {
            int found = read_sector(contents, &images[0], s);
            assert_true(found == 0 || (found >= 2 && found <= 4));
            seen[found]++;
        }
        disk_contents_destroy(contents);
    }
    assert_true(seen[0] > 0 && seen[2] > 0 && seen[3] > 0 && seen[4] > 0);
}

static void a_flush_covers_what_came_before_and_its_image(void **state)
{
    uint32_t lost = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct disk_contents *contents;
        struct prng prng;
        prng_init(&prng, seed, 0);
        assert_int_equal(disk_contents_create(true, &contents), 0);
        write_all(contents, &images[0], 2);
        write_all(contents, &images[1], 3);
        uint64_t changes = disk_contents_changes(contents);
        write_all(contents, &images[1], 4);
        assert_int_equal(disk_contents_flush(contents, &images[1], changes), 0);
        assert_int_equal(disk_contents_lose_power(contents, &prng), 0);
        for (uint32_t s = 0; s < SPAN_SECTORS; s++) {
            lost += read_sector(contents, &images[0], s) == 0x11;
            assert_true(read_sector(contents, &images[1], s) >= 3);
        }
        disk_contents_forget(contents, &images[1]);
        assert_int_equal(read_sector(contents, &images[1], 0), 0x11);
        disk_contents_destroy(contents);
    }
    assert_true(lost > 0);
}

/* What was flushed is stable, and is not written over what came later. */
static void a_flushed_write_is_out_of_the_cache(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct disk_contents *contents;
        struct prng prng;
        prng_init(&prng, seed, 0);
        assert_int_equal(disk_contents_create(true, &contents), 0);
        for (int fill = 2; fill <= 4; fill++) {
            write_all(contents, &images[0], fill);
            uint64_t changes = disk_contents_changes(contents);
            assert_int_equal(disk_contents_flush(contents, &images[0], changes), 0);
        }
        assert_int_equal(disk_contents_lose_power(contents, &prng), 0);
        for (uint32_t s = 0; s < SPAN_SECTORS; s++)
            assert_int_equal(read_sector(contents, &images[0], s), 4);
        disk_contents_destroy(contents);
    }
}

/* The oldest go to stable storage when there is no room for more. */
static void the_cache_is_bounded(void **state)
{
    struct disk_contents *contents;
    struct prng prng;
    (void)state;
    prng_init(&prng, 3, 0);
    assert_int_equal(disk_contents_create(true, &contents), 0);
    write_all(contents, &images[0], 2);
    for (uint32_t i = 0; i < DISK_CONTENTS_CACHED_MAX; i++)
        write_all(contents, &images[1], 3);
    assert_int_equal(disk_contents_lose_power(contents, &prng), 0);
    for (uint32_t s = 0; s < SPAN_SECTORS; s++)
        assert_int_equal(read_sector(contents, &images[0], s), 2);
    disk_contents_destroy(contents);
}

static int make(void *has_cache)
{
    struct disk_contents *contents;
    int rc = disk_contents_create(*(bool *)has_cache, &contents);
    assert_true((rc < 0) == (contents == NULL));
    disk_contents_destroy(contents);
    return rc;
}

static void without_memory_there_are_none(void **state)
{
    bool has_cache = false;
    (void)state;
    assert_int_equal(fault_walk(make, &has_cache), 3);
    has_cache = true;
    assert_int_equal(fault_walk(make, &has_cache), 5);
}

/* As of a full disk; what was there before is what is read. */
static void a_write_without_memory_is_refused(void **state)
{
    struct disk_contents *contents;
    unsigned char data[SPAN_BYTES];
    (void)state;
    memset(data, 3, sizeof(data));
    assert_int_equal(disk_contents_create(true, &contents), 0);
    write_all(contents, &images[0], 2);
    fault_arm_call("malloc", 0, ENOMEM);
    int rc = disk_contents_write(contents, &images[0], 4096, data, sizeof(data));
    fault_disarm();
    assert_int_equal(rc, -ENOSPC);
    disk_contents_destroy(contents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_cache_nothing_is_lost),
        cmocka_unit_test(what_is_in_the_cache_may_be_lost),
        cmocka_unit_test(a_flush_covers_what_came_before_and_its_image),
        cmocka_unit_test(a_flushed_write_is_out_of_the_cache),
        cmocka_unit_test(the_cache_is_bounded),
        cmocka_unit_test(without_memory_there_are_none),
        cmocka_unit_test(a_write_without_memory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
