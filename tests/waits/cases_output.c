/* SPDX-License-Identifier: MIT */
/* What waits and timers give back: the time that is left, old values, counts. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/waits/waits.h"

enum { MS = 1000000 };

static void nothing(int number)
{
    (void)number;
}

static void interruptible(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, NULL);
}

static int64_t timeval_ns(struct timeval at)
{
    return (int64_t)at.tv_sec * 1000000000 + at.tv_usec * 1000;
}

static void left_nanosleep(void)
{
    struct timespec span = wait_timespec(), left = {0, 0};
    interruptible();
    begin();
    nanosleep(&span, &left);
    end(timespec_ns(left));
}

static void left_nanosleep_in_place(void)
{
    struct timespec span = wait_timespec();
    interruptible();
    begin();
    nanosleep(&span, &span);
    end(timespec_ns(span));
}

static void left_clock_nanosleep(void)
{
    struct timespec span = wait_timespec(), left = {0, 0};
    interruptible();
    begin();
    clock_nanosleep(CLOCK_MONOTONIC, 0, &span, &left);
    end(timespec_ns(left));
}

#ifdef __GLIBC__ /* others keep the kernel's answer from the program */
static void left_select(void)
{
    struct timeval span = wait_timeval();
    int fds[2];
    fd_set set;
    must(pipe(fds), "pipe");
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    FD_SET(mark_fd(), &set);
    begin();
    must(select(mark_fd() + 1 > fds[0] + 1 ? mark_fd() + 1 : fds[0] + 1, &set, NULL, NULL, &span),
         "select");
    end(timeval_ns(span));
}
#endif

static void left_ppoll(void)
{
    struct timespec span = wait_timespec();
    struct pollfd fd = {.fd = mark_fd(), .events = POLLIN};
    begin();
    must(syscall(SYS_ppoll, &fd, 1, &span, NULL, 8), "ppoll");
    end(timespec_ns(span));
}

static void left_pselect(void)
{
    struct timespec span = wait_timespec();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(mark_fd(), &set);
    begin();
    must(syscall(SYS_pselect6, mark_fd() + 1, &set, NULL, NULL, &span, NULL), "pselect6");
    end(timespec_ns(span));
}

static void left_getitimer(void)
{
    struct itimerval when = {.it_value = wait_timeval()}, now;
    signal(SIGALRM, SIG_IGN);
    begin();
    must(setitimer(ITIMER_REAL, &when, NULL), "setitimer");
    go();
    must(getitimer(ITIMER_REAL, &now), "getitimer");
    end(timeval_ns(now.it_value));
}

static void left_setitimer(void)
{
    struct itimerval when = {.it_value = wait_timeval()}, none = {.it_value = {0, 0}}, old;
    signal(SIGALRM, SIG_IGN);
    begin();
    must(setitimer(ITIMER_REAL, &when, NULL), "setitimer");
    go();
    must(setitimer(ITIMER_REAL, &none, &old), "setitimer");
    end(timeval_ns(old.it_value));
}

/* Whole seconds, rounded: what is left of ten. */
static void left_alarm(void)
{
    signal(SIGALRM, SIG_IGN);
    alarm(10);
    begin();
    end(alarm(0) == 10 ? 0 : 1000000000);
}

static timer_t set_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec when = {.it_value = wait_timespec()};
    timer_t timer;
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    must(timer_settime(timer, 0, &when, NULL), "timer_settime");
    return timer;
}

static void left_timer_gettime(void)
{
    struct itimerspec now;
    timer_t timer = set_timer();
    begin();
    go();
    must(timer_gettime(timer, &now), "timer_gettime");
    end(timespec_ns(now.it_value));
}

static void left_timer_settime(void)
{
    struct itimerspec none = {.it_value = {0, 0}}, old;
    timer_t timer = set_timer();
    begin();
    go();
    must(timer_settime(timer, 0, &none, &old), "timer_settime");
    end(timespec_ns(old.it_value));
}

static int set_timerfd(void)
{
    struct itimerspec when = {.it_value = wait_timespec()};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    return fd;
}

static void left_timerfd_gettime(void)
{
    struct itimerspec now;
    int fd = set_timerfd();
    begin();
    go();
    must(timerfd_gettime(fd, &now), "timerfd_gettime");
    end(timespec_ns(now.it_value));
}

