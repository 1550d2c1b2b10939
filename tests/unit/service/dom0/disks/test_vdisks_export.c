/* SPDX-License-Identifier: MIT */
/* vdisks: an export among the images: a device of its own, whose server goes and comes back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "fakes/fake_nbd.h"
#include "service/block/cache/cache.h"
#include "service/block/engine/disk.h"
#include "service/dom0/disks/vdisks.h"
#include "service/dom0/disks/vdisks_report.h"
#include "service/loop/poller.h"

#ifdef HAVE_LIBNBD

enum { HANG_S = 60, PATIENCE_MS = 60000, CACHED = 5 };

static struct fake_nbd nbd;
static struct poller *poller;
static struct vdisks vdisks;
static struct why why;

static void init(const struct disk_ops *engine)
{
    const struct device_config config = {
        .engine = engine, .poller = poller, .depth = 4, .depth_isolated = 4};
    vdisks_init(&vdisks, &config, &(struct vdisk_config){.policy = cache_policy_find("lru")});
}

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    fake_nbd_init(&nbd);
    fake_nbd_start(&nbd);
    if (poller_create(POLLER_EPOLL, &poller) < 0)
        return -1;
    init(&fake_disk_ops);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vdisks_fini(&vdisks);
    poller_destroy(poller);
    fake_nbd_kill(&nbd);
    fake_nbd_fini(&nbd);
    alarm(0);
    return 0;
}

static int add(struct image *image, struct vdisks_item **out)
{
    const struct vdisks_wish wish = {.cache_bytes = 10 * BLOCK_SECTOR_BYTES,
                                     .reconnect_ms = PATIENCE_MS};
    return vdisks_add(&vdisks, image, &wish, out, &why);
}

static struct vdisks_item *add_export(void)
{
    struct vdisks_item *item;
    struct image image;
    assert_int_equal(image_open(nbd.uri, false, &image, &why), 0);
    assert_int_equal(add(&image, &item), 0);
    return item;
}

static struct vdisks_item *add_file(void)
{
    struct vdisks_item *item;
    struct image image = {.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                          .path = strdup("/some/image"),
                          .size_bytes = 64 * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    assert_int_equal(add(&image, &item), 0);
    return item;
}

static struct disk_nbd_report report_of(const struct vdisks_item *item)
{
    struct disk_nbd_report report;
    assert_true(vdisks_nbd_report(item, &report));
    return report;
}

static void run_until(const struct vdisks_item *item, enum disk_nbd_state state)
{
    while (report_of(item).state != state)
        assert_true(poller_run(poller, true) >= 0);
}

static void assert_printed(const char *expected)
{
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    vdisks_report_print(&vdisks, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void it_is_alone_on_its_device(void **state)
{
    (void)state;
    struct disk_nbd_report report;
    struct image same;
    struct vdisks_item *file = add_file(), *export = add_export();
    assert_ptr_not_equal(file->vdisk->device, export->vdisk->device);
    assert_false(vdisks_nbd_report(file, &report));
    report = report_of(export);
    assert_int_equal(report.state, DISK_NBD_CONNECTED);
    assert_int_equal(report.reconnect_ms, PATIENCE_MS);
    assert_int_equal(image_open(nbd.uri, false, &same, &why), 0);
    assert_ptr_equal(vdisks_find(&vdisks, &same), export);
    same.path[strlen(same.path) - 1]++; /* another export */
    assert_null(vdisks_find(&vdisks, &same));
    image_close(&same);
}

static void an_engine_that_plays_a_disk_does_not_take_it(void **state)
{
    (void)state;
    struct vdisks_item *item;
    struct image image;
    init(&disk_null_ops);
    assert_int_equal(image_open(nbd.uri, false, &image, &why), 0);
    assert_int_equal(add(&image, &item), -EINVAL);
    assert_non_null(strstr(why.text, "the null engine serves files alone"));
    assert_true(list_is_empty(&vdisks.devices));
    image_close(&image);
}

static void what_was_read_before_its_server_was_away_is_forgotten(void **state)
{
    (void)state;
    const uint8_t data[BLOCK_SECTOR_BYTES] = {0};
    char expected[256];
    struct vdisks_item *file = add_file(), *export = add_export();
    cache_insert(file->vdisk->cache, CACHED, data);
    cache_insert(export->vdisk->cache, CACHED, data);
    fake_nbd_kill(&nbd);
    run_until(export, DISK_NBD_AWAY);
    assert_non_null(cache_peek(export->vdisk->cache, CACHED));
    fake_nbd_start(&nbd);
    run_until(export, DISK_NBD_CONNECTED);
    assert_null(cache_peek(export->vdisk->cache, CACHED));
    assert_non_null(cache_peek(file->vdisk->cache, CACHED));
    vdisks_fini(&vdisks);
    export = add_export();
    assert_printed("");
    fake_nbd_kill(&nbd);
    run_until(export, DISK_NBD_AWAY);
    snprintf(expected, sizeof(expected),
             "%s: server away, connected to again 0 times, 0 requests wait\n", nbd.uri);
    assert_printed(expected);
    fake_nbd_start(&nbd);
    run_until(export, DISK_NBD_CONNECTED);
    snprintf(expected, sizeof(expected),
             "%s: server connected, connected to again 1 times, 0 requests wait\n", nbd.uri);
    assert_printed(expected);
}

static void who_gives_up_finds_it_gone(void **state)
{
    (void)state;
    struct image same;
    struct vdisks_item *export = add_export();
    (void)add_file();
    assert_int_equal(image_open(nbd.uri, false, &same, &why), 0);
    fake_nbd_kill(&nbd);
    run_until(export, DISK_NBD_AWAY);
    assert_ptr_equal(vdisks_find(&vdisks, &same), export);
    vdisks_give_up(&vdisks);
    assert_int_equal(report_of(export).state, DISK_NBD_GONE);
    assert_null(vdisks_find(&vdisks, &same)); /* one could be attached anew */
    image_close(&same);
}

#endif

int main(void)
{
#ifdef HAVE_LIBNBD
#define EXPORT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        EXPORT_TEST(it_is_alone_on_its_device),
        EXPORT_TEST(an_engine_that_plays_a_disk_does_not_take_it),
        EXPORT_TEST(what_was_read_before_its_server_was_away_is_forgotten),
        EXPORT_TEST(who_gives_up_finds_it_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 77; /* skipped: built without libnbd */
#endif
}
