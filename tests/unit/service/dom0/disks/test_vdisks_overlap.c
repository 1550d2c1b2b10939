/* SPDX-License-Identifier: MIT */
/* vdisks: images that have bytes in common are not written beside each other. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vdisks_fixture.h"
#include <cmocka.h>

enum { FILE_INODE = 10, LOOP_DEVICE = 1792, IMAGE_BYTES = 64 * 512 };

static struct image image_of(bool loop, bool writable)
{
    return (struct image){.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                          .path = strdup(loop ? "/dev/loop0" : "/some/image"),
                          .device = loop ? LOOP_DEVICE : 1,
                          .inode = loop ? 0 : FILE_INODE,
                          .backing = {.device = 1, .inode = FILE_INODE, .end_byte = UINT64_MAX},
                          .is_device = loop,
                          .writable = writable,
                          .size_bytes = IMAGE_BYTES,
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
}

static struct vdisks_item *add(struct image image)
{
    struct vdisks_item *item;
    assert_int_equal(vdisks_add(&vdisks, &image, &(struct vdisks_wish){0}, &item, &why), 0);
    return item;
}

static int can_add(bool loop, bool writable)
{
    struct image image = image_of(loop, writable);
    int rc = vdisks_can_add(&vdisks, &image, &why);
    image_close(&image);
    return rc;
}

static void two_names_of_what_is_only_read_go_together(void **state)
{
    (void)state;
    assert_int_equal(can_add(true, true), 0);
    add(image_of(false, false));
    assert_int_equal(can_add(true, false), 0);
    add(image_of(true, false));
    assert_int_equal(can_add(false, false), 0);
}

static void what_is_written_to_has_one_name(void **state)
{
    (void)state;
    add(image_of(false, true));
    assert_int_equal(can_add(true, false), -EBUSY);
    assert_non_null(strstr(why.text, "Device /dev/loop0 is mounted through /some/image"));
    assert_int_equal(can_add(true, true), -EBUSY);
    assert_int_equal(can_add(false, true), 0); /* the name that it has */
}

static void what_is_read_by_one_name_is_not_written_by_the_other(void **state)
{
    (void)state;
    add(image_of(false, false));
    add(image_of(true, false));
    assert_int_equal(can_add(true, true), -EBUSY);
    assert_int_equal(can_add(false, true), -EBUSY);
    assert_non_null(strstr(why.text, "File /some/image is mounted through /dev/loop0"));
}

static void an_unknown_place_is_nobodys(void **state)
{
    (void)state;
    struct image image = image_of(false, true);
    image.backing = (struct image_backing){0}; /* as that of an export */
    add(image);
    assert_int_equal(can_add(true, true), 0);
}

int main(void)
{
#define OVERLAP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        OVERLAP_TEST(two_names_of_what_is_only_read_go_together),
        OVERLAP_TEST(what_is_written_to_has_one_name),
        OVERLAP_TEST(what_is_read_by_one_name_is_not_written_by_the_other),
        OVERLAP_TEST(an_unknown_place_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
