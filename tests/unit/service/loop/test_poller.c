/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "service/loop/poller.h"
#include "service/loop/poller_private.h"

#define MANY 32

/* What one callback has seen. */
struct seen {
    struct poller *poller;
    struct poller_watch *watch;
    struct poller_watch **victim; /* removed by the callback, if not NULL */
    int fd;
    int calls;
    uint32_t revents;
};

static void on_event(void *ctx, uint32_t revents)
{
    struct seen *seen = ctx;

    seen->calls++;
    seen->revents |= revents;
    if (seen->victim && *seen->victim) {
        struct poller_watch *victim = *seen->victim;

        *seen->victim = NULL;
        poller_remove(seen->poller, victim);
    }
}

static void open_seen(struct seen *seen, struct poller *p)
{
    memset(seen, 0, sizeof(*seen));
    seen->poller = p;
    seen->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(seen->fd >= 0);
    assert_int_equal(poller_add(p, seen->fd, POLLIN, on_event, seen, &seen->watch), 0);
}

static void close_seen(struct seen *seen)
{
    poller_remove(seen->poller, seen->watch);
    close(seen->fd);
}

static void ring_bell(const struct seen *seen)
{
    assert_int_equal(eventfd_write(seen->fd, 1), 0);
}

static int setup_kind(void **state, enum poller_kind kind)
{
    struct poller *p = NULL;
    int rc = poller_create(kind, &p);

    *state = p;
    if (kind == POLLER_EPOLL)
        return rc;
    if (rc == -ENOSYS || rc == -EPERM || rc == -ENOMEM) {
        print_message("io_uring is not to be had here: %s\n", strerror(-rc));
        return 0;
    }
    return rc;
}

static int setup_epoll(void **state)
{
    return setup_kind(state, POLLER_EPOLL);
}

static int setup_uring(void **state)
{
    return setup_kind(state, POLLER_URING);
}

static int teardown(void **state)
{
    poller_destroy(*state);
    return 0;
}

static bool is_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded && strstr(preloaded, "vgpreload");
}

static struct poller *poller_or_skip(void **state)
{
    if (!*state)
        skip();
    return *state;
}

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

static void a_removed_watch_is_not_called_for_a_queued_edge(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen gone, stays;

    open_seen(&gone, p);
    open_seen(&stays, p);
    assert_int_equal(poller_run(p, false), 0);
    ring_bell(&gone);
    ring_bell(&stays);
    close_seen(&gone);
    assert_int_equal(poller_run(p, true), 1);
    assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(gone.calls, 0);
    assert_int_equal(stays.calls, 1);
    close_seen(&stays);
}

static void a_callback_may_remove_its_own_watch(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    seen.victim = &seen.watch;
    ring_bell(&seen);
    assert_int_equal(poller_run(p, true), 1);
    ring_bell(&seen);
    for (int i = 0; i < 3; i++)
        assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(seen.calls, 1);
    assert_null(seen.watch);
    close(seen.fd);
}

/* Whichever of the two comes first removes the other, whose edge is then queued already. */
static void a_callback_may_remove_another_watch(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen a, b;

    open_seen(&a, p);
    open_seen(&b, p);
    a.victim = &b.watch;
    b.victim = &a.watch;
    assert_int_equal(poller_run(p, false), 0);
    ring_bell(&a);
    ring_bell(&b);
    assert_int_equal(poller_run(p, true), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(a.calls + b.calls, 1);
    assert_true((a.watch == NULL) != (b.watch == NULL));
    close_seen(&a);
    close_seen(&b);
}

static void replace(void *ctx, uint32_t revents)
{
    struct seen *seen = ctx;

    (void)revents;
    poller_remove(seen->poller, seen->watch);
    assert_int_equal(poller_add(seen->poller, seen->fd, POLLIN, on_event, seen, &seen->watch), 0);
}

static void a_callback_may_add_a_watch(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p, .fd = eventfd(1, EFD_CLOEXEC)};

    assert_int_equal(poller_add(p, seen.fd, POLLIN, replace, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), 1);
    assert_int_equal(poller_run(p, true), 1); /* the new watch: the fd is ready still */
    assert_int_equal(seen.calls, 1);
    close_seen(&seen);
}

static void watches_come_and_go_without_a_run(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    for (int i = 0; i < 1000; i++) { /* more than a submission queue holds */
        open_seen(&seen, p);
        ring_bell(&seen);
        close_seen(&seen);
        assert_int_equal(seen.calls, 0);
    }
    assert_int_equal(poller_run(p, false), 0);
}

static void destroy_frees_watches_and_leaves_fds_open(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    ring_bell(&seen);
    poller_destroy(p);
    *state = NULL;
    ring_bell(&seen);
    close(seen.fd);
}

static int lowest_free_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

    close(fd);
    return fd;
}

