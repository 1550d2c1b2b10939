/* SPDX-License-Identifier: MIT */
/* blkfront_limits: what a disk can do, and what is refused without a request. */
#include <errno.h>
#include <poll.h>

#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/blkfront_call_fixture.h"

/* ---- refusals ---- */

static void a_disk_tells_what_it_can_do(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet_disk();
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_false(geometry.read_only);
    assert_true(geometry.flush && geometry.discard);
    assert_int_equal(geometry.discard_granularity, 4096);
    assert_int_equal(geometry.discard_alignment, 512);
    assert_int_equal(geometry.sectors_per_request, 8);
}

static void what_dom0_does_not_offer_is_refused_without_a_request(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){0}, (struct blkfront_options){0});
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_true(geometry.read_only);
    assert_false(geometry.flush || geometry.discard);
    assert_int_equal(geometry.discard_granularity, 0);
    assert_int_equal(blkfront_write(bf, 0, 1, data), -EROFS);
    assert_int_equal(blkfront_discard(bf, 0, 1), -EROFS);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(requests(), 0);
}

static void writable_without_features(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "feature-flush-cache", "0");
    fake_dom0_node(d, "feature-discard", "0");
}

static void a_writable_disk_may_have_neither_flush_nor_discard(void **state)
{
    (void)state;
    meet((struct fake_dom0_script){.disk = disk, .change_nodes = writable_without_features},
         (struct blkfront_options){0});
    assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(requests(), 0);
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
}

static void only_reads_and_writes(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (req->operation <= BLKIF_OP_WRITE) {
        fake_dom0_serve(d, req);
        return;
    }
    fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_EOPNOTSUPP);
    fake_dom0_flush(d);
}

/* As a file system that cannot punch holes finds out when it is asked. */
static void what_dom0_turns_out_not_to_do_is_not_asked_again(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .request = only_reads_and_writes},
         (struct blkfront_options){0});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
        assert_int_equal(blkfront_geometry(bf, &geometry), 0);
        assert_false(geometry.discard);
        assert_true(geometry.flush || i == 1);
        assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
        assert_int_equal(requests(), 2);
    }
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
}

/* Tells of another size with the answer to a write. */
static void only_reads_and_writes_and_grows(struct fake_dom0 *d, const struct blkif_request *req)
{
    char size[24];
    snprintf(size, sizeof(size), "%d", SECTORS + 8);
    if (req->operation == BLKIF_OP_WRITE) {
        fake_dom0_node(d, "sectors", size);
        fake_dom0_node(d, "state", "4");
        fake_dom0_pump(d); /* nothing else wakes it up */
    }
    only_reads_and_writes(d, req);
}

static void nor_when_the_disk_has_another_size(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .request = only_reads_and_writes_and_grows},
         (struct blkfront_options){0});
    assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
    do
        assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    while (geometry.last_sector != SECTORS + 8 - 1);
    assert_false(geometry.discard || geometry.flush);
    assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(requests(), 3);
}

static void a_descriptor_tells_that_the_disk_has_another_size(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .request = only_reads_and_writes_and_grows},
         (struct blkfront_options){0});
    struct pollfd changed = {.fd = blkfront_geometry_fd(bf), .events = POLLIN};
    assert_true(changed.fd >= 0);
    assert_int_equal(blkfront_geometry_fd(bf), changed.fd);
    assert_int_equal(poll(&changed, 1, 0), 0);
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
    assert_int_equal(poll(&changed, 1, -1), 1);
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.last_sector, SECTORS + 8 - 1);
    assert_int_equal(poll(&changed, 1, 0), 0);
}

static void tells_and_grows_later(struct fake_dom0 *d, const struct blkif_request *req)
{
    char size[24];
    snprintf(size, sizeof(size), "%d", SECTORS + 8);
    if (req->sector_number > 0)
        fake_dom0_node(d, "sectors", size);
    fake_dom0_node(d, "state", "4");
    fake_dom0_pump(d);
    fake_dom0_serve(d, req);
}

static void what_dom0_tells_again_is_no_news(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .request = tells_and_grows_later},
         (struct blkfront_options){0});
    struct pollfd changed = {.fd = blkfront_geometry_fd(bf), .events = POLLIN};
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
    assert_int_equal(poll(&changed, 1, 0), 0);
    assert_int_equal(blkfront_write(bf, 1, 1, data), 0);
    assert_int_equal(poll(&changed, 1, -1), 1);
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.last_sector, SECTORS + 8 - 1);
}

