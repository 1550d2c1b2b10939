/* SPDX-License-Identifier: MIT */
/* store_socket: connections: how many, in which order, and what becomes of the name. */
#include "fakes/fake_events.h"
#include "fakes/valgrind.h"
#include "unit/service/dom0/store_socket_fixture.h"
#include "xenstore/server/xs_local.h"

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
        STORE_TEST(connections_are_bounded),
        STORE_TEST(a_flood_of_connections_is_taken_in_turn),
        STORE_TEST(a_connection_that_found_no_descriptor_is_taken_later),
        STORE_TEST(a_name_that_was_removed_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
