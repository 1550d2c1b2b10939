/* SPDX-License-Identifier: MIT */
/* image: a file that has another size, or is another one. */
#include "unit/service/block/engine/image_fixture.h"

static void refresh_follows_a_resize(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(truncate(f->path, 8192), 0);
    assert_int_equal(f->image.size_bytes, 4096);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    assert_int_equal(f->image.size_bytes, 8192);
    assert_int_equal(truncate(f->path, 512), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    assert_int_equal(f->image.size_bytes, 512);
}

/* Refused with this error and these words about this file; the image is as it was. */
static void assert_not_refreshed(struct fixture *f, int rc, const char *words)
{
    assert_int_equal(image_refresh(&f->image, &f->why), rc);
    assert_non_null(strstr(f->why.text, f->path));
    assert_non_null(strstr(f->why.text, words));
    assert_int_equal(f->image.size_bytes, 4096);
    assert_true(f->image.fd >= 0);
}

static void refresh_refuses_bad_sizes_and_keeps_the_old(void **state)
{
    struct fixture *f = *state;

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(truncate(f->path, 4097), 0);
    assert_not_refreshed(f, -EINVAL, "4097 bytes");
    assert_int_equal(truncate(f->path, 0), 0);
    assert_not_refreshed(f, -EINVAL, "empty");
}

static void refresh_notices_that_the_file_is_another_one(void **state)
{
    struct fixture *f = *state;
    char other[112];

    skip_without_direct_io(f);
    make_file(f->path, 4096);
    assert_int_equal(open_it(f), 0);
    snprintf(other, sizeof(other), "%s.new", f->path);
    make_file(other, 8192);
    assert_int_equal(rename(other, f->path), 0);
    assert_not_refreshed(f, -ESTALE, "another file");
    assert_int_equal(unlink(f->path), 0);
    assert_not_refreshed(f, -ENOENT, "not there any more");
}

static void refresh_follows_a_link_as_open_does(void **state)
{
    struct fixture *f = *state;
    char first[112], second[112];

    skip_without_direct_io(f);
    snprintf(first, sizeof(first), "%s.1", f->path);
    snprintf(second, sizeof(second), "%s.2", f->path);
    make_file(first, 4096);
    make_file(second, 8192);
    unlink(f->path);
    assert_int_equal(symlink("disk.img.1", f->path), 0);
    assert_int_equal(open_it(f), 0);
    assert_int_equal(image_refresh(&f->image, &f->why), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("disk.img.2", f->path), 0);
    assert_not_refreshed(f, -ESTALE, "another file");
    unlink(first);
    unlink(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(refresh_follows_a_resize),
        WITH_FILES(refresh_refuses_bad_sizes_and_keeps_the_old),
        WITH_FILES(refresh_notices_that_the_file_is_another_one),
        WITH_FILES(refresh_follows_a_link_as_open_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
