/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "service/dom0/rundir_watch.h"

static char directory[64], path[96], other[96];
static struct poller *poller;
static struct rundir_watch *watch;
static unsigned lost_count, gone_count;
static char lost_name[64];

static void lost(void *ctx, const char *name)
{
    (void)ctx;
    lost_count++;
    snprintf(lost_name, sizeof(lost_name), "%s", name);
}

static void gone(void *ctx)
{
    (void)ctx;
    gone_count++;
}

static const struct rundir_watch_ops ops = {.lost = lost, .gone = gone};

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/test_rundir_watch.XXXXXX");
    if (mkdtemp(directory) == NULL || poller_create(POLLER_EPOLL, &poller) < 0)
        return -1;
    snprintf(path, sizeof(path), "%s/name", directory);
    snprintf(other, sizeof(other), "%s.moved", directory);
    lost_count = gone_count = 0;
    return rundir_watch_create(directory, poller, &ops, NULL, &watch);
}

static int teardown(void **state)
{
    (void)state;
    rundir_watch_destroy(watch);
    poller_destroy(poller);
    unlink(path);
    (void)rmdir(directory);
    (void)rmdir(other);
    return 0;
}

static void make(void)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void a_name_that_is_removed_is_told(void **state)
{
    (void)state;
    make();
    (void)poller_run(poller, false);
    assert_int_equal(lost_count, 0);
    assert_int_equal(unlink(path), 0);
    (void)poller_run(poller, false);
    assert_int_equal(lost_count, 1);
    assert_string_equal(lost_name, "name");
}

static void a_name_that_is_moved_away_is_told(void **state)
{
    (void)state;
    make();
    assert_int_equal(rename(path, other), 0);
    (void)poller_run(poller, false);
    assert_int_equal(lost_count, 1);
    unlink(other);
}

static void the_end_of_the_directory_is_told_once(void **state)
{
    (void)state;
    assert_int_equal(rmdir(directory), 0);
    (void)poller_run(poller, false);
    (void)poller_run(poller, false);
    assert_int_equal(gone_count, 1);
    assert_int_equal(lost_count, 0);
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct rundir_watch *none;
    assert_int_equal(rundir_watch_create(other, poller, &ops, NULL, &none), -ENOENT);
    assert_null(none);
}

static int create(void *unused)
{
    struct rundir_watch *another;
    (void)unused;
    int rc = rundir_watch_create(directory, poller, &ops, NULL, &another);
    assert_true((rc < 0) == (another == NULL));
    rundir_watch_destroy(another);
    return rc;
}

static void what_is_lacking_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(create, NULL), 3); /* memory, twice, and the poller's watch */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_that_is_removed_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_moved_away_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_directory_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_lacking_leaves_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
