/* SPDX-License-Identifier: MIT */
/* store_socket: the store over a stream socket, against clients that misbehave. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unix_socket.h"
#include "fakes/fake_events.h"
#include "fakes/no_descriptors.h"
#include "fakes/valgrind.h"
#include "service/dom0/store_socket.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_local.h"

enum { PEERS_MAX = 3, TURNS = 8, STORE_BUDGET = 16 };

struct fixture {
    char dir[64], socket[96], log_path[96];
    struct poller *poller;
    struct log *log;
    struct xs_server *store;
    struct store_socket *ss;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/splitdom-store-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    snprintf(f->socket, sizeof(f->socket), "%s/xenstore.sock", f->dir);
    snprintf(f->log_path, sizeof(f->log_path), "%s/log", f->dir);
    if (log_open(&(struct log_options){.path = f->log_path}, &f->log) < 0 ||
        poller_create(POLLER_EPOLL, &f->poller) < 0 || xs_server_create(NULL, &f->store) < 0)
        return -1;
    return store_socket_create(f->socket, f->poller, f->store, f->log, PEERS_MAX, &f->ss);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_socket_destroy(f->ss);
    xs_server_destroy(f->store);
    poller_destroy(f->poller);
    log_close(f->log);
    unlink(f->log_path);
    int rc = rmdir(f->dir);
    free(f);
    return rc;
}

/* What Dom0's loop does in a turn. Whether it would go on without sleeping. */
static bool turn(struct fixture *f)
{
    bool more = poller_run(f->poller, false) > 0;
    more |= store_socket_pump(f->ss);
    more |= xs_server_run(f->store, STORE_BUDGET);
    more |= store_socket_pump(f->ss);
    return more;
}

static void run(struct fixture *f)
{
    for (int i = 0; i < TURNS || (turn(f) && i < 10000); i++) {
    }
}

static int dial(struct fixture *f)
{
    int fd = unix_socket_connect(f->socket, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    return fd;
}

/* A READ of path as bytes; returns their number. */
static size_t read_request(char *bytes, const char *path)
{
    struct xsd_sockmsg hdr = {.type = XS_READ, .req_id = 5, .len = (uint32_t)strlen(path) + 1};
    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy(bytes + sizeof(hdr), path, hdr.len);
    return sizeof(hdr) + hdr.len;
}

/* Takes a reply whole, if there is one. Returns its type, or -1. */
static int take_reply(int fd, char *payload)
{
    struct xsd_sockmsg hdr;
    ssize_t n = recv(fd, &hdr, sizeof(hdr), MSG_DONTWAIT);
    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return -1;
    }
    assert_int_equal(n, sizeof(hdr));
    n = hdr.len == 0 ? 0 : recv(fd, payload, hdr.len, MSG_DONTWAIT | MSG_WAITALL);
    assert_int_equal(n, hdr.len);
    payload[hdr.len] = '\0';
    return (int)hdr.type;
}

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void a_request_is_answered(void **state)
{
    struct fixture *f = *state;
    char bytes[64], payload[XENSTORE_PAYLOAD_MAX + 1];
    int fd = dial(f);
    assert_int_equal(xs_local_write(f->store, "/k", "value"), 0);
    size_t n = read_request(bytes, "/k");
    assert_int_equal(send(fd, bytes, n, 0), n);
    run(f);
    assert_int_equal(take_reply(fd, payload), XS_READ);
    assert_string_equal(payload, "value");
    close(fd);
    run(f);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    char bytes[64], payload[XENSTORE_PAYLOAD_MAX + 1];
    int fd = dial(f);
    assert_int_equal(xs_local_write(f->store, "/k", "value"), 0);
    size_t n = read_request(bytes, "/k");
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(take_reply(fd, payload), -1);
        assert_int_equal(send(fd, bytes + i, 1, 0), 1);
        run(f);
    }
    assert_int_equal(take_reply(fd, payload), XS_READ);
    close(fd);
}

