/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rundir.h"
#include "faults/fault.h"

struct fixture {
    char top[40];  /* an empty directory of this test */
    char base[64]; /* top/base, not made */
    char why[512];
    struct rundir rundir;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->top, sizeof(f->top), "/tmp/test_rundir.XXXXXX");
    if (mkdtemp(f->top) == NULL)
        return -1;
    snprintf(f->base, sizeof(f->base), "%s/base", f->top);
    unsetenv("SPLITDOM_RUNDIR");
    unsetenv("SPLITDOM_NAME");
    unsetenv("XDG_RUNTIME_DIR");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", f->top);
    free(f);
    return system(command);
}

static int resolve(struct fixture *f, const char *rundir, const char *name, bool create)
{
    f->why[0] = '\0';
    return rundir_resolve(rundir, name, create, &f->rundir, f->why, sizeof(f->why));
}

static void assert_mode(const char *path, mode_t mode)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 07777, mode);
}

static void makes_both_directories_private(void **state)
{
    struct fixture *f = *state;
    char expected[128];

    const mode_t old = umask(0);
    assert_int_equal(resolve(f, f->base, "a-B_1.x", true), 0);
    umask(old);
    assert_mode(f->rundir.base, 0700);
    assert_mode(f->rundir.dir, 0700);
    assert_string_equal(f->rundir.base, f->base);
    assert_string_equal(f->rundir.name, "a-B_1.x");
    snprintf(expected, sizeof(expected), "%s/a-B_1.x/dom0.sock", f->base);
    assert_string_equal(f->rundir.control_socket, expected);
    snprintf(expected, sizeof(expected), "%s/a-B_1.x/xenstore.sock", f->base);
    assert_string_equal(f->rundir.store_socket, expected);
    snprintf(expected, sizeof(expected), "%s/a-B_1.x/lock", f->base);
    assert_string_equal(f->rundir.lock, expected);
    snprintf(expected, sizeof(expected), "%s/a-B_1.x/dom0.log", f->base);
    assert_string_equal(f->rundir.log, expected);
    assert_int_equal(resolve(f, f->base, "a-B_1.x", true), 0); /* and takes what is there */
    assert_int_equal(resolve(f, f->base, "a-B_1.x", false), 0);
}

static void looking_makes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(resolve(f, f->base, NULL, false), -ENOENT);
    assert_int_equal(access(f->base, F_OK), -1);
    assert_non_null(strstr(f->why, f->base));
    assert_non_null(strstr(f->rundir.store_socket, "/base/default/xenstore.sock"));
}

static void the_argument_beats_the_environment(void **state)
{
    struct fixture *f = *state;

    setenv("SPLITDOM_RUNDIR", "/nowhere", 1);
    setenv("SPLITDOM_NAME", "other", 1);
    assert_int_equal(resolve(f, f->base, "mine", true), 0);
    assert_string_equal(f->rundir.base, f->base);
    assert_string_equal(f->rundir.name, "mine");
    setenv("SPLITDOM_RUNDIR", f->base, 1);
    assert_int_equal(resolve(f, NULL, NULL, true), 0);
    assert_string_equal(f->rundir.base, f->base);
    assert_string_equal(f->rundir.name, "other");
}

static void the_defaults_follow_xdg_where_it_exists(void **state)
{
    struct fixture *f = *state;
    char expected[128];

    setenv("XDG_RUNTIME_DIR", f->top, 1);
    assert_int_equal(resolve(f, NULL, NULL, true), 0);
    snprintf(expected, sizeof(expected), "%s/splitdom/default", f->top);
    assert_string_equal(f->rundir.dir, expected);
    snprintf(expected, sizeof(expected), "/tmp/splitdom-%lu", (unsigned long)geteuid());
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    resolve(f, NULL, NULL, false);
    assert_string_equal(f->rundir.base, expected);
    setenv("XDG_RUNTIME_DIR", "/dev/null", 1); /* no directory */
    resolve(f, NULL, NULL, false);
    assert_string_equal(f->rundir.base, expected);
    setenv("XDG_RUNTIME_DIR", ".", 1); /* a relative one is void */
    resolve(f, NULL, NULL, false);
    assert_string_equal(f->rundir.base, expected);
    unsetenv("XDG_RUNTIME_DIR");
    resolve(f, NULL, NULL, false);
    assert_string_equal(f->rundir.base, expected);
}

static void a_relative_directory_becomes_absolute(void **state)
{
    struct fixture *f = *state;
    char current[PATH_MAX];

    assert_non_null(getcwd(current, sizeof(current)));
    assert_int_equal(chdir(f->top), 0);
    assert_int_equal(resolve(f, "base//", NULL, true), 0);
    assert_int_equal(chdir(current), 0);
    assert_string_equal(f->rundir.base, f->base);
}