static void destroy_closes_what_it_has_opened(void **state)
{
    static const enum poller_kind kinds[] = {POLLER_EPOLL, POLLER_URING};

    (void)poller_or_skip(state);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int before = lowest_free_fd();
        struct poller *mine;

        if (poller_create(kinds[i], &mine) < 0)
            continue;
        assert_true(lowest_free_fd() > before);
        poller_destroy(mine);
        assert_int_equal(lowest_free_fd(), before);
    }
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
    if (poller_uring(p) && is_under_valgrind())
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

static void a_removal_wakes_nobody(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    struct seen timer = {.poller = p, .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    struct seen gone;

    open_seen(&gone, p);
    assert_int_equal(poller_add(p, timer.fd, POLLIN, on_event, &timer, &timer.watch), 0);
    assert_int_equal(poller_run(p, false), 0);
    close_seen(&gone);
    assert_int_equal(timerfd_settime(timer.fd, 0, &soon, NULL), 0);
    assert_int_equal(poller_run(p, true), 1); /* not 0, which would be for a signal */
    assert_int_equal(timer.calls, 1);
    close_seen(&timer);
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

#ifdef HAVE_LIBURING

static void uring_tells_what_the_kernel_says_for_good(void **state)
{
    struct poller *p = poller_or_skip(state);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ring_fd = poller_uring(p)->ring_fd, kept = dup(ring_fd);
    struct seen seen;

    assert_true(null_fd >= 0 && kept >= 0);
    open_seen(&seen, p); /* something to be submitted */
    assert_int_equal(dup2(null_fd, ring_fd), ring_fd);
    int rc = poller_run(p, false), again = poller_run(p, true);
    assert_int_equal(dup2(kept, ring_fd), ring_fd);
    assert_int_equal(rc, -EOPNOTSUPP); /* of io_uring_enter on what is none */
    assert_int_equal(again, rc);
    assert_string_equal(poller_failure(p), "io_uring_enter");
    close_seen(&seen);
    close(kept);
    close(null_fd);
}

static void uring_tells_a_watch_that_has_ended(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p, .fd = 1000}; /* not open */

    assert_int_equal(poller_add(p, seen.fd, POLLIN, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), 1);
    assert_int_equal(seen.revents, POLLERR | POLLNVAL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(poller_run(p, false), 0);
    poller_remove(p, seen.watch);
}

static void ignore(struct poller_op *op, int32_t res)
{
    (void)op;
    (void)res;
}

/* Ends the polls of a descriptor behind the poller's back. */
static void end_polls_of(struct poller *p, int fd)
{
    static struct poller_op op = {.complete = ignore};
    struct io_uring_sqe *sqe = poller_uring_sqe(p, &op);

    assert_non_null(sqe);
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    assert_int_equal(poller_uring_submit(p), 0);
    while (poller_run(p, false) > 0)
        continue;
}

static void uring_makes_a_poll_again_that_the_kernel_has_ended(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    assert_int_equal(poller_run(p, false), 0);
    for (int i = 1; i <= 40; i++) { /* each event begins the count anew */
        end_polls_of(p, seen.fd);
        assert_int_equal(seen.calls, i - 1);
        ring_bell(&seen);
        while (seen.calls < i)
            assert_true(poller_run(p, true) >= 0);
        assert_int_equal(seen.revents, POLLIN);
        eventfd_t value;
        assert_int_equal(eventfd_read(seen.fd, &value), 0); /* so that a new poll is no edge */
    }
    close_seen(&seen);
}

static void uring_does_not_make_a_poll_again_for_ever(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;
    int ends = 0;

    open_seen(&seen, p);
    assert_int_equal(poller_run(p, false), 0);
    while (seen.calls == 0 && ends < 1000) {
        end_polls_of(p, seen.fd);
        ends++;
    }
    assert_in_range(ends, 2, 100);
    assert_int_equal(seen.revents, POLLERR | POLLNVAL);
    close_seen(&seen);
}

static void uring_tells_an_fd_that_cant_be_polled(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p};
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(poller_add(p, fileno(file), POLLIN, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), 1);
    assert_true(seen.revents & (POLLERR | POLLIN));
    poller_remove(p, seen.watch);
    assert_int_equal(poller_run(p, false), 0);
    fclose(file);
}

struct nop {
    struct poller_op op;
    struct poller *poller;
    int completed;
    int left; /* submits itself again that many times */
};

static void on_nop(struct poller_op *op, int32_t res)
{
    struct nop *nop = (struct nop *)op;
    struct io_uring_sqe *sqe;

    assert_int_equal(res, 0);
    nop->completed++;
    if (nop->left-- <= 0)
        return;
    sqe = poller_uring_sqe(nop->poller, &nop->op);
    assert_non_null(sqe);
    io_uring_prep_nop(sqe);
    assert_int_equal(poller_uring_submit(nop->poller), 0);
}

static void operations_of_others_complete_on_the_ring(void **state)
{
    struct poller *p = poller_or_skip(state);
    static struct nop nops[1000]; /* more than the submission queue holds */
    int called = 0;

    memset(nops, 0, sizeof(nops));
    assert_non_null(poller_uring(p));
    for (int i = 0; i < 1000; i++) {
        struct io_uring_sqe *sqe;

        nops[i] = (struct nop){.op.complete = on_nop, .poller = p, .left = i == 0 ? 3 : 0};
        sqe = poller_uring_sqe(p, &nops[i].op);
        assert_non_null(sqe);
        io_uring_prep_nop(sqe);
    }
    assert_int_equal(poller_uring_submit(p), 0);
    while (called < 1003) {
        int rc = poller_run(p, true);

        assert_true(rc > 0);
        called += rc;
    }
    assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(nops[0].completed, 4);
    for (int i = 1; i < 1000; i++)
        assert_int_equal(nops[i].completed, 1);
}

/* With the completion queue full of other things the kernel ends a poll: it has to be re-armed. */
static void an_overflowing_completion_queue_loses_nothing(void **state)
{
    static struct nop nops[40];
    struct poller *p = NULL;
    struct seen seen[4];

    poller_or_skip(state);
    assert_int_equal(poller_uring_create(8, 16, &p), 0);
    for (int i = 0; i < 4; i++)
        open_seen(&seen[i], p);
    assert_int_equal(poller_run(p, false), 0);
    for (int round = 0; round < 3; round++) {
        memset(nops, 0, sizeof(nops));
        for (int i = 0; i < 40; i++) {
            nops[i].op.complete = on_nop;
            io_uring_prep_nop(poller_uring_sqe(p, &nops[i].op));
        }
        assert_int_equal(poller_uring_submit(p), 0);
        for (int i = 0; i < 4; i++) {
            seen[i].calls = 0;
            ring_bell(&seen[i]);
        }
        while (poller_run(p, false) > 0)
            ;
        for (int i = 0; i < 4; i++)
            assert_true(seen[i].calls >= 1);
        for (int i = 0; i < 40; i++)
            assert_int_equal(nops[i].completed, 1);
    }
    for (int i = 0; i < 4; i++)
        close_seen(&seen[i]);
    poller_destroy(p);
}

/* From here on any system call but exit_group ends the process. */
static int forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {.len = 4, .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void an_idle_run_makes_no_system_call(void **state)
{
    pid_t pid;
    int status;

    poller_or_skip(state);
    if (is_under_valgrind())
        skip(); /* which makes system calls of its own */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct poller *p; /* a ring belongs to the process that created it */
        struct poller_watch *watch;
        int fd = eventfd(0, EFD_CLOEXEC);

        if (poller_create(POLLER_URING, &p) || poller_add(p, fd, POLLIN, on_event, NULL, &watch) ||
            poller_run(p, false) != 0)
            _exit(1);
        if (forbid_system_calls() < 0)
            _exit(2);
        for (int i = 0; i < 1000; i++)
            if (poller_run(p, false) != 0)
                syscall(SYS_exit_group, 3);
        syscall(SYS_exit_group, 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#endif

#define WITH_EPOLL(test)                                                                           \
    {                                                                                              \
#test "/epoll", test, setup_epoll, teardown, NULL                                          \
    }
#define WITH_URING(test)                                                                           \
    {                                                                                              \
#test "/uring", test, setup_uring, teardown, NULL                                          \
    }
#define ALL(with)                                                                                  \
    with(calls_nobody_when_nothing_happens), with(every_write_to_an_unread_doorbell_is_an_edge),   \
        with(many_writes_before_a_run_are_not_lost), with(readiness_before_add_is_an_edge),        \
        with(tells_each_watch_its_own_events), with(hang_up_of_a_socket_is_told),                  \
        with(a_full_socket_becomes_writable_again), with(sleep_ends_with_a_timer),                 \
        with(a_removed_watch_is_not_called_for_a_queued_edge),                                     \
        with(a_callback_may_remove_its_own_watch), with(a_callback_may_remove_another_watch),      \
        with(a_callback_may_add_a_watch), with(watches_come_and_go_without_a_run),                 \
        with(destroy_frees_watches_and_leaves_fds_open), with(destroy_closes_what_it_has_opened),  \
        with(a_signal_ends_the_sleep), with(a_removal_wakes_nobody), with(a_callback_may_end_it)

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
    };
    const struct CMUnitTest uring_tests[] = {
        ALL(WITH_URING),
#ifdef HAVE_LIBURING
        WITH_URING(uring_tells_what_the_kernel_says_for_good),
        WITH_URING(uring_tells_a_watch_that_has_ended),
        WITH_URING(uring_makes_a_poll_again_that_the_kernel_has_ended),
        WITH_URING(uring_does_not_make_a_poll_again_for_ever),
        WITH_URING(uring_tells_an_fd_that_cant_be_polled),
        WITH_URING(operations_of_others_complete_on_the_ring),
        WITH_URING(an_overflowing_completion_queue_loses_nothing),
        WITH_URING(an_idle_run_makes_no_system_call),
#endif
    };
    /* epoll first: what the kernel still does for a ring that was closed interrupts epoll_wait */
    int failed = cmocka_run_group_tests(epoll_tests, NULL, NULL);

    return failed + cmocka_run_group_tests(uring_tests, NULL, NULL);
}
