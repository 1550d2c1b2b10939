/* SPDX-License-Identifier: MIT */
/* vdisk_reopen: a disk that was only read becomes one that can be written, whatever is under way.
 */
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
#include "service/block/queue.h"

enum { SECTORS = 64, NOT_DONE = 4711 };

static int status;

static void done(struct block_request *request, int result)
{
    (void)request;
    status = result;
}

/* Of the same file always. */
static struct image image_of(int flags)
{
    return (struct image){.fd = open("/dev/null", flags | O_CLOEXEC),
                          .path = strdup("image"),
                          .device = 1,
                          .inode = 2,
                          .writable = flags == O_RDWR,
                          .size_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
}

static void it_goes_on_under_what_is_under_way(void **state)
{
    (void)state;
    const struct device_config device_config = {
        .engine = &fake_disk_ops, .align_bytes = 4096, .depth = 4, .depth_isolated = 4};
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client;
    struct why why;
    uint8_t data[BLOCK_SECTOR_BYTES];
    const struct block_segment segment = {data, 1};
    struct block_request request = {.done = done,
                                    .sector = 9,
                                    .sector_count = 1,
                                    .segment_count = 1,
                                    .segments = &segment,
                                    .operation = BLOCK_READ};
    assert_int_equal(device_create(&device_config, &device, &why), 0);
    const struct vdisk_config config = {.device = device, .policy = cache_policy_find("lru")};
    struct image image = image_of(O_RDONLY), other = image_of(O_RDWR);
    assert_int_equal(vdisk_create(&config, &image, &vdisk, &why), 0);
    assert_false(vdisk->capabilities.writable);
    assert_true(vdisk_is_idle(vdisk));
    block_client_open(&client, vdisk);
    assert_false(vdisk_is_idle(vdisk));
    status = NOT_DONE;
    block_submit(&client, &request, 1);
    (void)device_dispatch(device, 1);

    const int fd = vdisk->image.fd;
    other.size_bytes *= 2;             /* it has grown, and nobody was told */
    fake_disk_current()->unkicked = 1; /* it may name the file by its place */
    assert_int_equal(vdisk_reopen(vdisk, &other, &why), 0);
    assert_int_equal(fake_disk_current()->unkicked, 0);
    assert_int_equal(other.fd, -1);
    assert_int_equal(vdisk->image.fd, fd);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    assert_true(vdisk->capabilities.writable);
    assert_int_equal(vdisk->capabilities.sector_count, SECTORS);

    assert_int_equal(status, NOT_DONE);
    fake_disk_complete_all(fake_disk_current(), 0);
    (void)device_dispatch(device, 2);
    assert_int_equal(status, 0);
    assert_true(fake_disk_holds(data, 9, 1));
    block_client_close(&client);
    assert_true(vdisk_is_idle(vdisk));
    vdisk_destroy(vdisk);
    device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_goes_on_under_what_is_under_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