static void left_timerfd_settime(void)
{
    struct itimerspec none = {.it_value = {0, 0}}, old;
    int fd = set_timerfd();
    begin();
    go();
    must(timerfd_settime(fd, 0, &none, &old), "timerfd_settime");
    end(timespec_ns(old.it_value));
}

/* The interval is what it was set to. */
static void interval_stays(void)
{
    struct itimerspec when = {.it_value = wait_timespec(), .it_interval = wait_timespec()}, now;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    begin();
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    must(timerfd_gettime(fd, &now), "timerfd_gettime");
    end(timespec_ns(now.it_interval) - wait_ns);
}

static void count_timerfd(void)
{
    struct itimerspec when = {.it_value = wait_timespec(), .it_interval = wait_timespec()};
    uint64_t count = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    begin();
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    go();
    must(read(fd, &count, sizeof(count)), "read");
    end((int64_t)count);
}

/* Periodic since 1.75 s: four expiries, the next one in step. */
static void count_of_the_past(void)
{
    struct itimerspec when = {.it_interval.tv_nsec = 500000000}, next;
    uint64_t count = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    begin();
    const int64_t from_ns = clock_ns(CLOCK_MONOTONIC) - INT64_C(1750000000);
    when.it_value = (struct timespec){from_ns / 1000000000, from_ns % 1000000000};
    must(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL), "timerfd_settime");
    must(read(fd, &count, sizeof(count)), "read");
    must(timerfd_gettime(fd, &next), "timerfd_gettime");
    const int64_t at_ns = clock_ns(CLOCK_MONOTONIC) + timespec_ns(next.it_value);
    end(((int64_t)count - 4) * 500000000 + (at_ns - from_ns) % 500000000);
}

static void count_overrun(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec when = {.it_value = wait_timespec(), .it_interval = wait_timespec()};
    timer_t timer;
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    begin();
    must(timer_settime(timer, 0, &when, NULL), "timer_settime");
    go();
    must(sigwaitinfo(&set, &info), "sigwaitinfo");
    end(timer_getoverrun(timer) + 1);
}

const struct wait_case cases_output[] = {
    {"left of nanosleep", KIND_SIGNAL, left_nanosleep, 0, 0, 0, 0, 0},
    {"left of nanosleep, in place", KIND_SIGNAL, left_nanosleep_in_place, 0, 0, 0, 0, 0},
    {"left of clock_nanosleep", KIND_SIGNAL, left_clock_nanosleep, 0, 0, 0, 0, 0},
#ifdef __GLIBC__
    {"left of select", KIND_REMAIN, left_select, 0, 0, 0, 0, 0},
#endif
    {"left of syscall(ppoll)", KIND_REMAIN, left_ppoll, 0, 0, 0, 0, 0},
    {"left of syscall(pselect6)", KIND_REMAIN, left_pselect, 0, 0, 0, 0, 0},
    {"getitimer", KIND_REMAIN, left_getitimer, 0, 0, 0, 0, 0},
    {"old value of setitimer", KIND_REMAIN, left_setitimer, 0, 0, 0, 0, 0},
    {"alarm's answer", KIND_EQUAL, left_alarm, 0, 0, 0, 0, 0},
    {"timer_gettime", KIND_REMAIN, left_timer_gettime, 0, 0, 0, 0, 0},
    {"old value of timer_settime", KIND_REMAIN, left_timer_settime, 0, 0, 0, 0, 0},
    {"timerfd_gettime", KIND_REMAIN, left_timerfd_gettime, 0, 0, 0, 0, 0},
    {"old value of timerfd_settime", KIND_REMAIN, left_timerfd_settime, 0, 0, 0, 0, 0},
    {"interval of timerfd_gettime", KIND_EQUAL, interval_stays, 0, 0, 0, 0, 0},
    {"expiries of a timerfd", KIND_COUNT, count_timerfd, 0, 0, 0, 0, 0},
    {"expiries of the past", KIND_EQUAL, count_of_the_past, 20 * MS, 0, 0, 0, 0},
    {"overruns of a timer", KIND_COUNT, count_overrun, 0, 0, 0, 0, 0},
    {.name = NULL},
};
