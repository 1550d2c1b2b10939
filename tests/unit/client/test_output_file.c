/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/output_file.h"
#include "faults/fault.h"

struct fixture {
    char directory[64];
    char path[96], other[96];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->directory, sizeof(f->directory), "/tmp/test_output_file.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/file", f->directory);
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

static void a_second_writer_is_refused_and_empties_nothing(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    int fd = output_file_open(f->path, false);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "record", 6), 6);
    assert_int_equal(output_file_open(f->path, false), -EBUSY);
    assert_int_equal(output_file_open(f->path, true), -EBUSY);
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_size, 6);
    close(fd);
}

static void what_an_earlier_writer_left_is_emptied(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    int fd = output_file_open(f->path, false);
    assert_int_equal(write(fd, "record", 6), 6);
    close(fd);
    fd = output_file_open(f->path, false);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 0);
    close(fd);
}

static void a_symbolic_link_is_followed_only_on_request(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(symlink("other", f->path), 0);
    assert_int_equal(output_file_open(f->path, false), -ELOOP);
    int fd = output_file_open(f->path, true);
    assert_true(fd >= 0);
    assert_int_equal(access(f->other, F_OK), 0);
    close(fd);
}

static void a_pipe_is_neither_locked_nor_emptied(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    int reader = open(f->path, O_RDONLY | O_NONBLOCK);
    int one = output_file_open(f->path, true), two = output_file_open(f->path, true);
    assert_true(one >= 0 && two >= 0);
    close(one);
    close(two);
    close(reader);
}

static void removal_spares_a_file_that_took_the_name(void **state)
{
    struct fixture *f = *state;
    int fd = output_file_open(f->path, false);
    assert_int_equal(rename(f->path, f->other), 0);
    int other = output_file_open(f->path, false);
    assert_true(other >= 0);
    output_file_remove(f->path, fd);
    assert_int_equal(access(f->path, F_OK), 0);
    output_file_remove(f->path, other);
    assert_int_equal(access(f->path, F_OK), -1);
    close(fd);
    close(other);
}

/* Network file systems may have no locks: a file there is written without. */
static void a_file_system_without_locks_is_no_obstacle(void **state)
{
    struct fixture *f = *state;
    static const int errors[] = {ENOLCK, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fault_arm_call("flock", 1, errors[i]);
        int fd = output_file_open(f->path, false);
        assert_string_equal(fault_disarm(), "flock");
        assert_true(fd >= 0);
        close(fd);
    }
}

static void a_lock_that_fails_is_told(void **state)
{
    struct fixture *f = *state;
    fault_arm_call("flock", 1, EIO);
    assert_int_equal(output_file_open(f->path, false), -EIO);
    fault_disarm();
}

/* Whoever held the lock before has removed the file: it is made again, with its name. */
static void a_file_that_was_removed_meanwhile_is_made_again(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    fault_arm_call("fstat", 2, EIO); /* the look at whether the name is the file's */
    int fd = output_file_open(f->path, false);
    assert_string_equal(fault_disarm(), "fstat");
    assert_true(fd >= 0);
    assert_int_equal(stat(f->path, &status), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_writer_is_refused_and_empties_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_an_earlier_writer_left_is_emptied, setup, teardown),
        cmocka_unit_test_setup_teardown(a_symbolic_link_is_followed_only_on_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pipe_is_neither_locked_nor_emptied, setup, teardown),
        cmocka_unit_test_setup_teardown(removal_spares_a_file_that_took_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_system_without_locks_is_no_obstacle, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lock_that_fails_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_was_removed_meanwhile_is_made_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
