/* SPDX-License-Identifier: MIT */
/*
 * timers_periodic SPAN_MS: three periodic timers of 5 ms, a timerfd, a POSIX timer and ITIMER_REAL,
 * while somebody else changes the rate. After SPAN_MS of CLOCK_MONOTONIC each is to have rung once
 * a period: the timerfd to one, the others no more often than that. (Of signals that nobody takes
 * in time, on a busy machine, the kernel makes one.) Exit 1: one has not.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "time_map.h"

enum { PERIOD_NS = 5000000 };

static volatile sig_atomic_t rung, alarms;

static void on_ring(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    rung += 1 + info->si_overrun;
}

static void on_alarm(int signo)
{
    (void)signo;
    alarms += 1;
}

static bool is_wrong(const char *name, uint64_t count, uint64_t least, uint64_t most)
{
    printf("%s: %llu of %llu; ", name, (unsigned long long)count, (unsigned long long)most - 1);
    return count < least || count > most;
}

int main(int argc, char **argv)
{
    const struct sigaction ring = {.sa_sigaction = on_ring, .sa_flags = SA_SIGINFO | SA_RESTART};
    const struct sigaction alarm = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    const struct itimerspec spec = {.it_value.tv_nsec = PERIOD_NS,
                                    .it_interval.tv_nsec = PERIOD_NS};
    const struct itimerval val = {.it_value.tv_usec = PERIOD_NS / 1000,
                                  .it_interval.tv_usec = PERIOD_NS / 1000};
    uint64_t count, read_ns, ticks = 0;
    timer_t timer;

    if (argc != 2)
        errx(2, "usage: timers_periodic SPAN_MS");
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (sigaction(SIGRTMIN, &ring, NULL) < 0 || sigaction(SIGALRM, &alarm, NULL) < 0 || fd < 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        err(1, "a timer");
    const uint64_t from_ns = (uint64_t)time_map_now_ns();
    if (timerfd_settime(fd, 0, &spec, NULL) < 0 || timer_settime(timer, 0, &spec, NULL) < 0 ||
        setitimer(ITIMER_REAL, &val, NULL) < 0)
        err(1, "a timer");
    const uint64_t set_ns = (uint64_t)time_map_now_ns();
    do { /* others may have the CPU at any place: what is due before a read is in it */
        read_ns = (uint64_t)time_map_now_ns();
        if (read(fd, &count, sizeof(count)) != sizeof(count))
            err(1, "timerfd");
        ticks += count;
    } while (read_ns < from_ns + strtoull(argv[1], NULL, 10) * 1000000);
    const uint64_t posix = (uint64_t)rung, interval = (uint64_t)alarms;
    const uint64_t least = (read_ns - set_ns) / PERIOD_NS;
    const uint64_t most = ((uint64_t)time_map_now_ns() - from_ns) / PERIOD_NS;
    bool wrong = is_wrong("timerfd", ticks, least - 1, most + 1);
    wrong = is_wrong("POSIX", posix, 0, most + 1) || wrong;
    return is_wrong("interval", interval, 0, most + 1) || wrong;
}
