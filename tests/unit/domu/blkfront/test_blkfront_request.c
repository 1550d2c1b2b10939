/* SPDX-License-Identifier: MIT */
/* blkfront_request: each request names the sectors that it was asked for, small and large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ring/barrier.h"
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

static void start_with(const struct fake_dom0_script *script)
{
    const struct blkfront_options options = {.size = sizeof(options),
                                             .rundir = base,
                                             .name = "fake",
                                             .depth = 4,
                                             .sectors_per_request = 256};
    struct blkfront_error why;
    dom0 = fake_dom0_start(base, script);
    assert_non_null(dom0);
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

static void start(void)
{
    start_with(
        &(struct fake_dom0_script){.disk = disk, .sectors = SECTORS, .indirect_segments = 32});
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

struct stamps {
    uint64_t stamp_ns; /* of the last request */
    uint32_t nr_segments;
    bool direct;
    uint32_t looked_at; /* atomic: by the test, before it asks again */
};

static void note_stamp(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct stamps *stamps = fake_dom0_ctx(d);
    (void)load_full_u32(&stamps->looked_at);
    stamps->direct = req->operation == BLKIF_OP_READ;
    stamps->nr_segments = req->nr_segments;
    stamps->stamp_ns = blkif_take_request_stamp(fake_dom0_ring(d));
    int16_t status = fake_dom0_do(d, req); /* after these: fake_dom0_sync looks at what it does */
    fake_dom0_respond(d, req->id, fake_dom0_operation(req), status);
    blkif_put_response_stamp(fake_dom0_ring(d), 1); /* due */
    fake_dom0_flush(d);
}

/* Of eleven segments the last one takes the place of the stamp. */
static void each_request_that_has_room_for_a_stamp_has_one(void **state)
{
    static const struct {
        uint32_t sectors, segments; /* 0 segments: indirect */
        bool stamped;
    } rows[] = {{1, 1, true}, {80, 10, true}, {88, 11, false}, {89, 0, true}};
    static struct stamps stamps;
    (void)state;
    start_with(&(struct fake_dom0_script){.disk = disk,
                                          .sectors = SECTORS,
                                          .indirect_segments = 32,
                                          .request = note_stamp,
                                          .virtual_completion = true,
                                          .ctx = &stamps});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t before_ns = blkfront_now_ns(bf);
        assert_int_equal(blkfront_read(bf, 0, rows[i].sectors, data), 0);
        fake_dom0_sync(dom0);
        assert_int_equal(stamps.direct, rows[i].segments != 0);
        if (rows[i].segments != 0)
            assert_int_equal(stamps.nr_segments, rows[i].segments);
        assert_int_equal(stamps.stamp_ns >= before_ns && stamps.stamp_ns <= blkfront_now_ns(bf),
                         rows[i].stamped);
        store_full_u32(&stamps.looked_at, 1);
    }
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_write_changes_its_sectors_alone),
        WITH(a_discard_clears_its_sectors_alone),
        WITH(a_read_brings_its_sectors),
        WITH(each_request_that_has_room_for_a_stamp_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
