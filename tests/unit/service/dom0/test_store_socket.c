/* SPDX-License-Identifier: MIT */
/* store_socket: the store over a stream socket, and requests in pieces, in heaps, and without an
 * end. */
#include "faults/fault_walk.h"
#include "unit/service/dom0/store_socket_fixture.h"
#include "xenstore/server/xs_local.h"

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

static int create(void *arg)
{
    struct fixture *f = arg;
    struct store_socket *ss;
    char path[128];
    snprintf(path, sizeof(path), "%s.other", f->socket);
    int rc = store_socket_create(path, f->poller, f->store, f->log, 4, &ss);
    store_socket_destroy(ss);
    return rc;
}

static void without_memory_there_is_no_socket(void **state)
{
    assert_true(fault_walk(create, *state) >= 4);
}

/* One caller is refused, with all that was begun for it, and the next one is served. */
static void a_caller_for_whom_there_is_no_memory_is_refused(void **state)
{
    struct fixture *f = *state;
    char byte, payload[XENSTORE_PAYLOAD_MAX + 1];
    const char *lacked;
    uint64_t n = 0;
    int64_t blocks = 0;
    do {
        int fd = dial(f);
        blocks = fault_live_blocks();
        fault_arm(++n, FAULT_ONCE);
        run(f);
        lacked = fault_disarm();
        if (lacked != NULL && strcmp(lacked, "accept4") == 0) { /* not refused: it waits */
            store_socket_accept_again(f->ss);
            run(f);
        } else if (lacked != NULL) {
            assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
            assert_int_equal(fault_live_blocks(), blocks);
        }
        close(fd);
        run(f);
    } while (lacked != NULL);
    assert_true(n > 3);
    assert_int_equal(xs_local_write(f->store, "/k", "value"), 0);
    int fd = dial(f);
    char bytes[64];
    size_t size = read_request(bytes, "/k");
    assert_int_equal(send(fd, bytes, size, 0), size);
    run(f);
    assert_int_equal(take_reply(fd, payload), XS_READ);
    close(fd);
    run(f);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_request_is_answered),
        STORE_TEST(a_request_may_come_byte_by_byte),
        STORE_TEST(what_came_before_the_end_is_carried_out_and_answered),
        STORE_TEST(what_came_before_a_close_is_carried_out),
        STORE_TEST(a_close_with_unread_answers_loses_no_request),
        STORE_TEST(an_oversized_request_ends_the_connection),
        STORE_TEST(a_peer_that_does_not_read_keeps_nobody_awake),
        STORE_TEST(without_memory_there_is_no_socket),
        STORE_TEST(a_caller_for_whom_there_is_no_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
