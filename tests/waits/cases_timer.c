/* SPDX-License-Identifier: MIT */
/* Timers of the kernel's: their first expiry, and the periods after that. */
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/waits/waits.h"

enum { PERIODS = 3, MS = 1000000 };

static struct itimerspec once(void)
{
    return (struct itimerspec){.it_value = wait_timespec()};
}

static struct itimerspec periodic(void)
{
    return (struct itimerspec){.it_value = wait_timespec(), .it_interval = wait_timespec()};
}

static void take_expiries(int fd, uint64_t count)
{
    uint64_t expiries = 0, now;
    while (expiries < count) {
        must(read(fd, &now, sizeof(now)), "read of a timerfd");
        expiries += now;
    }
}

static void fd_relative(clockid_t clock)
{
    struct itimerspec when = once();
    int fd = timerfd_create(clock, 0);
    must(fd, "timerfd_create");
    begin();
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    take_expiries(fd, 1);
    end(0);
}

static void fd_monotonic(void)
{
    fd_relative(CLOCK_MONOTONIC);
}
static void fd_realtime(void)
{
    fd_relative(CLOCK_REALTIME);
}
static void fd_boottime(void)
{
    fd_relative(CLOCK_BOOTTIME);
}

static void fd_absolute(clockid_t clock)
{
    int fd = timerfd_create(clock, 0);
    must(fd, "timerfd_create");
    struct itimerspec when = {.it_value = wait_until(clock)};
    begin();
    must(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL), "timerfd_settime");
    take_expiries(fd, 1);
    end(0);
}

static void fd_until_monotonic(void)
{
    fd_absolute(CLOCK_MONOTONIC);
}
static void fd_until_realtime(void)
{
    fd_absolute(CLOCK_REALTIME);
}
static void fd_until_boottime(void)
{
    fd_absolute(CLOCK_BOOTTIME);
}

static void fd_periodic(void)
{
    struct itimerspec when = periodic();
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    begin();
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    for (int i = 0; i < PERIODS; i++)
        take_expiries(fd, 1);
    end(0);
}

static void fd_polled(void)
{
    struct itimerspec when = once();
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    begin();
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    must(poll(&wanted, 1, -1), "poll");
    end(0);
}

/* The number of a timer is no clock: a copy has one, too. */
static void fd_copied(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, 0);
    int copy = dup(fd);
    close(fd);
    struct itimerspec when = {.it_value = wait_until(CLOCK_REALTIME)};
    begin();
    must(timerfd_settime(copy, TFD_TIMER_ABSTIME, &when, NULL), "timerfd_settime");
    take_expiries(copy, 1);
    end(0);
}

static void fd_inherited(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, 0);
    if (fork() != 0)
        _exit(0);
    struct itimerspec when = {.it_value = wait_until(CLOCK_REALTIME)};
    begin();
    must(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL), "timerfd_settime");
    take_expiries(fd, 1);
    end(0);
}

static sigset_t only(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return set;
}

static void take_signals(sigset_t set, int count)
{
    int number;
    for (int i = 0; i < count; i++)
        sigwait(&set, &number);
}

static timer_t make_timer(clockid_t clock)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t timer;
    must(timer_create(clock, &event, &timer), "timer_create");
    return timer;
}

static void posix_timer(clockid_t clock, int flags, struct itimerspec when, int count)
{
    sigset_t set = only(SIGRTMIN);
    timer_t timer = make_timer(clock);
    if (flags == TIMER_ABSTIME)
        when.it_value = wait_until(clock);
    begin();
    must(timer_settime(timer, flags, &when, NULL), "timer_settime");
    take_signals(set, count);
    end(0);
}

static void timer_monotonic(void)
{
    posix_timer(CLOCK_MONOTONIC, 0, once(), 1);
}
static void timer_realtime(void)
{
    posix_timer(CLOCK_REALTIME, 0, once(), 1);
}
static void timer_boottime(void)
{
    posix_timer(CLOCK_BOOTTIME, 0, once(), 1);
}
static void timer_until_monotonic(void)
{
    posix_timer(CLOCK_MONOTONIC, TIMER_ABSTIME, once(), 1);
}
static void timer_until_realtime(void)
{
    posix_timer(CLOCK_REALTIME, TIMER_ABSTIME, once(), 1);
}
static void timer_until_boottime(void)
{
    posix_timer(CLOCK_BOOTTIME, TIMER_ABSTIME, once(), 1);
}
static void timer_periodic(void)
{
    posix_timer(CLOCK_MONOTONIC, 0, periodic(), PERIODS);
}

