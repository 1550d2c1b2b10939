/* SPDX-License-Identifier: MIT */
/* vdisks: each image once, disks that share a device, and who may have an image beside whom. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "base/json.h"
#include "service/block/queue.h"
#include "service/dom0/disks/vdisks_report.h"
#include "vdisks_fixture.h"

enum { XVDA = 51712, XVDB = 51728, IMAGE_BYTES = 64 * 512 };

/* An image that nobody looks at: the engine is a fake. */
static struct image image_of(dev_t device, ino_t inode, bool writable)
{
    return (struct image){.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                          .path = strdup("/some/image"),
                          .device = device,
                          .inode = inode,
                          .writable = writable,
                          .size_bytes = IMAGE_BYTES,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
}

static struct vdisks_item *add_image(struct image image)
{
    struct vdisks_item *item;
    assert_int_equal(vdisks_add(&vdisks, &image, &(struct vdisks_wish){0}, &item, &why), 0);
    assert_int_equal(image.fd, -1); /* taken */
    return item;
}

static struct vdisks_item *add(dev_t device, ino_t inode, bool writable)
{
    return add_image(image_of(device, inode, writable));
}

static void an_image_is_known_by_what_it_is(void **state)
{
    (void)state;
    struct vdisks_item *a = add(1, 10, false);
    struct vdisks_item *b = add(1, 11, false);
    struct image same = image_of(1, 11, false), other = image_of(2, 11, false);
    assert_ptr_equal(vdisks_find(&vdisks, &same), b);
    assert_null(vdisks_find(&vdisks, &other));
    same.is_device = true; /* numbers of block devices are others */
    assert_null(vdisks_find(&vdisks, &same));
    assert_ptr_equal(vdisks_first(&vdisks), a);
    assert_ptr_equal(vdisks_next(&vdisks, a), b);
    assert_null(vdisks_next(&vdisks, b));
    image_close(&same);
    image_close(&other);
}

static void images_of_one_disk_share_its_device(void **state)
{
    (void)state;
    struct vdisks_item *a = add(1, 10, false);
    struct vdisks_item *b = add(1, 11, false);
    struct vdisks_item *elsewhere = add(2, 10, false);
    struct image block = image_of(1, 0, false), coarse = image_of(1, 12, false);
    block.is_device = true;
    coarse.block_size_bytes = 65536;
    struct vdisks_item *device = add_image(block), *large = add_image(coarse);
    assert_ptr_equal(a->vdisk->device, b->vdisk->device);
    assert_ptr_not_equal(a->vdisk->device, elsewhere->vdisk->device);
    assert_ptr_not_equal(a->vdisk->device, device->vdisk->device);
    assert_ptr_not_equal(a->vdisk->device, large->vdisk->device);
}

static int use(struct vdisks_item *item, domid_t domid, enum disk_access access,
               struct vdisks_use **out)
{
    return vdisks_use(item, domid, XVDB, access, out, &why);
}

static void only_readers_share_an_image_among_domains(void **state)
{
    (void)state;
    static const struct {
        enum disk_access first, second;
        int rc, within; /* in another domain, in the same */
    } rows[] = {
        {ACCESS_READ, ACCESS_READ, 0, 0},
        {ACCESS_READ, ACCESS_WRITE, -EBUSY, 0},
        {ACCESS_WRITE, ACCESS_READ, -EBUSY, 0},
        {ACCESS_WRITE, ACCESS_WRITE, -EBUSY, 0},
        {ACCESS_READ, ACCESS_WRITE_SHARED, 0, 0},
        {ACCESS_WRITE, ACCESS_WRITE_SHARED, 0, 0},
        {ACCESS_WRITE_SHARED, ACCESS_READ, 0, 0},
        {ACCESS_WRITE_SHARED, ACCESS_WRITE, -EBUSY, 0},
        {ACCESS_WRITE_SHARED, ACCESS_WRITE_SHARED, 0, 0},
    };
    struct vdisks_item *item = add(1, 10, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vdisks_use *one, *two;
        assert_int_equal(use(item, 1, rows[i].first, &one), 0);
        int rc = use(item, 2, rows[i].second, &two);
        if (rc != rows[i].rc)
            fail_msg("%s beside %s: %d", disk_access_name(rows[i].second),
                     disk_access_name(rows[i].first), rc);
        if (rc == 0)
            vdisks_leave(&vdisks, two);
        assert_int_equal(use(item, 1, rows[i].second, &two), rows[i].within);
        vdisks_leave(&vdisks, two);
        vdisks_leave(&vdisks, one);
    }
}

static void a_refusal_has_the_words_of_xl(void **state)
{
    (void)state;
    struct image block = image_of(7, 0, true);
    block.is_device = true;
    struct vdisks_item *file = add(1, 10, true), *device = add_image(block);
    struct vdisks_use *uses[2], *none;
    assert_int_equal(use(device, 3, ACCESS_READ, &uses[0]), 0);
    assert_int_equal(use(device, 4, ACCESS_WRITE, &none), -EBUSY);
    assert_string_equal(why.text, "Device /some/image is mounted in a guest domain, and so cannot "
                                  "be mounted now (domain 3; access w! forces it)");
    assert_int_equal(use(file, 3, ACCESS_WRITE, &uses[1]), 0);
    assert_int_equal(use(file, 4, ACCESS_READ, &none), -EBUSY);
    assert_string_equal(why.text,
                        "File /some/image is mounted read-write in a guest domain, and so cannot "
                        "be mounted read-only now (domain 3; access w! forces it)");
    vdisks_leave(&vdisks, uses[0]);
    vdisks_leave(&vdisks, uses[1]);
}

static void an_image_that_nobody_uses_is_closed_unless_it_is_kept(void **state)
{
    (void)state;
    struct vdisks_item *kept = add(1, 10, false), *other = add(2, 11, false);
    struct vdisks_use *one, *two;
    kept->is_kept = true;
    assert_int_equal(use(other, 1, ACCESS_READ, &one), 0);
    assert_int_equal(use(other, 2, ACCESS_READ, &two), 0);
    vdisks_leave(&vdisks, one);
    vdisks_sweep(&vdisks);
    assert_ptr_equal(vdisks_next(&vdisks, kept), other);
    vdisks_leave(&vdisks, two);
    vdisks_sweep(&vdisks);
    assert_null(vdisks_next(&vdisks, kept));
    assert_ptr_equal(vdisks_first(&vdisks), kept);
    assert_false(vdisks.any_unused);
}

static void done(struct block_request *request, int status)
{
    (void)request;
    (void)status;
}

/* One read at the device, whose client leaves. */
static void leave_a_read_behind(struct vdisks_item *item)
{
    static uint8_t page[4096];
    static const struct block_segment segment = {page, 1};
    static struct block_request request;
    struct block_client client;
    request = (struct block_request){.done = done,
                                     .sector = 3,
                                     .sector_count = 1,
                                     .segment_count = 1,
                                     .segments = &segment,
                                     .operation = BLOCK_READ};
    block_client_open(&client, item->vdisk);
    block_submit(&client, &request, 1);
    (void)vdisks_dispatch(&vdisks, 1);
    assert_int_equal(vdisks_in_flight(&vdisks), 1);
    assert_true(block_cancel(&request));
    block_client_close(&client);
}

static void an_image_stays_open_while_something_of_it_is_at_the_device(void **state)
{
    (void)state;
    struct vdisks_item *item = add(1, 10, false);
    struct vdisks_use *only;
    assert_int_equal(use(item, 1, ACCESS_READ, &only), 0);
    leave_a_read_behind(item);
    vdisks_leave(&vdisks, only);
    vdisks_sweep(&vdisks);
    assert_ptr_equal(vdisks_first(&vdisks), item);
    fake_disk_complete_all(container_of(device_engine(item->vdisk->device), struct fake_disk, base),
                           0);
    vdisks_sweep(&vdisks);
    assert_null(vdisks_first(&vdisks));
    /* What was done is still known. */
    assert_int_equal(vdisks_totals(&vdisks).device.reads, 1);
    assert_int_equal(vdisks_totals(&vdisks).vdisk.misses, 1);
}

static void ask(struct block_client *client, enum block_operation operation)
{
    static uint8_t page[4096];
    static const struct block_segment segment = {page, 1};
    struct block_request request = {.done = done, .operation = operation};
    if (operation != BLOCK_FLUSH) {
        request.sector = 3;
        request.sector_count = 1;
        request.segment_count = 1;
        request.segments = &segment;
    }
    block_submit(client, &request, 1);
    (void)vdisks_dispatch(&vdisks, 1);
    fake_disk_complete_all(
        container_of(device_engine(client->vdisk->device), struct fake_disk, base), 0);
    assert_false(block_request_is_active(&request));
}

static void what_was_done_is_counted_by_its_kind(void **state)
{
    (void)state;
    struct image image = image_of(1, 10, true);
    struct block_client client;
    struct vdisks_item *item;
    assert_true(vdisks_report_hits(&vdisks).percent == 0.0); /* of nothing */
    assert_int_equal(
        vdisks_add(&vdisks, &image, &(struct vdisks_wish){.cache_bytes = 64 * 512}, &item, &why),
        0);
    block_client_open(&client, item->vdisk);
    ask(&client, BLOCK_READ);
    for (int i = 0; i < 3; i++)
        ask(&client, BLOCK_READ); /* of the cache */
    ask(&client, BLOCK_WRITE);
    ask(&client, BLOCK_WRITE);
    ask(&client, BLOCK_FLUSH);
    block_client_close(&client);
    struct vdisks_hits hits = vdisks_report_hits(&vdisks);
    assert_int_equal(hits.on_ring, 3);
    assert_int_equal(hits.requests, 4);
    assert_true(hits.percent == 75.0);
    for (int departed = 0; departed < 2; departed++) { /* and is known when the image has gone */
        struct vdisks_totals totals = vdisks_totals(&vdisks);
        assert_int_equal(totals.vdisk.hits, 3);
        assert_int_equal(totals.vdisk.misses, 1);
        assert_int_equal(totals.vdisk.writes, 2);
        assert_int_equal(totals.vdisk.flushes, 1);
        assert_int_equal(totals.device.reads, 1);
        assert_int_equal(totals.device.writes, 2);
        assert_int_equal(totals.device.flushes, 1);
        assert_int_equal(totals.device.bytes_written, 1024);
        assert_int_equal(totals.device.in_flight_peak, 1);
        vdisks_sweep(&vdisks);
    }
    assert_null(vdisks_first(&vdisks));
}

static uint64_t claim_one(struct cache_source *source, struct cache *cache)
{
    (void)source;
    (void)cache;
    return 1;
}

/* What domains found by themselves are hits of the cache as well. */
static void the_ratio_has_the_hits_of_domains(void **state)
{
    (void)state;
    struct cache_source source = {.take = claim_one};
    struct vdisk *vdisk = add_image(image_of(1, 1, false))->vdisk;
    assert_true(vdisks_report_hit_ratio(vdisk) == 0.0);
    vdisk->stats.hits = 2;
    vdisk->stats.misses = 10;
    cache_claims_add(&vdisk->claims, &source);
    assert_true(vdisks_report_hit_ratio(vdisk) == 0.5);
    cache_claims_remove(&vdisk->claims, vdisk->cache, &source);
}

static void a_disk_is_found_by_its_number(void **state)
{
    (void)state;
    struct vdisks_item *item = add(1, 10, false);
    struct vdisks_use *only;
    assert_int_equal(use(item, 1, ACCESS_READ, &only), 0);
    assert_true(vdisks_is_used_as(item, XVDB));
    assert_false(vdisks_is_used_as(item, XVDA));
    vdisks_leave(&vdisks, only);
    assert_false(vdisks_is_used_as(item, XVDB));
}

static char *text;
static size_t text_bytes;

static FILE *begin_text(void)
{
    FILE *out = open_memstream(&text, &text_bytes);
    assert_non_null(out);
    return out;
}

static void expect_text(FILE *out, const char *wanted)
{
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

/* For people a table where there is a choice of images; as JSON each of them. */
static void images_are_told_to_people_and_as_json(void **state)
{
    (void)state;
    struct json json;
    struct vdisks_item *item = add(1, 10, false);
    FILE *out = begin_text();
    vdisks_report_print(&vdisks, out);
    expect_text(out, "");
    (void)add(1, 11, true);
    item->vdisk->stats.hits = 3;
    item->vdisk->stats.misses = 1;
    out = begin_text();
    vdisks_report_print(&vdisks, out);
    expect_text(out, "   sectors  open  disks   hits  image\n"
                     "        64     r      0  75.0%  /some/image\n"
                     "        64     w      0   0.0%  /some/image\n");
    out = begin_text();
    json_start(&json, out, JSON_COMPACT);
    json_object(&json, NULL);
    vdisks_report_write(&vdisks, &json);
    json_end(&json);
    expect_text(out, "{\"images\":[{\"path\":\"/some/image\",\"sectors\":64,\"block_size\":512,"
                     "\"writable\":false,\"of_every_domain\":false,\"vbds\":0,"
                     "\"cache_capacity_sectors\":0,\"cache_used_sectors\":0,\"hits\":3,"
                     "\"reported_hits\":0,\"misses\":1,\"hit_ratio\":0.750000},"
                     "{\"path\":\"/some/image\",\"sectors\":64,\"block_size\":512,"
                     "\"writable\":true,\"of_every_domain\":false,\"vbds\":0,"
                     "\"cache_capacity_sectors\":0,\"cache_used_sectors\":0,\"hits\":0,"
                     "\"reported_hits\":0,\"misses\":0,\"hit_ratio\":0.000000}]}");
    const struct vdisks_hits hits = vdisks_report_hits(&vdisks);
    assert_int_equal(hits.on_ring, 3);
    assert_int_equal(hits.all, 3);
    assert_int_equal(hits.requests, 4);
    assert_true(hits.percent > 74.99 && hits.percent < 75.01);
}

static void an_image_whose_cache_cannot_be_leaves_no_device(void **state)
{
    (void)state;
    struct vdisks_item *item;
    struct image image = image_of(1, 10, false);
    const struct vdisks_wish wish = {.cache_bytes = SIZE_MAX / 2};
    assert_true(vdisks_add(&vdisks, &image, &wish, &item, &why) < 0);
    assert_true(why.text[0] != '\0');
    assert_true(list_is_empty(&vdisks.devices));
    assert_null(vdisks_first(&vdisks));
    image_close(&image);
}

int main(void)
{
#define VDISKS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        VDISKS_TEST(an_image_is_known_by_what_it_is),
        VDISKS_TEST(images_of_one_disk_share_its_device),
        VDISKS_TEST(only_readers_share_an_image_among_domains),
        VDISKS_TEST(a_refusal_has_the_words_of_xl),
        VDISKS_TEST(an_image_that_nobody_uses_is_closed_unless_it_is_kept),
        VDISKS_TEST(an_image_stays_open_while_something_of_it_is_at_the_device),
        VDISKS_TEST(what_was_done_is_counted_by_its_kind),
        VDISKS_TEST(the_ratio_has_the_hits_of_domains),
        VDISKS_TEST(a_disk_is_found_by_its_number),
        VDISKS_TEST(images_are_told_to_people_and_as_json),
        VDISKS_TEST(an_image_whose_cache_cannot_be_leaves_no_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