static void refuses_bad_names(void **state)
{
    static const char *const bad[] = {"",    ".",   "..", ".a",
                                      "a/b", "a b", "ä",  "123456789012345678901234567890123"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(resolve(f, f->base, bad[i], true), -EINVAL);
        assert_int_equal(access(f->base, F_OK), -1);
    }
    assert_int_equal(resolve(f, f->base, "12345678901234567890123456789012", true), 0);
    assert_int_equal(resolve(f, "", NULL, true), -EINVAL);
}

static void refuses_directories_of_others(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* only root can give a directory away */
    assert_int_equal(resolve(f, f->base, NULL, true), 0);
    assert_int_equal(chown(f->rundir.dir, 12345, 12345), 0);
    assert_int_equal(resolve(f, f->base, NULL, true), -EPERM);
    assert_non_null(strstr(f->why, "12345"));
    assert_int_equal(chown(f->base, 12345, 12345), 0);
    assert_int_equal(resolve(f, f->base, NULL, false), -EPERM);
}

static void refuses_directories_open_to_others(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(resolve(f, f->base, NULL, true), 0);
    assert_int_equal(chmod(f->rundir.dir, 0710), 0);
    assert_int_equal(resolve(f, f->base, NULL, false), -EACCES);
    assert_int_equal(chmod(f->rundir.dir, 0700), 0);
    assert_int_equal(chmod(f->base, 0720), 0);
    assert_int_equal(resolve(f, f->base, NULL, true), -EACCES);
    assert_int_equal(chmod(f->base, 0755), 0);
    assert_int_equal(resolve(f, f->base, NULL, true), 0);
}

static void refuses_symbolic_links_and_files(void **state)
{
    struct fixture *f = *state;
    char target[64];

    snprintf(target, sizeof(target), "%s/target", f->top);
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, f->base), 0);
    assert_int_equal(resolve(f, f->base, NULL, true), -ELOOP);
    assert_int_equal(unlink(f->base), 0);
    assert_int_equal(mknod(f->base, S_IFREG | 0600, 0), 0);
    assert_int_equal(resolve(f, f->base, NULL, true), -ENOTDIR);
}

static void a_path_fits_a_socket_address_or_is_refused(void **state)
{
    struct fixture *f = *state;
    char base[RUNDIR_PATH_MAX];
    const size_t tail = strlen("/default/xenstore.sock");

    memset(base, 'x', sizeof(base));
    memcpy(base, f->base, strlen(f->base));  /* in this test's directory: whatever goes wrong */
    base[RUNDIR_PATH_MAX - 1 - tail] = '\0'; /* with the NUL exactly 108 */
    assert_int_equal(resolve(f, base, NULL, false), -ENOENT);
    assert_int_equal(strlen(f->rundir.store_socket), RUNDIR_PATH_MAX - 1);
    base[RUNDIR_PATH_MAX - 1 - tail] = 'x';
    base[RUNDIR_PATH_MAX - tail] = '\0';
    assert_int_equal(resolve(f, base, NULL, true), -ENAMETOOLONG);
    assert_int_equal(access(base, F_OK), -1);
}

/* What to type: the name only where it is another one than everybody's. */
static void an_absent_service_is_explained_by_the_command_that_starts_it(void **state)
{
    struct fixture *f = *state;
    char expected[512];

    assert_int_equal(resolve(f, f->base, NULL, false), -ENOENT);
    snprintf(expected, sizeof(expected),
             "no service 'default' is running in %s: start it with 'service start'", f->base);
    assert_string_equal(f->why, expected);
    assert_int_equal(resolve(f, f->base, "mine", false), -ENOENT);
    snprintf(expected, sizeof(expected),
             "no service 'mine' is running in %s: start it with 'service start --name mine'",
             f->base);
    assert_string_equal(f->why, expected);
}

static void a_directory_that_cannot_be_looked_at_is_refused(void **state)
{
    struct fixture *f = *state;

    fault_arm_call("fstat", 1, EIO);
    assert_int_equal(resolve(f, NULL, "a", true), -EIO);
    assert_string_equal(fault_disarm(), "fstat");
    assert_non_null(strstr(f->why, "cannot look at the run directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_both_directories_private, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_makes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_argument_beats_the_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(the_defaults_follow_xdg_where_it_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(a_relative_directory_becomes_absolute, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_names, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_directories_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_directories_open_to_others, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_symbolic_links_and_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_fits_a_socket_address_or_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            an_absent_service_is_explained_by_the_command_that_starts_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_looked_at_is_refused, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
