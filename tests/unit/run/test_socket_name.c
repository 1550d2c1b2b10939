/* SPDX-License-Identifier: MIT */
/* socket_name: whose name it is, and how many clients may come at a time. */
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

#include "run/socket_name.h"

enum { CLIENTS = 200 };

static char directory[32];

static char path[64];

static struct unix_listener listener;

static struct why why;

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/socket_name.XXXXXX");
    listener = UNIX_LISTENER_CLOSED;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/s", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unix_listener_close(&listener);
    (void)unlink(path);
    return rmdir(directory);
}

/* The kernel's limit of any queue: 128 in older ones. */
static int queue_max(void)
{
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    int max = 0;

    if (file == NULL)
        return 0;
    (void)!fscanf(file, "%d", &max);
    fclose(file);
    return max;
}

/* A client that does not block, as libnbd's, gets EAGAIN where the queue is full. */
static void many_clients_may_come_before_the_first_is_served(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fds[CLIENTS];

    (void)state;
    if (queue_max() < CLIENTS)
        skip();
    assert_int_equal(socket_name_listen(&listener, path, &why), 0);
    strcpy(name.sun_path, path);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[i], (const struct sockaddr *)&name, sizeof(name)), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}

static void the_name_of_one_who_listens_is_not_taken(void **state)
{
    struct unix_listener second;

    (void)state;
    assert_int_equal(socket_name_listen(&listener, path, &why), 0);
    assert_int_equal(socket_name_listen(&second, path, &why), -EADDRINUSE);
    assert_int_equal(second.fd, -1);
}

static void that_of_one_who_died_is(void **state)
{
    (void)state;
    assert_int_equal(socket_name_listen(&listener, path, &why), 0);
    close(listener.fd);
    listener.fd = -1;
    assert_int_equal(socket_name_listen(&listener, path, &why), 0);
}

static void another_file_of_that_name_stays(void **state)
{
    FILE *file = fopen(path, "w");

    (void)state;
    assert_non_null(file);
    fclose(file);
    assert_int_equal(socket_name_listen(&listener, path, &why), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
#define NAME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        NAME_TEST(many_clients_may_come_before_the_first_is_served),
        NAME_TEST(the_name_of_one_who_listens_is_not_taken),
        NAME_TEST(that_of_one_who_died_is),
        NAME_TEST(another_file_of_that_name_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
