/* SPDX-License-Identifier: MIT */
/* poller: edges, sleep and errors, of both kinds. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "fakes/valgrind.h"
#include "faults/fault_walk.h"
#include "unit/service/loop/poller_seen.h"

#define MANY 32

static void calls_nobody_when_nothing_happens(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    for (int i = 0; i < 3; i++)
        assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(seen.calls, 0);
    close_seen(&seen);
}

static void every_write_to_an_unread_doorbell_is_an_edge(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    for (int i = 1; i <= 3; i++) {
        ring_bell(&seen);
        assert_int_equal(poller_run(p, true), 1);
        assert_int_equal(seen.calls, i);
        assert_int_equal(seen.revents, POLLIN);
        assert_int_equal(poller_run(p, false), 0);
    }
    close_seen(&seen);
}

static void many_writes_before_a_run_are_not_lost(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    assert_int_equal(poller_run(p, false), 0);
    for (int i = 0; i < 5; i++)
        ring_bell(&seen);
    while (poller_run(p, false) > 0)
        ;
    assert_in_range(seen.calls, 1, 5);
    close_seen(&seen);
}

static void readiness_before_add_is_an_edge(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p, .fd = eventfd(1, EFD_CLOEXEC)};

    assert_int_equal(poller_add(p, seen.fd, POLLIN, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), 1);
    assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(seen.calls, 1);
    close_seen(&seen);
}

static void tells_each_watch_its_own_events(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen[MANY];

    for (int i = 0; i < MANY; i++)
        open_seen(&seen[i], p);
    assert_int_equal(poller_run(p, false), 0);
    for (int i = 0; i < MANY; i += 3)
        ring_bell(&seen[i]);
    while (poller_run(p, false) > 0)
        ;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i].calls, i % 3 == 0 ? 1 : 0);
        close_seen(&seen[i]);
    }
}

static void hang_up_of_a_socket_is_told(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    seen.fd = pair[0];
    assert_int_equal(poller_add(p, pair[0], POLLIN, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, false), 0);
    close(pair[1]);
    assert_true(poller_run(p, true) >= 1);
    assert_true(seen.revents & POLLHUP);
    close_seen(&seen);
}

static void a_full_socket_becomes_writable_again(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p};
    char packet[4096] = {0};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    while (write(pair[0], packet, sizeof(packet)) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    seen.fd = pair[0];
    assert_int_equal(poller_add(p, pair[0], POLLOUT, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, false), 0);
    while (read(pair[1], packet, sizeof(packet)) > 0)
        ;
    assert_true(poller_run(p, true) >= 1);
    assert_true(seen.revents & POLLOUT);
    close_seen(&seen);
    close(pair[1]);
}

static void sleep_ends_with_a_timer(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    struct seen seen = {.poller = p, .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};

    assert_int_equal(poller_add(p, seen.fd, POLLIN, on_event, &seen, &seen.watch), 0);
    for (int i = 1; i <= 3; i++) { /* not read: setting it again is enough for a new edge */
        assert_int_equal(timerfd_settime(seen.fd, 0, &soon, NULL), 0);
        assert_int_equal(poller_run(p, true), 1);
        assert_int_equal(seen.calls, i);
    }
    close_seen(&seen);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal_number)
{
    (void)signal_number;
    alarms = alarms + 1;
}

/* The number of signals that it took to end one sleep. */
static int alarms_of_one_sleep(struct poller *p)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    /* if the first comes before the sleep has begun, the second ends it */
    struct itimerspec soon = {.it_value.tv_nsec = 2000000, .it_interval.tv_nsec = 100000000};
    timer_t timer;

    alarms = 0;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
    assert_int_equal(poller_run(p, true), 0);
    timer_delete(timer);
    return alarms;
}

static void a_signal_ends_the_sleep(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct sigaction action = {.sa_handler = on_alarm}, before;
    int attempts = 0;
    struct seen seen;

    /* valgrind lets no signal through to a thread that waits in io_uring_enter */
    if (poller_uring(p) && under_valgrind())
        skip();
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    do {
        open_seen(&seen, p); /* a sleep that has something to submit, and one that hasn't */
        if (alarms_of_one_sleep(p) == 1 && alarms_of_one_sleep(p) == 1)
            break;
        close_seen(&seen);
        assert_int_equal(poller_run(p, false), 0); /* else the removal ends the next sleep */
        assert_true(++attempts < 5);
    } while (true);
    close_seen(&seen);
    sigaction(SIGALRM, &before, NULL);
}

static void refuses_an_unknown_kind(void **state)
{
    struct poller *p = (struct poller *)state;

    assert_int_equal(poller_create((enum poller_kind)7, &p), -EINVAL);
    assert_null(p);
    poller_destroy(NULL);
}

