/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/disk_options.h"

static struct exports_options options;
static struct why why;

static int setup(void **state)
{
    (void)state;
    options = (struct exports_options){0};
    return 0;
}

static int take(const char *first, const char *second, int *at)
{
    char *argv[] = {(char *)first, (char *)second};

    *at = 0;
    return disk_options_take(&options, second == NULL ? 1 : 2, argv, at, &why);
}

static void a_value_follows_or_stands_behind_an_equals_sign(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--disk", "xvdb", &at), 1);
    assert_int_equal(at, 2);
    assert_int_equal(take("--disk=xvda", "SOCKET", &at), 1);
    assert_int_equal(at, 1);
    assert_int_equal(options.disk_count, 2);
    assert_int_equal(options.disks[0].vdev, 51728);
    assert_int_equal(options.disks[1].vdev, 51712);
    assert_int_equal(take("--depth=7", NULL, &at), 1);
    assert_int_equal(options.depth, 7);
}

static void the_domains_options_are_among_them(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--name", "x", &at), 1);
    assert_string_equal(options.domain.name, "x");
    assert_int_equal(take("--name", NULL, &at), -EINVAL);
}

static void another_argument_is_left_alone(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--filter=cow", NULL, &at), 0);
    assert_int_equal(take("--disks=xvda", NULL, &at), 0);
    assert_int_equal(take("SOCKET", NULL, &at), 0);
    assert_int_equal(at, 0);
}

static void wrong_values_are_refused(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--disk", NULL, &at), -EINVAL);
    assert_int_equal(take("--disk", "floppy", &at), -EINVAL);
    assert_int_equal(take("--disk", "disk.img,raw,xvdb,w", &at), -EINVAL);
    assert_int_equal(options.disk_count, 0);
    assert_int_equal(take("--depth", "0", &at), -EINVAL);
    assert_int_equal(take("--depth", "513", &at), -EINVAL);
    for (int i = 0; i < EXPORTS_MAX; i++)
        assert_int_equal(take("--disk", "xvda", &at), 1);
    assert_int_equal(take("--disk", "xvda", &at), -EINVAL);
}

static void a_depth_is_from_1_to_512(void **state)
{
    int at;

    (void)state;
    assert_int_equal(take("--depth", "1", &at), 1);
    assert_int_equal(options.depth, 1);
    assert_int_equal(take("--depth", "512", &at), 1);
    assert_int_equal(options.depth, 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_value_follows_or_stands_behind_an_equals_sign, setup),
        cmocka_unit_test_setup(the_domains_options_are_among_them, setup),
        cmocka_unit_test_setup(another_argument_is_left_alone, setup),
        cmocka_unit_test_setup(wrong_values_are_refused, setup),
        cmocka_unit_test_setup(a_depth_is_from_1_to_512, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