/* A WRITE of one letter to /n<number> as bytes; returns their number. */
static size_t write_request(char bytes[64], int number)
{
    char payload[32];
    int len = snprintf(payload, sizeof(payload), "/n%d%cv", number, '\0');
    struct xsd_sockmsg hdr = {.type = XS_WRITE, .len = (uint32_t)len};
    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy(bytes + sizeof(hdr), payload, (size_t)len);
    return sizeof(hdr) + (size_t)len;
}

/* In one piece: many small ones would not fit the socket. */
static void send_writes(int fd, int count)
{
    char *bytes = malloc(64 * (size_t)count);
    size_t used = 0;
    assert_non_null(bytes);
    for (int i = 0; i < count; i++)
        used += write_request(bytes + used, i);
    assert_int_equal(send(fd, bytes, used, 0), used);
    free(bytes);
}

static bool exists(struct fixture *f, int number)
{
    char path[16], value[4];
    snprintf(path, sizeof(path), "/n%d", number);
    return xs_local_read(f->store, path, value, sizeof(value)) == 1;
}

static void what_came_before_the_end_is_carried_out_and_answered(void **state)
{
    enum { WRITES = 1000 }; /* more than is taken at once */
    struct fixture *f = *state;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
    int fd = dial(f);
    send_writes(fd, WRITES);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    int answered = 0;
    for (bool busy = true; busy && answered < WRITES;) {
        run(f);
        for (busy = false; answered < WRITES && take_reply(fd, payload) == XS_WRITE; answered++)
            busy = true;
    }
    assert_int_equal(answered, WRITES);
    run(f);
    assert_true(is_closed(fd)); /* and then it is over */
    assert_true(exists(f, WRITES - 1));
    close(fd);
}

/* Nobody is there any more to be answered. */
static void what_came_before_a_close_is_carried_out(void **state)
{
    enum { WRITES = 1000 };
    struct fixture *f = *state;
    for (int i = 0; i < PEERS_MAX; i++) {
        int fd = dial(f);
        send_writes(fd, WRITES);
        assert_int_equal(send(fd, "half a header", 13, 0), 13);
        close(fd);
    }
    run(f);
    assert_true(exists(f, WRITES - 1));
    for (int i = 0; i < PEERS_MAX; i++) { /* their places are free */
        int fd = dial(f);
        run(f);
        assert_false(is_closed(fd));
        close(fd);
    }
}

/* The first answers were read, the others lie in the socket when it is closed. */
static void a_close_with_unread_answers_loses_no_request(void **state)
{
    struct fixture *f = *state;
    char bytes[64];
    int fd = dial(f);
    send_writes(fd, 5);
    run(f);
    size_t n = write_request(bytes, 7);
    assert_int_equal(send(fd, bytes, n, 0), n);
    close(fd);
    run(f);
    assert_true(exists(f, 4));
    assert_true(exists(f, 7));
}

static void an_oversized_request_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    const struct xsd_sockmsg hdr = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1};
    int fd = dial(f), other = dial(f);
    assert_int_equal(send(fd, &hdr, sizeof(hdr), 0), sizeof(hdr));
    run(f);
    assert_true(is_closed(fd));
    assert_false(is_closed(other));
    close(fd);
    close(other);
}

static void connections_are_bounded(void **state)
{
    struct fixture *f = *state;
    int fd[PEERS_MAX + 1];
    for (int i = 0; i <= PEERS_MAX; i++) {
        fd[i] = dial(f);
        run(f);
    }
    assert_true(is_closed(fd[PEERS_MAX]));
    assert_false(is_closed(fd[0]));
    close(fd[0]);
    run(f);
    fd[0] = dial(f);
    run(f);
    assert_false(is_closed(fd[0]));
    for (int i = 0; i <= PEERS_MAX; i++)
        close(fd[i]);
}

/*
 * A client that sends as fast as it can and never reads. Its replies wait up to a bound, then its
 * requests do; Dom0 must be able to sleep meanwhile, and everything is answered once it reads.
 */