static void epoll_has_no_uring(void **state)
{
    assert_null(poller_uring(*state));
}

static void epoll_refuses_a_regular_file(void **state)
{
    FILE *file = tmpfile();
    struct poller_watch *watch;

    assert_non_null(file);
    assert_int_equal(poller_add(*state, fileno(file), POLLIN, on_event, NULL, &watch), -EPERM);
    assert_null(watch);
    fclose(file);
}

/* ---- errors of the waiting call itself ----------------------------------------------------------
 */

struct scripted {
    struct poller base;
    int result;
    uint32_t runs, passing; /* the first so many fail in a way that passes */
};

static int scripted_run(struct poller *p, bool sleep)
{
    struct scripted *s = (struct scripted *)p;

    (void)sleep;
    return s->runs++ < s->passing ? -EAGAIN : s->result;
}

static const struct poller_ops scripted_ops = {.name = "scripted_wait", .run = scripted_run};

static void an_error_for_good_is_returned_at_once_and_always(void **state)
{
    struct scripted s = {.base.ops = &scripted_ops, .result = -EBADF};

    (void)state;
    assert_null(poller_failure(&s.base));
    assert_int_equal(poller_run(&s.base, false), -EBADF);
    assert_string_equal(poller_failure(&s.base), "scripted_wait");
    s.result = 1;
    assert_int_equal(poller_run(&s.base, true), -EBADF);
    assert_int_equal(s.runs, 1); /* the kernel is not asked again */
}

static void what_passes_is_tried_again(void **state)
{
    struct scripted s = {.base.ops = &scripted_ops, .result = 1, .passing = 20};

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(poller_run(&s.base, false), 0);
    assert_int_equal(poller_run(&s.base, false), 1);
    assert_null(poller_failure(&s.base));
    assert_int_equal(s.base.retries, 0);
}

static void what_does_not_pass_ends_it(void **state)
{
    struct scripted s = {.base.ops = &scripted_ops, .passing = UINT32_MAX};

    (void)state;
    for (int i = 0; i < POLLER_RETRIES; i++)
        assert_int_equal(poller_run(&s.base, true), 0);
    assert_int_equal(poller_run(&s.base, true), -EAGAIN);
    assert_non_null(poller_failure(&s.base));
}

static void fail_poller(void *ctx, uint32_t revents)
{
    (void)revents;
    (void)poller_fail(((struct seen *)ctx)->poller, -EIO, "the engine");
}

static void a_callback_may_end_it(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p, .fd = eventfd(1, EFD_CLOEXEC)};

    assert_int_equal(poller_add(p, seen.fd, POLLIN, fail_poller, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), -EIO);
    assert_int_equal(poller_run(p, false), -EIO);
    assert_string_equal(poller_failure(p), "the engine");
    assert_int_equal(poller_fail(p, -EPERM, "the next"), -EIO); /* the first counts */
    close_seen(&seen);
}

static void epoll_that_lacks_something_leaves_nothing(void **state)
{
    enum poller_kind kind = POLLER_EPOLL;
    (void)state;
    assert_int_equal(fault_walk(make_poller, &kind), 5);
}

#define ALL(with)                                                                                  \
    with(calls_nobody_when_nothing_happens), with(every_write_to_an_unread_doorbell_is_an_edge),   \
        with(many_writes_before_a_run_are_not_lost), with(readiness_before_add_is_an_edge),        \
        with(tells_each_watch_its_own_events), with(hang_up_of_a_socket_is_told),                  \
        with(a_full_socket_becomes_writable_again), with(sleep_ends_with_a_timer),                 \
        with(a_signal_ends_the_sleep), with(a_callback_may_end_it)

int main(void)
{
    const struct CMUnitTest epoll_tests[] = {
        ALL(WITH_EPOLL),
        cmocka_unit_test(refuses_an_unknown_kind),
        cmocka_unit_test(an_error_for_good_is_returned_at_once_and_always),
        cmocka_unit_test(what_passes_is_tried_again),
        cmocka_unit_test(what_does_not_pass_ends_it),
        WITH_EPOLL(epoll_has_no_uring),
        WITH_EPOLL(epoll_refuses_a_regular_file),
        cmocka_unit_test(epoll_that_lacks_something_leaves_nothing),
    };
    const struct CMUnitTest uring_tests[] = {ALL(WITH_URING)};
    /* epoll first: what the kernel still does for a ring that was closed interrupts epoll_wait */
    int failed = cmocka_run_group_tests(epoll_tests, NULL, NULL);

    return failed + cmocka_run_group_tests(uring_tests, NULL, NULL);
}
