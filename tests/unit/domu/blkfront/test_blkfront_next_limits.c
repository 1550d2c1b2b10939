/* SPDX-License-Identifier: MIT */
/* blkfront_limits: what the present Dom0 can do, whatever the last one could not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/scene.h"

enum { SECTORS = 64, HANG_S = 60 };

static uint8_t disk[SECTORS * 512];

static int setup(void **state)
{
    (void)state;
    return scene_open(HANG_S);
}

static void reads_alone(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (req->operation == BLKIF_OP_READ) {
        fake_dom0_serve(d, req);
        return;
    }
    fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_EOPNOTSUPP);
    fake_dom0_flush(d);
}

static void start(void (*request)(struct fake_dom0 *d, const struct blkif_request *req))
{
    dom0 = fake_dom0_start(
        base, &(struct fake_dom0_script){.disk = disk, .sectors = SECTORS, .request = request});
    assert_non_null(dom0);
}

/* Another file system behind the same image may punch holes. */
static void the_next_dom0_is_asked_what_the_last_one_could_not_do(void **state)
{
    const struct blkfront_options options = {
        .size = sizeof(options), .rundir = base, .name = "fake", .reconnect = true};
    struct blkfront_geometry geometry;
    struct blkfront_stats stats;
    struct blkfront_error why;
    (void)state;
    start(reads_alone);
    assert_int_equal(blkfront_connect(&options, &bf, &why), 0);
    assert_int_equal(blkfront_discard(bf, 0, 8), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_false(geometry.discard || geometry.flush);
    fake_dom0_stop(dom0);
    start(NULL);
    do
        blkfront_stats(bf, &stats);
    while (stats.reconnects == 0);
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_true(geometry.discard && geometry.flush);
    assert_int_equal(blkfront_discard(bf, 0, 8), 0);
    assert_int_equal(blkfront_flush(bf), 0);
}

/* A request of more than 11 segments needs a page more, for the list of its segments. */
static void pages_and_depth_follow_from_the_size_of_requests(void **state)
{
    (void)state;
    assert_int_equal(blkfront_pages_per_entry(1), 1);
    assert_int_equal(blkfront_pages_per_entry(8), 1);
    assert_int_equal(blkfront_pages_per_entry(9), 2);
    assert_int_equal(blkfront_pages_per_entry(BLKIF_SECTORS_MAX), 11);
    assert_int_equal(blkfront_pages_per_entry(BLKIF_SECTORS_MAX + 1), 13);
    assert_int_equal(blkfront_default_depth(1), BLKFRONT_DEPTH_DEFAULT);
    assert_int_equal(blkfront_default_depth(BLKIF_SECTORS_MAX), BLKFRONT_DEPTH_DEFAULT);
    for (uint32_t sectors = BLKIF_SECTORS_MAX + 1; sectors <= 2048; sectors++) {
        uint32_t pages = (sectors + 7) / 8, depth = blkfront_default_depth(sectors);
        assert_true(depth > 0 && depth <= BLKFRONT_DEPTH_DEFAULT);
        assert_true(depth == BLKFRONT_DEPTH_DEFAULT || depth == BLKFRONT_LARGE_PAGES / pages);
        assert_true(depth * pages <= BLKFRONT_LARGE_PAGES);
    }
    struct blkfront_options options = {.depth = 4, .sectors_per_request = BLKIF_SECTORS_MAX};
    assert_int_equal(blkfront_entries(&options, 32), 32);
    options.sectors_per_request++;
    assert_int_equal(blkfront_entries(&options, 32), 4);
    options.depth = 64;
    assert_int_equal(blkfront_entries(&options, 32), 32);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(the_next_dom0_is_asked_what_the_last_one_could_not_do),
        WITH(pages_and_depth_follow_from_the_size_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
