/* SPDX-License-Identifier: MIT */
/* poller: watches that come and go, in callbacks too, of both kinds. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "unit/service/loop/poller_seen.h"

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

/* Its memory is given back, also that of a removal of which the kernel has not heard yet. */
static void a_watch_may_be_removed_right_before_the_end(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    ring_bell(&seen);
    poller_remove(p, seen.watch);
    poller_destroy(p);
    *state = NULL;
    ring_bell(&seen); /* the descriptor is open still */
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

#define ALL(with)                                                                                  \
    with(a_removed_watch_is_not_called_for_a_queued_edge),                                         \
        with(a_callback_may_remove_its_own_watch), with(a_callback_may_remove_another_watch),      \
        with(a_callback_may_add_a_watch), with(watches_come_and_go_without_a_run),                 \
        with(a_watch_may_be_removed_right_before_the_end),                                         \
        with(destroy_closes_what_it_has_opened), with(a_removal_wakes_nobody)

int main(void)
{
    const struct CMUnitTest epoll_tests[] = {
        ALL(WITH_EPOLL),
    };
    const struct CMUnitTest uring_tests[] = {ALL(WITH_URING)};
    /* epoll first: what the kernel still does for a ring that was closed interrupts epoll_wait */
    int failed = cmocka_run_group_tests(epoll_tests, NULL, NULL);

    return failed + cmocka_run_group_tests(uring_tests, NULL, NULL);
}
