/* SPDX-License-Identifier: MIT */
/* image_lock: one writer of an image, whose file counts until nothing is under way on it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/block/engine/image_lock.h"

enum { LONG_MS = 60000 };

static char path[64];
static struct why why;

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/splitdom-lock-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static struct image open_image(bool writable)
{
    struct image image = {.fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC),
                          .path = strdup(path),
                          .writable = writable};
    assert_true(image.fd >= 0);
    return image;
}

static void there_is_one_writer(void **state)
{
    (void)state;
    struct image first = open_image(true), second = open_image(true), reader = open_image(false);
    assert_int_equal(image_lock(&first, 0, &why), 0);
    assert_int_equal(image_lock(&second, 0, &why), -EBUSY);
    assert_non_null(strstr(why.text, path));
    assert_int_equal(image_lock(&reader, 0, &why), 0);
    image_close(&first);
    assert_int_equal(image_lock(&second, 0, &why), 0);
    image_close(&second);
    image_close(&reader);
}

/* A descriptor more stands for an operation that the kernel has not ended. */
static void what_is_under_way_keeps_the_lock_of_the_dead(void **state)
{
    (void)state;
    struct image killed = open_image(true), next = open_image(true);
    int under_way = dup(killed.fd);
    assert_true(under_way >= 0);
    assert_int_equal(image_lock(&killed, 0, &why), 0);
    close(killed.fd); /* as the end of its process does */
    free(killed.path);
    assert_int_equal(image_lock(&next, 0, &why), -EBUSY);
    close(under_way);
    assert_int_equal(image_lock(&next, 0, &why), 0);
    image_close(&next);
}

static void who_closes_an_image_gives_the_lock_back_at_once(void **state)
{
    (void)state;
    struct image first = open_image(true), next = open_image(true);
    int poller = dup(first.fd);
    assert_int_equal(image_lock(&first, 0, &why), 0);
    image_close(&first);
    assert_int_equal(image_lock(&next, 0, &why), 0);
    image_close(&next);
    close(poller);
}

/* The child has the lock until it hears that we are about to want it. */
static void one_that_is_about_to_go_is_waited_for(void **state)
{
    (void)state;
    struct image image = open_image(true);
    int locked[2], wanted[2], status;
    char byte;
    assert_int_equal(pipe(locked), 0);
    assert_int_equal(pipe(wanted), 0);
    pid_t child = fork();
    if (child == 0) {
        struct image mine = open_image(true);
        close(wanted[1]);
        if (image_lock(&mine, 0, &why) < 0 || write(locked[1], "", 1) != 1)
            _exit(1);
        _exit(read(wanted[0], &byte, 1) == 0 ? 0 : 2);
    }
    assert_int_equal(read(locked[0], &byte, 1), 1);
    assert_int_equal(image_lock(&image, 0, &why), -EBUSY);
    close(wanted[1]);
    assert_int_equal(image_lock(&image, LONG_MS, &why), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    image_close(&image);
    close(wanted[0]);
    close(locked[0]);
    close(locked[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_is_one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_under_way_keeps_the_lock_of_the_dead, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_closes_an_image_gives_the_lock_back_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_is_about_to_go_is_waited_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