static void a_peer_that_does_not_read_keeps_nobody_awake(void **state)
{
    struct fixture *f = *state;
    char value[2049], bytes[64], payload[XENSTORE_PAYLOAD_MAX + 1];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(xs_local_write(f->store, "/k", value), 0);
    int fd = dial(f);
    size_t size = read_request(bytes, "/k");
    uint32_t sent = 0, answered = 0;
    for (int full = 0; full < 3;) {
        if (send(fd, bytes, size, MSG_DONTWAIT) == (ssize_t)size)
            sent++;
        else
            full++;
        if (sent % 64 == 0 || full > 0)
            run(f);
    }
    bool awake = true;
    for (int i = 0; i < 1000 && awake; i++)
        awake = turn(f);
    assert_false(awake);
    for (bool busy = true; busy;) {
        busy = false;
        for (; take_reply(fd, payload) == XS_READ; answered++)
            busy = true;
        run(f);
    }
    assert_int_equal(answered, sent);
    close(fd);
}

/* Each of them is gone before it was taken; none of them takes the place of somebody who stays. */
static void a_flood_of_connections_is_taken_in_turn(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50 * PEERS_MAX; i++) {
        close(dial(f));
        assert_true(turn(f)); /* taken, or there was one to end */
    }
    run(f);
    int fd = dial(f);
    run(f);
    assert_false(is_closed(fd));
    close(fd);
}

static void a_connection_that_found_no_descriptor_is_taken_later(void **state)
{
    struct fixture *f = *state;
    char bytes[64], payload[XENSTORE_PAYLOAD_MAX + 1];
    if (under_valgrind())
        skip(); /* it plays accept and the limit itself: it takes the connection and closes it */
    assert_int_equal(xs_local_write(f->store, "/k", "value"), 0);
    int fd = dial(f);
    struct rlimit before = take_descriptors_away();
    run(f);
    store_socket_accept_again(f->ss);
    run(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    size_t n = read_request(bytes, "/k");
    assert_int_equal(send(fd, bytes, n, 0), n);
    run(f);
    assert_int_equal(take_reply(fd, payload), -1);
    store_socket_accept_again(f->ss);
    run(f);
    assert_int_equal(take_reply(fd, payload), XS_READ);
    close(fd);
}

static int next_descriptor(void)
{
    int fd = dup(STDIN_FILENO);
    close(fd);
    return fd;
}

/* Who is connected stays so, who comes finds the new name, and nothing of the old one is left open.
 */
static void a_name_that_was_removed_is_made_again(void **state)
{
    struct fixture *f = *state;
    int old = dial(f);
    run(f);
    assert_int_equal(store_socket_listen_again(f->ss), 0); /* it is there: nothing to do */
    int before = next_descriptor();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(unlink(f->socket), 0);
        assert_int_equal(store_socket_listen_again(f->ss), 0);
        int fd = dial(f);
        run(f);
        assert_false(is_closed(fd));
        close(fd);
        run(f);
    }
    assert_true(next_descriptor() <= before);
    assert_false(is_closed(old));
    close(old);
    run(f);
}

static void a_connection_that_cannot_be_watched_is_closed(void **state)
{
    struct fixture *f = *state;
    struct event_tap tap;
    char byte;
    int fd = dial(f);
    assert_true(poller_run(f->poller, false) > 0);
    event_tap_open(&tap, f->poller);
    (void)store_socket_pump(f->ss); /* takes the connection */
    event_tap_close(&tap);
    run(f);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    run(f);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    close(fd);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_connection_that_cannot_be_watched_is_closed),
        STORE_TEST(a_request_is_answered),
        STORE_TEST(a_request_may_come_byte_by_byte),
        STORE_TEST(what_came_before_the_end_is_carried_out_and_answered),
        STORE_TEST(what_came_before_a_close_is_carried_out),
        STORE_TEST(a_close_with_unread_answers_loses_no_request),
        STORE_TEST(an_oversized_request_ends_the_connection),
        STORE_TEST(connections_are_bounded),
        STORE_TEST(a_peer_that_does_not_read_keeps_nobody_awake),
        STORE_TEST(a_flood_of_connections_is_taken_in_turn),
        STORE_TEST(a_connection_that_found_no_descriptor_is_taken_later),
        STORE_TEST(a_name_that_was_removed_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
