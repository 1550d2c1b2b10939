/* SPDX-License-Identifier: MIT */
/* vdisks_report: the words and numbers that are told of images, disks, caches and devices. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "service/block/device_private.h"
#include "service/dom0/disks/vdisks_report.h"

enum { XVDA = 51712, XVDB = 51728, SECTORS = 64 };

static struct vdisks vdisks;
static struct why why;
static char *text;
static size_t text_bytes;
static FILE *out;

static int setup(void **state)
{
    (void)state;
    const struct device_config config = {.engine = &fake_disk_ops, .depth = 4, .depth_isolated = 4};
    const struct vdisk_config vdisk = {.policy = cache_policy_find("lru")};
    vdisks_init(&vdisks, &config, &vdisk);
    out = open_memstream(&text, &text_bytes);
    return out != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vdisks_fini(&vdisks);
    fclose(out);
    free(text);
    return 0;
}

static struct vdisks_item *add(const char *path, ino_t inode, bool writable, uint32_t cache_sectors)
{
    struct image image = {.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                          .path = strdup(path),
                          .device = 1,
                          .inode = inode,
                          .writable = writable,
                          .size_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    const struct vdisks_wish wish = {.cache_bytes = (size_t)cache_sectors * BLOCK_SECTOR_BYTES};
    struct vdisks_item *item;
    assert_int_equal(vdisks_add(&vdisks, &image, &wish, &item, &why), 0);
    return item;
}

/* Since it was asked last. */
static const char *told(void)
{
    static char copy[1024];
    fflush(out);
    snprintf(copy, sizeof(copy), "%.*s", (int)text_bytes, text);
    rewind(out);
    return copy;
}

static void one_image_alone_needs_no_table(void **state)
{
    (void)state;
    vdisks_report_print(&vdisks, out);
    assert_string_equal(told(), "");
    (void)add("/some/image", 1, true, 0);
    vdisks_report_print(&vdisks, out);
    assert_string_equal(told(), "");
}

static void several_images_have_a_line_each(void **state)
{
    struct vdisks_use *use[3];
    (void)state;
    struct vdisks_item *a = add("/one", 1, true, 0), *b = add("/two", 2, false, 0);
    a->vdisk->stats = (struct vdisk_stats){.hits = 1, .misses = 7};
    assert_int_equal(vdisks_use(a, 1, XVDA, ACCESS_WRITE, &use[0], &why), 0);
    assert_int_equal(vdisks_use(b, 1, XVDB, ACCESS_READ, &use[1], &why), 0);
    assert_int_equal(vdisks_use(b, 2, XVDB, ACCESS_READ, &use[2], &why), 0);
    vdisks_report_print(&vdisks, out);
    assert_string_equal(told(), "   sectors  open  disks   hits  image\n"
                                "        64     w      1  12.5%  /one\n"
                                "        64     r      2   0.0%  /two\n");
    vdisks_report_print_use(use[1], "Connected", out);
    assert_string_equal(told(), "       Connected    xvdb   r   /two\n");
    for (int i = 0; i < 3; i++)
        vdisks_leave(&vdisks, use[i]);
}

static void the_share_of_hits_is_of_all_reads(void **state)
{
    (void)state;
    struct vdisks_item *a = add("/one", 1, false, 0), *b = add("/two", 2, false, 0);
    assert_true(vdisks_report_hit_ratio(a->vdisk) == 0.0);
    assert_true(vdisks_report_hits(&vdisks).percent == 0.0);
    a->vdisk->stats = (struct vdisk_stats){.hits = 3, .misses = 1};
    b->vdisk->stats = (struct vdisk_stats){.hits = 1, .misses = 3};
    assert_true(vdisks_report_hit_ratio(a->vdisk) == 0.75);
    assert_true(vdisks_report_hit_ratio(b->vdisk) == 0.25);
    const struct vdisks_hits hits = vdisks_report_hits(&vdisks);
    assert_int_equal(hits.on_ring, 4);
    assert_int_equal(hits.reported, 0);
    assert_int_equal(hits.all, 4);
    assert_int_equal(hits.requests, 8);
    assert_true(hits.percent == 50.0);
}

static void the_caches_are_added_up(void **state)
{
    (void)state;
    uint8_t bytes[BLOCK_SECTOR_BYTES] = {0};
    assert_int_equal(vdisks_report_cache_capacity(&vdisks), 0);
    struct vdisks_item *a = add("/one", 1, false, 10), *b = add("/two", 2, false, 5);
    assert_int_equal(cache_capacity(a->vdisk->cache), 10);
    assert_int_equal(vdisks_report_cache_capacity(&vdisks), 15);
    assert_int_equal(vdisks_cache_bytes(&vdisks), 15 * BLOCK_SECTOR_BYTES);
    assert_int_equal(vdisks_report_cache_used(&vdisks), 0);
    cache_insert(a->vdisk->cache, 1, bytes);
    cache_insert(b->vdisk->cache, 1, bytes);
    cache_insert(b->vdisk->cache, 2, bytes);
    assert_int_equal(vdisks_report_cache_used(&vdisks), 3);
}

static void what_changes_disks_is_told_when_there_was_any(void **state)
{
    struct vdisks_totals totals = {
        .vdisk = {.shared = 3},
        .device = {.reads = 1, .bytes = 512, .errors = 2, .in_flight_peak = 4}};
    (void)state;
    vdisks_report_print_devices(&totals, out);
    assert_string_equal(told(), "disk: 1 reads, 512 bytes, 2 errors, 3 misses shared a read, at "
                                "most 4 in flight\n");
    for (int which = 0; which < 3; which++) {
        char expected[256];
        totals.device.writes = which == 0;
        totals.device.bytes_written = which == 0 ? 1024 : 0;
        totals.device.flushes = which == 1;
        totals.device.discards = which == 2;
        snprintf(expected, sizeof(expected),
                 "disk: 1 reads, 512 bytes, %d writes, %d bytes, %d flushes, %d discards, 2 "
                 "errors, 3 misses shared a read, at most 4 in flight\n",
                 which == 0, which == 0 ? 1024 : 0, which == 1, which == 2);
        vdisks_report_print_devices(&totals, out);
        assert_string_equal(told(), expected);
    }
}

int main(void)
{
#define REPORT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        REPORT_TEST(one_image_alone_needs_no_table),
        REPORT_TEST(several_images_have_a_line_each),
        REPORT_TEST(the_share_of_hits_is_of_all_reads),
        REPORT_TEST(the_caches_are_added_up),
        REPORT_TEST(what_changes_disks_is_told_when_there_was_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