static sem_t rung;

static void ring(union sigval unused)
{
    (void)unused;
    sem_post(&rung);
}

static void timer_thread(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = ring};
    struct itimerspec when = once();
    timer_t timer;
    sem_init(&rung, 0, 0);
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    begin();
    must(timer_settime(timer, 0, &when, NULL), "timer_settime");
    while (sem_wait(&rung) < 0)
        ;
    end(0);
}

static void interval(int periods)
{
    sigset_t set = only(SIGALRM);
    struct itimerval when = {.it_value = wait_timeval()};
    if (periods > 1)
        when.it_interval = wait_timeval();
    begin();
    must(setitimer(ITIMER_REAL, &when, NULL), "setitimer");
    take_signals(set, periods);
    end(0);
}

static void itimer(void)
{
    interval(1);
}
static void itimer_periodic(void)
{
    interval(PERIODS);
}

static void alarm_second(void)
{
    sigset_t set = only(SIGALRM);
    begin();
    alarm(1);
    take_signals(set, 1);
    end(0);
}

/* Of the old kind: a system call that a signal interrupts. */
static void nothing(int number)
{
    (void)number;
}

static void alarm_interrupts(void)
{
    struct sigaction action = {.sa_handler = nothing};
    struct itimerval when = {.it_value = wait_timeval()};
    sigaction(SIGALRM, &action, NULL);
    begin();
    must(setitimer(ITIMER_REAL, &when, NULL), "setitimer");
    pause();
    end(0);
}

const struct wait_case cases_timer[] = {
    {"timerfd MONOTONIC", KIND_WAIT, fd_monotonic, 0, 0, 0, 0, 0},
    {"timerfd REALTIME", KIND_WAIT, fd_realtime, 0, 0, 0, 0, 0},
    {"timerfd BOOTTIME", KIND_WAIT, fd_boottime, 0, 0, 0, 0, 0},
    {"timerfd until MONOTONIC", KIND_WAIT, fd_until_monotonic, 0, 0, 0, 0, 0},
    {"timerfd until REALTIME", KIND_WAIT, fd_until_realtime, 0, 0, 0, 0, 0},
    {"timerfd until BOOTTIME", KIND_WAIT, fd_until_boottime, 0, 0, 0, 0, 0},
    {"timerfd periodic", KIND_WAIT, fd_periodic, 0, 0, PERIODS, 0, 0},
    {"timerfd polled", KIND_WAIT, fd_polled, 0, 0, 0, 0, 0},
    {"timerfd copied", KIND_WAIT, fd_copied, 0, 0, 0, 0, 0},
    {"timerfd inherited", KIND_WAIT, fd_inherited, 0, 0, 0, 0, 0},
    {"timer MONOTONIC", KIND_WAIT, timer_monotonic, 0, 0, 0, 0, 0},
    {"timer REALTIME", KIND_WAIT, timer_realtime, 0, 0, 0, 0, 0},
    {"timer BOOTTIME", KIND_WAIT, timer_boottime, 0, 0, 0, 0, 0},
    {"timer until MONOTONIC", KIND_WAIT, timer_until_monotonic, 0, 0, 0, 0, 0},
    {"timer until REALTIME", KIND_WAIT, timer_until_realtime, 0, 0, 0, 0, 0},
    {"timer until BOOTTIME", KIND_WAIT, timer_until_boottime, 0, 0, 0, 0, 0},
    {"timer periodic", KIND_WAIT, timer_periodic, 0, 0, PERIODS, 0, 0},
    {"timer SIGEV_THREAD", KIND_WAIT, timer_thread, 0, 0, 0, 0, 0},
    {"setitimer", KIND_WAIT, itimer, 0, 0, 0, 0, 0},
    {"setitimer periodic", KIND_WAIT, itimer_periodic, 0, 0, PERIODS, 0, 0},
    {"setitimer interrupts", KIND_WAIT, alarm_interrupts, 0, 0, 0, 0, 0},
    {"alarm", KIND_WAIT, alarm_second, 0, 0, 0, 1, 0},
    {.name = NULL},
};
