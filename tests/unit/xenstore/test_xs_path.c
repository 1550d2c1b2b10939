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

static void test_each_character_of_a_name(void **state)
{
    (void)state;
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@";
    for (int c = 1; c < 256; c++) {
        const char path[] = {'/', 'x', (char)c, 'x', '\0'};
        bool is_good = strchr(good, c) != NULL || c == '/';
        assert_int_equal(absolute(path), is_good ? 0 : -EINVAL);
    }
}

/* What a domain's own directory is called does not count, as C xenstored reads it: %5u. */
static void test_the_length_begins_behind_a_domains_directory(void **state)
{
    (void)state;
    static const struct {
        const char *home;
        bool counts;
    } rows[] = {{"/local/domain/7/", false},     {"/local/domain/12345/", false},
                {"/local/domain/-1234/", false}, {"/local/domain/123456/", true},
                {"/local/domain/-12345/", true}, {"/local/domain/-/", true},
                {"/local/domain/7a/", true},     {"/local/domainx/7/", true},
                {"/local/domain/1-/", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[4096];
        size_t home = strlen(rows[i].home), most = rows[i].counts ? 2048 : home + 2048;
        memset(path, 'a', sizeof(path));
        memcpy(path, rows[i].home, home);
        path[most] = '\0';
        assert_int_equal(absolute(path), 0);
        path[most] = 'a';
        path[most + 1] = '\0';
        assert_int_equal(absolute(path), -EINVAL);
    }
}

static void test_no_path_is_longer_than_all_are_allowed_to_be(void **state)
{
    (void)state;
    char path[4096];
    memset(path, 'a', sizeof(path));
    size_t home = strlen("/local/domain/7/");
    path[3072 - home] = '\0';
    assert_int_equal(xs_path_absolute(7, path, 4000, out, &skip), 0);
    assert_int_equal(strlen(out), 3072);
    path[3072 - home] = 'a';
    path[3072 - home + 1] = '\0';
    assert_int_equal(xs_path_absolute(7, path, 4000, out, &skip), -EINVAL);
}

static void test_the_names_of_a_path_one_by_one(void **state)
{
    (void)state;
    const char *cursor = "/a/bc";
    size_t len;
    const char *name = xs_path_next(&cursor, &len);
    assert_true(len == 1 && name[0] == 'a');
    name = xs_path_next(&cursor, &len);
    assert_true(len == 2 && memcmp(name, "bc", 2) == 0);
    assert_null(xs_path_next(&cursor, &len));
    assert_true(xs_path_is_within("/", "/"));
    assert_false(xs_path_is_within("@releaseDomain", "/"));
    assert_int_equal(xs_path_levels_below("/a", "/a"), 0);
    assert_int_equal(xs_path_ancestor_len("/a", 5), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ancestors),
        cmocka_unit_test(test_relative_paths_start_at_home),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_containment),
        cmocka_unit_test(test_each_character_of_a_name),
        cmocka_unit_test(test_the_length_begins_behind_a_domains_directory),
        cmocka_unit_test(test_no_path_is_longer_than_all_are_allowed_to_be),
        cmocka_unit_test(test_the_names_of_a_path_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
