/* SPDX-License-Identifier: MIT */
/* target_path: a disk's target, which one process names and another one opens. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/dom0/disks/target_path.h"

static void a_relative_one_is_of_the_directory(void **state)
{
    (void)state;
    char out[PATH_MAX];
    struct why why = {""};
    assert_int_equal(target_path("a/b", "/somewhere", out, &why), 0);
    assert_string_equal(out, "/somewhere/a/b");
    assert_int_equal(target_path("/a/b", "/somewhere", out, &why), 0);
    assert_string_equal(out, "/a/b");
    assert_int_equal(target_path("nbd://host/f", "/somewhere", out, &why), 0);
    assert_string_equal(out, "nbd://host/f");
}

static void an_open_file_is_the_callers(void **state)
{
    (void)state;
    static const char *const forms[] = {"/proc/self/fd/%d", "/dev/fd/%d",
                                        "/proc/thread-self/fd/%d"};
    char name[] = "build/target_path.XXXXXX", wanted[PATH_MAX], target[64], out[PATH_MAX];
    struct why why = {""};
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_non_null(realpath(name, wanted));
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        snprintf(target, sizeof(target), forms[i], fd);
        assert_int_equal(target_path(target, "/somewhere", out, &why), 0);
        assert_string_equal(out, wanted);
    }
    snprintf(target, sizeof(target), "self/fd/%d", fd);
    assert_int_equal(target_path(target, "/proc", out, &why), 0);
    assert_string_equal(out, wanted);
    unlink(name);
    close(fd);
}

/* Dom0 has a file of that number, and it would be attached instead. */
static void an_open_file_without_a_name_is_refused(void **state)
{
    (void)state;
    char name[] = "build/target_path.XXXXXX", target[64], out[PATH_MAX];
    struct why why = {""};
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
    unlink(name);
    assert_int_equal(target_path(target, "/somewhere", out, &why), -ENOENT);
    assert_non_null(strstr(why.text, target));
    close(fd);
    assert_int_equal(target_path(target, "/somewhere", out, &why), -ENOENT);
}

static void one_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char target[PATH_MAX], out[PATH_MAX];
    struct why why = {""};
    memset(target, 'a', sizeof(target));
    target[PATH_MAX - 4] = '\0';
    assert_int_equal(target_path(target, "/else", out, &why), -ENAMETOOLONG);
    target[PATH_MAX - 7] = '\0';
    assert_int_equal(target_path(target, "/else", out, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relative_one_is_of_the_directory),
        cmocka_unit_test(an_open_file_is_the_callers),
        cmocka_unit_test(an_open_file_without_a_name_is_refused),
        cmocka_unit_test(one_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
