/* SPDX-License-Identifier: MIT */
/* control: more connections than seats, peers that do not read, descriptors that run out. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fakes/no_descriptors.h"
#include "unit/service/dom0/control_fixture.h"

/* Replies are not queued without bound: who asks without reading is cut off, and its domain ends.
 */
static void a_peer_that_does_not_read_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_EVTCHN_CLOSE};
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    for (int i = 0; i < 100000 && f->ended == 0; i++) {
        (void)send(fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
        run(f);
    }
    assert_int_equal(f->ended, 1);
}

static void connections_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    for (int i = 0; i < PEERS_MAX; i++) {
        fd[i] = dial(f);
        assert_int_equal(call(f, fd[i], CONTROL_CREATE_DOMAIN, 100, &reply), 2);
    }
    int late = dial(f);
    run(f);
    assert_int_equal(reply_of(late, &reply), 0);
    assert_int_equal(reply.status, -EAGAIN);
    assert_int_equal(reply_of(late, &reply), -1);
    hang_up(f, fd[0]);
    run(f);
    assert_int_equal(call(f, dial(f), CONTROL_STATUS, 0, &reply), 1);
}

/* Fills all seats with connections that ask for the status, and reads no answer. */
static void fill_with_askers(struct fixture *f, int fd[PEERS_MAX])
{
    for (int i = 0; i < PEERS_MAX; i++) {
        fd[i] = dial(f);
        ask(fd[i], CONTROL_STATUS, 0);
    }
}

static void each_gets_an_answer_before_it_gives_way(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[3 * PEERS_MAX];
    for (int i = 0; i < 3; i++)
        fill_with_askers(f, fd + (ptrdiff_t)i * PEERS_MAX);
    run(f);
    for (int i = 0; i < 3 * PEERS_MAX; i++)
        assert_int_equal(reply_of(fd[i], &reply), 1);
}

static void one_who_had_an_answer_gives_way_the_idle_first(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    fill_with_askers(f, fd);
    run(f);
    for (int i = 0; i < PEERS_MAX; i++)
        assert_int_equal(reply_of(fd[i], &reply), 1);
    assert_int_equal(call(f, fd[0], CONTROL_CREATE_DOMAIN, 100, &reply), 2);
    ask(fd[1], CONTROL_STATUS, 0); /* asks on */
    assert_int_equal(call(f, dial(f), CONTROL_STATUS, 0, &reply), 1);
    assert_int_equal(f->ended, 0);
    assert_int_equal(reply_of(fd[1], &reply), 1);
    assert_int_equal(reply_of(fd[2], &reply), -1);
    assert_int_equal(call(f, fd[3], CONTROL_STATUS, 0, &reply), 1);
}

/* All seats are taken by peers that never stop asking: they give way all the same. */
static void those_who_ask_on_and_on_keep_nobody_out(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    fill_with_askers(f, fd);
    int late = dial(f);
    ask(late, CONTROL_STATUS, 0);
    for (int i = 0; i < 4 * TURNS; i++) {
        for (int j = 0; j < PEERS_MAX; j++) {
            const struct control_request request = {
                .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
            (void)send(fd[j], &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
            while (recv(fd[j], &reply, sizeof(reply), MSG_DONTWAIT) > 0)
                continue;
        }
        assert_true(poller_run(f->poller, false) >= 0);
        (void)control_run(f->control);
    }
    assert_int_equal(reply_of(late, &reply), 1);
}

/* The loop's turn is not as long as so many of them. */
static void what_takes_long_is_served_one_a_run(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX], answered = 0;
    for (int i = 0; i < PEERS_MAX; i++)
        fd[i] = dial(f);
    run(f);
    f->status_ns = 1000000;
    for (int i = 0; i < PEERS_MAX; i++)
        ask(fd[i], CONTROL_STATUS, 0);
    assert_true(poller_run(f->poller, false) >= 0);
    assert_true(control_run(f->control)); /* more waits */
    for (int i = 0; i < PEERS_MAX; i++)
        answered += recv(fd[i], &reply, sizeof(reply), MSG_DONTWAIT) > 0;
    assert_int_equal(answered, 1);
}

/* Whoever connects and says nothing may be slow, or may be many. */
static void the_silent_give_way_after_a_while_and_nobody_spins_until_then(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    uint64_t begin_ns = clock_monotonic_ns();
    for (int i = 0; i < PEERS_MAX; i++)
        fd[i] = dial(f);
    int late = dial(f);
    ask(late, CONTROL_STATUS, 0);
    run(f);
    assert_false(control_has_news(f->control)); /* Dom0 may sleep */
    assert_int_equal(recv(late, &reply, sizeof(reply), MSG_DONTWAIT), -1);
    while (!control_has_news(f->control))
        assert_true(poller_run(f->poller, true) >= 0);
    assert_true(clock_monotonic_ns() - begin_ns >= CONTROL_SILENCE_NS);
    run(f);
    assert_int_equal(reply_of(late, &reply), 1);
    assert_int_equal(reply_of(fd[0], &reply), -1);
    assert_int_equal(call(f, fd[1], CONTROL_STATUS, 0, &reply), 1);
}

static void a_slow_one_is_still_heard_when_all_seats_are_taken(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX], late;
    for (int i = 0; i < PEERS_MAX; i++)
        fd[i] = dial(f);
    late = dial(f);
    run(f);
    for (int i = 0; i < PEERS_MAX; i++)
        assert_int_equal(call(f, fd[i], CONTROL_STATUS, 0, &reply), 1);
    assert_int_equal(call(f, late, CONTROL_STATUS, 0, &reply), 1);
}

static void a_connection_that_found_no_descriptor_is_taken_later(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    if (under_valgrind())
        skip(); /* it plays accept and the limit itself: it takes the connection and closes it */
    int fd = dial(f);
    struct rlimit before = take_descriptors_away();
    run(f);
    control_accept_again(f->control);
    run(f); /* still none */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    ask(fd, CONTROL_CREATE_DOMAIN, 16);
    run(f);
    assert_int_equal(f->created, 0); /* no new edge: nobody has looked */
    control_accept_again(f->control);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 2);
    assert_int_equal(f->created, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(a_peer_that_does_not_read_is_dropped),
        CONTROL_TEST(connections_are_bounded),
        CONTROL_TEST(each_gets_an_answer_before_it_gives_way),
        CONTROL_TEST(one_who_had_an_answer_gives_way_the_idle_first),
        CONTROL_TEST(those_who_ask_on_and_on_keep_nobody_out),
        CONTROL_TEST(the_silent_give_way_after_a_while_and_nobody_spins_until_then),
        CONTROL_TEST(a_slow_one_is_still_heard_when_all_seats_are_taken),
        CONTROL_TEST(what_takes_long_is_served_one_a_run),
        CONTROL_TEST(a_connection_that_found_no_descriptor_is_taken_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
