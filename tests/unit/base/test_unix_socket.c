/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unix_socket.h"
#include "fakes/valgrind.h"

struct fixture {
    char directory[64];
    char path[80];
    int pair[2];
    int file; /* something to send */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    snprintf(f->directory, sizeof(f->directory), "/tmp/test_unix_socket.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
    f->file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->pair);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close(f->pair[0]);
    if (f->pair[1] >= 0)
        close(f->pair[1]);
    close(f->file);
    unlink(f->path);
    rmdir(f->directory);
    free(f);
    return 0;
}

static int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* Sends a packet of one byte, or none, and `count` descriptors past the module, which sends fewer.
 */
static void send_with(int fd, size_t byte_count, int file, int count)
{
    enum { MANY = 16 };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MANY * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = "x", .iov_len = byte_count};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(header) + (size_t)i * sizeof(int), &file, sizeof(file));
    assert_int_equal(sendmsg(fd, &message, 0), byte_count);
}

static void send_raw(int fd, int file, int count)
{
    send_with(fd, 1, file, count);
}

static void listener_and_client_meet_at_a_path(void **state)
{
    struct fixture *f = *state;
    struct unix_listener listener;
    char byte = 0;
    uid_t uid = (uid_t)-1;

    assert_int_equal(unix_listener_open(&listener, f->path, SOCK_STREAM | SOCK_NONBLOCK, 1), 0);
    int client = unix_socket_connect(f->path, SOCK_STREAM, 0);
    assert_true(client >= 0);
    assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
    pid_t pid = 0;
    assert_int_equal(unix_socket_peer_pid(client, &pid), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(unix_socket_peer_uid(client, &uid), 0);
    assert_int_equal(uid, geteuid());
    int peer = accept(listener.fd, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(accept(listener.fd, NULL, NULL), -1); /* does not block */
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(unix_socket_send(client, "x", 1, NULL, 0, true), 0);
    assert_int_equal(read(peer, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(peer);
    close(client);
    unix_listener_close(&listener);
    assert_int_equal(access(f->path, F_OK), -1);
    unix_listener_close(&listener); /* closed: nothing happens */
}

static void what_a_dead_listener_left_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct unix_listener dead, next;

    assert_int_equal(unix_listener_open(&dead, f->path, SOCK_SEQPACKET, 1), 0);
    close(dead.fd);
    assert_int_equal(unix_socket_connect(f->path, SOCK_SEQPACKET, 0), -ECONNREFUSED);
    assert_int_equal(unix_listener_open(&next, f->path, SOCK_SEQPACKET, 1), 0);
    unix_listener_close(&next);
    assert_int_equal(unix_socket_connect(f->path, SOCK_SEQPACKET, 0), -ENOENT);
}

static void a_name_that_is_another_s_by_now_stays(void **state)
{
    struct fixture *f = *state;
    struct unix_listener first, second;

    assert_int_equal(unix_listener_open(&first, f->path, SOCK_STREAM, 1), 0);
    assert_int_equal(unix_listener_open(&second, f->path, SOCK_STREAM, 1), 0);
    unix_listener_close(&first);
    assert_int_equal(access(f->path, F_OK), 0);
    unix_listener_close(&second);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    struct unix_listener listener;
    char path[UNIX_SOCKET_PATH_SIZE + 1];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[UNIX_SOCKET_PATH_SIZE] = '\0';
    assert_int_equal(unix_listener_open(&listener, path, SOCK_STREAM, 1), -ENAMETOOLONG);
    assert_int_equal(listener.fd, -1);
    assert_int_equal(unix_socket_connect(path, SOCK_STREAM, 0), -ENAMETOOLONG);
}

static void a_listener_that_cannot_bind_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct unix_listener listener;
    const int before = open_fds();

    snprintf(f->path, sizeof(f->path), "%s/nowhere/socket", f->directory);
    assert_int_equal(unix_listener_open(&listener, f->path, SOCK_STREAM, 1), -ENOENT);
    assert_int_equal(listener.fd, -1);
    assert_int_equal(open_fds(), before);
}

/* The limit holds for connecting to a full queue and for what is sent and received later. */
static void nobody_waits_beyond_the_limit(void **state)
{
    struct fixture *f = *state;
    struct unix_listener listener;
    char byte;
    size_t count;

    assert_int_equal(unix_listener_open(&listener, f->path, SOCK_SEQPACKET, 0), 0);
    int first = unix_socket_connect(f->path, SOCK_SEQPACKET, 1);
    assert_true(first >= 0);
    assert_int_equal(unix_socket_connect(f->path, SOCK_SEQPACKET, 1), -ETIMEDOUT);
    assert_int_equal(unix_socket_receive(first, &byte, 1, NULL, 0, &count), -ETIMEDOUT);
    close(first);
    unix_listener_close(&listener);
}

static void descriptors_go_along(void **state)
{
    struct fixture *f = *state;
    int fds[3], sent[2] = {f->file, f->pair[0]};
    struct stat zero, got;
    size_t count;
    char text[8];

    assert_int_equal(unix_socket_send(f->pair[0], "hello", 5, sent, 2, true), 0);
    assert_int_equal(unix_socket_receive(f->pair[1], text, sizeof(text), fds, 3, &count), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(count, 2);
    assert_int_equal(fds[2], -1);
    assert_int_equal(fstat(f->file, &zero), 0);
    assert_int_equal(fstat(fds[0], &got), 0);
    assert_int_equal(got.st_rdev, zero.st_rdev);
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        close(fds[i]);
    }
}

static void a_packet_without_descriptors_is_as_good(void **state)
{
    struct fixture *f = *state;
    int fds[1];
    size_t count;
    char byte;

    assert_int_equal(unix_socket_send(f->pair[0], "x", 1, NULL, 0, false), 0);
    assert_int_equal(unix_socket_receive(f->pair[1], &byte, 1, fds, 1, &count), 1);
    assert_int_equal(count, 0);
    assert_int_equal(fds[0], -1);
}

/* More than were asked for, more than there is room for, and far more. */
static void unwanted_descriptors_do_not_stay_open(void **state)
{
    static const int sent[] = {2, UNIX_SOCKET_FDS_MAX, UNIX_SOCKET_FDS_MAX + 1, 16};
    struct fixture *f = *state;
    const int before = open_fds();
    int fds[1];
    size_t count;
    char byte;

    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        send_raw(f->pair[0], f->file, sent[i]);
        assert_int_equal(unix_socket_receive(f->pair[1], &byte, 1, fds, 1, &count), -EPROTO);
        assert_int_equal(count, 0);
        assert_int_equal(fds[0], -1);
        assert_int_equal(open_fds(), before);
    }
    send_raw(f->pair[0], f->file, 1);
    assert_int_equal(unix_socket_receive(f->pair[1], &byte, 1, NULL, 0, &count), -EPROTO);
    assert_int_equal(open_fds(), before);
}

/* The first of two has room, or not even that one. */
static void descriptors_that_this_process_cannot_have_are_no_fault_of_the_peer(void **state)
{
    struct fixture *f = *state;
    const int before = open_fds();
    struct rlimit saved, limit;
    int fds[2];
    size_t count;
    char byte;

    if (under_valgrind()) /* the kernel does not hear of the limit */
        skip();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    for (int room = 0; room <= 1; room++) {
        send_raw(f->pair[0], f->file, 2);
        int next = dup(f->file);
        assert_true(next >= 0);
        close(next);
        limit = saved;
        limit.rlim_cur = (rlim_t)(next + room);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ssize_t rc = unix_socket_receive(f->pair[1], &byte, 1, fds, 2, &count);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
        assert_int_equal(rc, -EMFILE);
        assert_int_equal(count, 0);
        assert_int_equal(open_fds(), before);
    }
}

/* It looks like the peer's end, but for what it brings. */
static void an_empty_packet_with_descriptors_is_refused(void **state)
{
    struct fixture *f = *state;
    const int before = open_fds();
    int fds[2];
    size_t count;
    char byte;

    for (int sent = 1; sent <= 2; sent++) {
        send_with(f->pair[0], 0, f->file, sent);
        assert_int_equal(unix_socket_receive(f->pair[1], &byte, 1, fds, 2, &count), -EPROTO);
        assert_int_equal(count, 0);
        assert_int_equal(fds[0], -1);
        assert_int_equal(open_fds(), before);
    }
}

static void a_packet_that_is_too_long_is_refused_with_all_it_brings(void **state)
{
    struct fixture *f = *state;
    const int before = open_fds();
    int fds[1];
    size_t count;
    char text[4];

    assert_int_equal(unix_socket_send(f->pair[0], "hello", 5, &f->file, 1, true), 0);
    assert_int_equal(unix_socket_receive(f->pair[1], text, sizeof(text), fds, 1, &count), -EPROTO);
    assert_int_equal(fds[0], -1);
    assert_int_equal(open_fds(), before);
}

static void anything_but_descriptors_is_refused(void **state)
{
    struct fixture *f = *state;
    const int yes = 1, before = open_fds();
    int fds[1];
    size_t count;
    char byte;

    assert_int_equal(setsockopt(f->pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)), 0);
    assert_int_equal(unix_socket_send(f->pair[0], "x", 1, &f->file, 1, true), 0);
    assert_int_equal(unix_socket_receive(f->pair[1], &byte, 1, fds, 1, &count), -EPROTO);
    assert_int_equal(open_fds(), before);
}