static void tells_nonsense(struct fake_dom0 *d, const struct blkif_request *req)
{
    fake_dom0_node(d, "sectors", "many");
    fake_dom0_node(d, "state", "4");
    fake_dom0_pump(d);
    fake_dom0_serve(d, req);
}

/* An administrator may write there. Dom0 has closed nothing, and its log says nothing. */
static void a_size_that_makes_no_sense_fails_the_disk_and_says_so(void **state)
{
    (void)state;
    int rc;
    meet((struct fake_dom0_script){.disk = disk, .request = tells_nonsense},
         (struct blkfront_options){0});
    do
        rc = blkfront_write(bf, 0, 1, data);
    while (rc == 0);
    assert_int_equal(rc, -EPROTO);
    assert_non_null(strstr(blkfront_failure(bf), "sectors"));
}

static void sectors_beyond_the_end_are_refused(void **state)
{
    (void)state;
    meet_disk();
    assert_int_equal(blkfront_write(bf, SECTORS - 1, 2, data), -EINVAL);
    assert_int_equal(blkfront_write(bf, UINT64_MAX, 1, data), -EINVAL);
    assert_int_equal(blkfront_write(bf, 0, 0, data), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 1, SECTORS), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 0, 0), -EINVAL);
    assert_int_equal(requests(), 0);
}

static void blocks_of_4096(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sector-size", "4096");
}

/* And parts of large ones are aligned as well. */
static void requests_are_aligned_to_the_sector_size_of_the_disk(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .change_nodes = blocks_of_4096},
         (struct blkfront_options){.sectors_per_request = 21});
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.sectors_per_request, 16);
    assert_int_equal(blkfront_write(bf, 1, 8, data), -EINVAL);
    assert_int_equal(blkfront_read(bf, 8, 4, back), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 8, 12), -EINVAL);
    assert_int_equal(blkfront_write(bf, 8, 800, data), 0);
    assert_memory_equal(seen() + 8 * 512, data, 800 * 512);
    assert_int_equal(requests(), 50);
    part();
    meet((struct fake_dom0_script){.disk = disk, .change_nodes = blocks_of_4096},
         (struct blkfront_options){.sectors_per_request = 1});
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.sectors_per_request, 8);
    assert_int_equal(blkfront_write(bf, 16, 16, data), 0);
    assert_int_equal(requests(), 2);
}

static void what_the_disk_can_do_is_in_order(void **state)
{
    (void)state;
    meet_disk();
    uint64_t sectors = bf->sectors;
    assert_int_equal(blkfront_check(bf, BLKFRONT_READ, 0, 1), 0);
    assert_int_equal(blkfront_check(bf, BLKFRONT_WRITE, sectors - 1, 1), 0);
    assert_int_equal(blkfront_check(bf, BLKFRONT_DISCARD, 0, sectors), 0);
    assert_int_equal(blkfront_check(bf, BLKFRONT_FLUSH, UINT64_MAX, 7), 0);
    assert_int_equal(blkfront_check(bf, BLKFRONT_WRITE, sectors, 1), -EINVAL);
    assert_int_equal(blkfront_check(bf, BLKFRONT_DISCARD, 1, sectors), -EINVAL);
    assert_int_equal(blkfront_check(bf, (enum blkfront_operation)99, 0, 1), -EINVAL);
}

int main(void)
{
#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CALL_TEST(a_disk_tells_what_it_can_do),
        CALL_TEST(what_dom0_does_not_offer_is_refused_without_a_request),
        CALL_TEST(a_writable_disk_may_have_neither_flush_nor_discard),
        CALL_TEST(what_dom0_turns_out_not_to_do_is_not_asked_again),
        CALL_TEST(nor_when_the_disk_has_another_size),
        CALL_TEST(a_descriptor_tells_that_the_disk_has_another_size),
        CALL_TEST(what_dom0_tells_again_is_no_news),
        CALL_TEST(a_size_that_makes_no_sense_fails_the_disk_and_says_so),
        CALL_TEST(sectors_beyond_the_end_are_refused),
        CALL_TEST(requests_are_aligned_to_the_sector_size_of_the_disk),
        CALL_TEST(what_the_disk_can_do_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
