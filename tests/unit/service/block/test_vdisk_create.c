/* SPDX-License-Identifier: MIT */
/* vdisk: what a disk begins with, and what there is of one that lacks something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "faults/fault_walk.h"
#include "service/block/device_private.h"
#include "service/block/queue.h"
#include "service/block/vdisk.h"

enum { SECTORS = 64 };

static struct device *device;

static int setup(void **state)
{
    const struct device_config config = {
        .engine = &fake_disk_ops, .align_bytes = 4096, .depth = 4, .depth_isolated = 4};
    struct why why;
    (void)state;
    return device_create(&config, &device, &why);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(device->vdisk_count, 0);
    device_destroy(device);
    return 0;
}

static int create(struct vdisk **out, struct why *why)
{
    const struct vdisk_config config = {.device = device,
                                        .cache_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                                        .policy = cache_policy_find("lru")};
    struct image image = {.fd = -1,
                          .size_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    return vdisk_create(&config, &image, out, why);
}

static int create_and_destroy(void *unused)
{
    struct vdisk *vdisk;
    struct why why;
    (void)unused;
    int rc = create(&vdisk, &why);
    assert_true((rc < 0) == (vdisk == NULL));
    if (rc < 0)
        assert_non_null(strstr(why.text, "--cache-bytes"));
    vdisk_destroy(vdisk);
    return rc;
}

static void without_memory_there_is_no_disk(void **state)
{
    (void)state;
    assert_true(fault_walk(create_and_destroy, NULL) >= 5);
    assert_int_equal(device->vdisk_count, 0);
}

/* The image that the engine has been told of. */
static struct image *attached;

static void attach(struct disk *disk, struct image *image)
{
    assert_ptr_equal(disk, device->engine);
    assert_null(attached);
    attached = image;
}

static void detach(struct disk *disk, struct image *image)
{
    assert_ptr_equal(disk, device->engine);
    assert_ptr_equal(attached, image);
    attached = NULL;
}

static void the_engine_knows_the_images_of_its_disks(void **state)
{
    struct disk_ops ops = *device->engine->ops;
    const struct disk_ops *before = device->engine->ops;
    struct vdisk *vdisk;
    struct why why;
    (void)state;
    ops.attach = attach;
    ops.detach = detach;
    device->engine->ops = &ops;
    assert_int_equal(create(&vdisk, &why), 0);
    assert_ptr_equal(attached, &vdisk->image);
    vdisk_destroy(vdisk);
    assert_null(attached);
    device->engine->ops = before;
}

static void on_done(struct block_request *request, int status)
{
    (void)request;
    assert_int_equal(status, 0);
}

/* A key that can be guessed only makes buckets less even. */
static void without_entropy_a_disk_works_all_the_same(void **state)
{
    uint8_t data[BLOCK_SECTOR_BYTES];
    struct block_segment segment = {.address = data, .sector_count = 1};
    struct block_request request = {
        .done = on_done, .sector_count = 1, .segments = &segment, .segment_count = 1};
    struct block_client client;
    struct vdisk *vdisk;
    struct why why;
    (void)state;
    fault_arm_call("getrandom", 0, EAGAIN);
    assert_int_equal(create(&vdisk, &why), 0);
    fault_disarm();
    block_client_open(&client, vdisk);
    block_submit(&client, &request, 0);
    assert_int_equal(device_dispatch(device, 0), 1);
    fake_disk_complete_all(fake_disk_current(), 0);
    assert_false(block_request_is_active(&request));
    block_client_close(&client);
    vdisk_destroy(vdisk);
}

#define VDISK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VDISK_TEST(without_memory_there_is_no_disk),
        VDISK_TEST(the_engine_knows_the_images_of_its_disks),
        VDISK_TEST(without_entropy_a_disk_works_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
