/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xenstore/xs_path.h"

static char out[XS_PATH_SIZE];
static size_t skip;

static int absolute(const char *path)
{
    return xs_path_absolute(7, path, 2048, out, &skip);
}

static void test_relative_paths_start_at_home(void **state)
{
    (void)state;
    assert_int_equal(absolute("device/vbd"), 0);
    assert_string_equal(out, "/local/domain/7/device/vbd");
    assert_int_equal(skip, strlen("/local/domain/7/"));
    assert_int_equal(absolute("/tool"), 0);
    assert_string_equal(out, "/tool");
    assert_int_equal(skip, 0);
    assert_int_equal(absolute("/"), 0);
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "//",    "/a//b", "/a/",  "a/",   "/a b",
                                      "/a.", "/\xff", "/a:",   "@foo", "/a/b/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(absolute(bad[i]), -EINVAL);
    assert_int_equal(absolute("/aZ09-_@/x"), 0);
    assert_int_equal(absolute("/@foo"), 0);
}

static void test_lengths(void **state)
{
    (void)state;
    char path[4096];
    memset(path, 'a', sizeof(path));
    path[2048] = '\0';
    assert_int_equal(absolute(path), 0); /* relative: what is put in front does not count */
    path[2048] = 'a';
    path[2049] = '\0';
    assert_int_equal(absolute(path), -EINVAL);
    path[0] = '/';
    assert_int_equal(absolute(path), -EINVAL);
    assert_int_equal(xs_path_absolute(0, path, 3072, out, &skip), 0);
    path[2049] = 'a';
    path[3072] = '\0';
    assert_int_equal(xs_path_absolute(0, path, 3072, out, &skip), 0);
    path[3072] = 'a';
    path[3073] = '\0';
    assert_int_equal(xs_path_absolute(0, path, 3072, out, &skip), -EINVAL);
}

static void test_containment(void **state)
{
    (void)state;
    assert_true(xs_path_is_within("/a/b", "/a"));
    assert_true(xs_path_is_within("/a", "/a"));
    assert_true(xs_path_is_within("/a", "/"));
    assert_false(xs_path_is_within("/ab", "/a"));
    assert_false(xs_path_is_within("/a", "/a/b"));
    assert_int_equal(xs_path_levels_below("/a/b/c", "/a"), 2);
    assert_int_equal(xs_path_levels_below("/a/b/c", "/"), 3);
    assert_int_equal(xs_path_levels_below("/", "/"), 0);
    assert_int_equal(xs_path_parent_len("/a/b"), 2);
    assert_int_equal(xs_path_parent_len("/a"), 1);
}

static void test_ancestors(void **state)
{
    (void)state;
    assert_int_equal(xs_path_ancestor_len("/a/bc/d", 0), 7);
    assert_int_equal(xs_path_ancestor_len("/a/bc/d", 1), 5);
    assert_int_equal(xs_path_ancestor_len("/a/bc/d", 2), 2);
    assert_int_equal(xs_path_ancestor_len("/a/bc/d", 3), 1);
    assert_int_equal(xs_path_ancestor_len("/", 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ancestors),
        cmocka_unit_test(test_relative_paths_start_at_home),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_containment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
