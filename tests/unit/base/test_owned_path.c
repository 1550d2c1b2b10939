/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/owned_path.h"

struct fixture {
    char directory[64];
    char path[96], other[96];
};

static void make(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->directory, sizeof(f->directory), "/tmp/test_owned_path.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/name", f->directory);
    snprintf(f->other, sizeof(f->other), "%s/other", f->directory);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    unlink(f->other);
    rmdir(f->directory);
    free(f);
    return 0;
}

static void removes_what_it_made(void **state)
{
    struct fixture *f = *state;
    struct owned_path owned;
    make(f->path);
    assert_int_equal(owned_path_note(&owned, f->path), 0);
    assert_true(owned_path_is_there(&owned, f->path));
    owned_path_remove(&owned, f->path);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void spares_a_file_that_took_the_name(void **state)
{
    struct fixture *f = *state;
    struct owned_path owned;
    make(f->path);
    assert_int_equal(owned_path_note(&owned, f->path), 0);
    assert_int_equal(rename(f->path, f->other), 0); /* alive, so that its inode is not reused */
    make(f->path);
    assert_false(owned_path_is_there(&owned, f->path));
    owned_path_remove(&owned, f->path);
    assert_int_equal(access(f->path, F_OK), 0);
}

static void owns_nothing_before_and_afterwards(void **state)
{
    struct fixture *f = *state;
    struct owned_path owned = {0};
    assert_int_equal(owned_path_note(&owned, f->path), -ENOENT);
    make(f->path);
    owned_path_remove(&owned, f->path);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(owned_path_note(&owned, f->path), 0);
    owned_path_remove(&owned, f->path);
    make(f->path);
    owned_path_remove(&owned, f->path);
    assert_int_equal(access(f->path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(removes_what_it_made, setup, teardown),
        cmocka_unit_test_setup_teardown(spares_a_file_that_took_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(owns_nothing_before_and_afterwards, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
