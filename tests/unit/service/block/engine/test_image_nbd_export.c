/* SPDX-License-Identifier: MIT */
/* image_nbd: what an export must be to be a disk, and what it is then. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_nbd.h"
#include "service/block/engine/image.h"

enum { HANG_S = 60 };

static struct fake_nbd nbd;
static struct image image;
static struct why why;

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    fake_nbd_init(&nbd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_nbd_kill(&nbd);
    fake_nbd_fini(&nbd);
    alarm(0);
    return 0;
}

static void it_has_the_size_and_the_rights_that_its_server_says(void **state)
{
    (void)state;
    for (int read_only = 0; read_only < 2; read_only++) {
        nbd.size_bytes = read_only ? 512 : 65536 - 512;
        nbd.flags = read_only ? FAKE_NBD_READ_ONLY : FAKE_NBD_SEND_FLUSH;
        fake_nbd_start(&nbd);
        assert_int_equal(image_open(nbd.uri, false, &image, &why), 0);
        assert_int_equal(image.size_bytes, nbd.size_bytes);
        assert_int_equal(image.writable, !read_only);
        assert_int_equal(image.block_size_bytes, 512);
        assert_true(image.memory_align_bytes >= 1 && image.memory_align_bytes <= 512);
        assert_int_equal(image.fd, -1);
        assert_non_null(image.nbd);
        assert_string_equal(image.path, nbd.uri);
        image_close(&image);
        assert_null(image.nbd);
        fake_nbd_kill(&nbd);
    }
}

static void one_that_is_read_only_is_not_to_be_written(void **state)
{
    (void)state;
    nbd.flags = FAKE_NBD_READ_ONLY;
    fake_nbd_start(&nbd);
    assert_int_equal(image_open(nbd.uri, true, &image, &why), -EROFS);
    assert_non_null(strstr(why.text, "read only"));
    assert_true(image.fd == -1 && image.nbd == NULL);
}

static void one_of_an_odd_size_is_no_disk(void **state)
{
    static const uint64_t sizes[] = {0, 1, 511, 513, 65535};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        nbd.size_bytes = sizes[i];
        fake_nbd_start(&nbd);
        assert_int_equal(image_open(nbd.uri, false, &image, &why), -EINVAL);
        assert_non_null(strstr(why.text, "no multiple of 512"));
        assert_null(image.nbd);
        fake_nbd_kill(&nbd);
    }
}

int main(void)
{
#define EXPORT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        EXPORT_TEST(it_has_the_size_and_the_rights_that_its_server_says),
        EXPORT_TEST(one_that_is_read_only_is_not_to_be_written),
        EXPORT_TEST(one_of_an_odd_size_is_no_disk),
    };
#ifdef HAVE_LIBNBD
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    (void)tests;
    return 77; /* skipped: built without libnbd */
#endif
}