static void the_end_of_the_peer_is_told(void **state)
{
    struct fixture *f = *state;
    size_t count = 7;
    char byte;

    close(f->pair[1]);
    f->pair[1] = -1;
    assert_int_equal(unix_socket_receive(f->pair[0], &byte, 1, NULL, 0, &count), 0);
    assert_int_equal(count, 0);
    /* SIGPIPE would end the test. */
    assert_int_equal(unix_socket_send(f->pair[0], "x", 1, NULL, 0, true), -EPIPE);
}

static void a_full_socket_is_no_reason_to_wait(void **state)
{
    struct fixture *f = *state;
    char packet[1024] = {0};
    int rc;

    do
        rc = unix_socket_send(f->pair[0], packet, sizeof(packet), NULL, 0, false);
    while (rc == 0);
    assert_int_equal(rc, -EAGAIN);
}

#define WITH_SOCKETS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SOCKETS(listener_and_client_meet_at_a_path),
        WITH_SOCKETS(what_a_dead_listener_left_is_replaced),
        WITH_SOCKETS(a_name_that_is_another_s_by_now_stays),
        WITH_SOCKETS(a_path_that_is_too_long_is_refused),
        WITH_SOCKETS(a_listener_that_cannot_bind_leaves_nothing),
        WITH_SOCKETS(nobody_waits_beyond_the_limit),
        WITH_SOCKETS(descriptors_go_along),
        WITH_SOCKETS(a_packet_without_descriptors_is_as_good),
        WITH_SOCKETS(unwanted_descriptors_do_not_stay_open),
        WITH_SOCKETS(descriptors_that_this_process_cannot_have_are_no_fault_of_the_peer),
        WITH_SOCKETS(an_empty_packet_with_descriptors_is_refused),
        WITH_SOCKETS(a_packet_that_is_too_long_is_refused_with_all_it_brings),
        WITH_SOCKETS(anything_but_descriptors_is_refused),
        WITH_SOCKETS(the_end_of_the_peer_is_told),
        WITH_SOCKETS(a_full_socket_is_no_reason_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
