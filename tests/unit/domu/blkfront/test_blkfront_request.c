/* SPDX-License-Identifier: MIT */
/* blkfront_request: each request names the sectors that it was asked for, small and large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/domu/blkfront/scene.h"

enum { SECTORS = 1024, HANG_S = 60, FIRST = 300 };

static uint8_t disk[SECTORS * 512], data[SECTORS * 512];

static int setup(void **state)
{
    (void)state;
    memset(disk, 0xee, sizeof(disk));
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    return scene_open(HANG_S);
}

static void start(void)
{
    const struct blkfront_options options = {.size = sizeof(options),
                                             .rundir = base,
                                             .name = "fake",
                                             .depth = 4,
                                             .sectors_per_request = 256};
    struct blkfront_error why;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){
                                     .disk = disk, .sectors = SECTORS, .indirect_segments = 32});
    assert_non_null(dom0);
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

/* These sectors are as told, and all others as they were. */
static void assert_disk(uint32_t sector, uint32_t count, const uint8_t *wanted)
{
    static uint8_t untouched[512];
    memset(untouched, 0xee, sizeof(untouched));
    fake_dom0_sync(dom0);
    for (uint32_t i = 0; i < SECTORS; i++) {
        bool inside = i >= sector && i < sector + count;
        assert_memory_equal(disk + i * 512, inside ? wanted + (i - sector) * 512 : untouched, 512);
    }
    fake_dom0_sync(dom0);
}

static void a_write_changes_its_sectors_alone(void **state)
{
    static const uint32_t counts[] = {1, 8, 88, 89, 200}; /* the last ones are indirect */
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_int_equal(blkfront_write(bf, FIRST, counts[i], data), 0);
        assert_disk(FIRST, counts[i], data);
        assert_int_equal(blkfront_discard(bf, FIRST, counts[i]), 0);
        fake_dom0_sync(dom0);
        memset(disk, 0xee, sizeof(disk));
        fake_dom0_sync(dom0);
    }
}

static void a_discard_clears_its_sectors_alone(void **state)
{
    static const uint8_t zeros[16 * 512];
    (void)state;
    start();
    assert_int_equal(blkfront_discard(bf, FIRST, 16), 0);
    assert_disk(FIRST, 16, zeros);
}

static void a_read_brings_its_sectors(void **state)
{
    static uint8_t back[200 * 512];
    static const uint32_t counts[] = {1, 88, 89, 200};
    (void)state;
    memcpy(disk, data, sizeof(disk));
    start();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        memset(back, 0, sizeof(back));
        assert_int_equal(blkfront_read(bf, FIRST + i, counts[i], back), 0);
        assert_memory_equal(back, data + (FIRST + i) * 512, counts[i] * 512);
    }
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_write_changes_its_sectors_alone),
        WITH(a_discard_clears_its_sectors_alone),
        WITH(a_read_brings_its_sectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
