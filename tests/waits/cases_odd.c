/* SPDX-License-Identifier: MIT */
/* Timers where something is missing or too much: /proc, descriptors. */
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/waits/waits.h"

static void until(int fd, int flags, struct timespec when)
{
    const struct itimerspec spec = {.it_value = when};
    uint64_t expiries;
    must(timerfd_settime(fd, flags, &spec, NULL), "timerfd_settime");
    must(read(fd, &expiries, sizeof(expiries)), "read of a timerfd");
    end(0);
}

/* In a root where there is no /proc. */
static void in_another_root(clockid_t clock, int flags)
{
    int fd = timerfd_create(clock, 0);
    must(fd, "timerfd_create");
    if (chroot("/sys") < 0)
        absent("chroot");
    struct timespec when = flags ? wait_until(clock) : wait_timespec();
    begin();
    until(fd, flags, when);
}

static void fd_in_another_root(void)
{
    in_another_root(CLOCK_MONOTONIC, 0);
}

static void fd_until_in_another_root(void)
{
    in_another_root(CLOCK_REALTIME, TFD_TIMER_ABSTIME);
}

static void no_descriptor_left(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, 0);
    must(fd, "timerfd_create");
    const struct rlimit none = {0, 0};
    must(setrlimit(RLIMIT_NOFILE, &none), "setrlimit");
    struct timespec when = wait_until(CLOCK_REALTIME);
    begin();
    until(fd, TFD_TIMER_ABSTIME, when);
}

const struct wait_case cases_odd[] = {
    {"timerfd in another root", KIND_WAIT, fd_in_another_root, 0, 0, 0, 0, 0},
    {"timerfd until, in another root", KIND_WAIT, fd_until_in_another_root, 0, 0, 0, 0, 0},
    {"timerfd, no descriptor left", KIND_WAIT, no_descriptor_left, 0, 0, 0, 0, 0},
    {.name = NULL},
};
