/* SPDX-License-Identifier: MIT */
/*
 * timers_changes: kernel timers in nine threads, while somebody else changes the rate.
 *
 *     timers_changes SPAN_MS TICKS_IN_US [EARLY_US [LATE_US]]
 *
 * For SPAN_MS milliseconds of CLOCK_MONOTONIC four threads read a timerfd, four wait for a POSIX
 * timer's signal, one for SIGALRM. Prints how many timers there were, and how early and how late
 * they rang, in microseconds of the TSC, which is not dilated (waits_changes tsc tells its rate).
 * A timer begins somewhere in the call that sets it: early is before a span since the call began,
 * late is after a span since it ended. Exit 1: of 100 more than one was over EARLY_US early, or
 * over LATE_US late.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "time_map.h"

enum { THREADS = 9, TIMERS_MAX = 16384, SPAN_MS_MAX = 20 };

struct waiter {
    pthread_t thread;
    unsigned number, seed, count;
    int64_t end_ns;
    timer_t timer;
    int fd;
    unsigned *running;
    uint64_t ended[TIMERS_MAX];                        /* TSC ticks */
    int64_t first_ns[TIMERS_MAX], last_ns[TIMERS_MAX]; /* when it is due */
};

static void take_signal(int signo)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signo);
    while (sigwaitinfo(&set, NULL) != signo)
        if (errno != EINTR)
            err(1, "sigwaitinfo");
}

static void make_timer(struct waiter *w)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    w->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (w->fd < 0 || timer_create(CLOCK_MONOTONIC, &event, &w->timer) < 0)
        err(1, "a timer");
}

/* A timer that rings after span_ns; what the clock shows when it is set goes to *set_ns. */
static void ring_once(const struct waiter *w, int64_t span_ns, int64_t *set_ns)
{
    const struct itimerspec spec = {.it_value = {.tv_nsec = span_ns}};
    const struct itimerval val = {.it_value = {.tv_usec = span_ns / 1000}};
    uint64_t count;

    if (w->number == 0) {
        setitimer(ITIMER_REAL, &val, NULL);
        *set_ns = time_map_now_ns();
        take_signal(SIGALRM);
    } else if (w->number % 2 == 0) {
        timer_settime(w->timer, 0, &spec, NULL);
        *set_ns = time_map_now_ns();
        take_signal(SIGRTMIN);
    } else {
        timerfd_settime(w->fd, 0, &spec, NULL);
        *set_ns = time_map_now_ns();
        if (read(w->fd, &count, sizeof(count)) != sizeof(count) || count != 1)
            err(1, "timerfd");
    }
}

static void *waiter_main(void *argument)
{
    struct waiter *w = argument;

    make_timer(w);
    while (time_map_now_ns() < w->end_ns && w->count < TIMERS_MAX) {
        int64_t span_ns = (1 + rand_r(&w->seed) % SPAN_MS_MAX) * INT64_C(1000000);
        int64_t from_ns = time_map_now_ns(), set_ns;
        ring_once(w, span_ns, &set_ns);
        w->ended[w->count] = __builtin_ia32_rdtsc();
        w->first_ns[w->count] = from_ns + span_ns;
        w->last_ns[w->count++] = set_ns + span_ns;
    }
    __atomic_sub_fetch(w->running, 1, __ATOMIC_RELEASE);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct waiter waiters[THREADS];
    static struct time_map map;
    static double early[THREADS * TIMERS_MAX], late[THREADS * TIMERS_MAX];
    unsigned count = 0, wrong = 0, running = THREADS;
    sigset_t blocked;

    if (argc < 3 || atof(argv[2]) <= 0)
        errx(2, "usage: timers_changes SPAN_MS TICKS_IN_US [EARLY_US [LATE_US]]");
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigaddset(&blocked, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    const double us = atof(argv[2]);
    const int64_t end_ns = time_map_now_ns() + atoll(argv[1]) * 1000000;
    for (unsigned i = 0; i < THREADS; i++) {
        waiters[i].number = i;
        waiters[i].seed = i + 1;
        waiters[i].end_ns = end_ns;
        waiters[i].running = &running;
        if (pthread_create(&waiters[i].thread, NULL, waiter_main, &waiters[i]) != 0)
            errx(1, "pthread_create");
    }
    time_map_fill(&map, end_ns, &running);
    for (unsigned i = 0; i < THREADS; i++) {
        const struct waiter *w = &waiters[i];
        pthread_join(w->thread, NULL);
        for (unsigned k = 0; k < w->count; k++) {
            early[count] = -time_map_late(&map, w->ended[k], w->first_ns[k]) / us;
            late[count++] = time_map_late(&map, w->ended[k], w->last_ns[k]) / us;
        }
    }
    if (count == 0)
        errx(1, "no timer rang");
    qsort(early, count, sizeof(*early), by_size);
    qsort(late, count, sizeof(*late), by_size);
    while (wrong < count && early[count - 1 - wrong] > 0)
        wrong++;
    const double early_us = early[count * 99 / 100], late_us = late[count * 99 / 100];
    printf("%u timers, %u early, by %.0f (p99), %.0f us; late by %.0f, %.0f (p99), %.0f us\n",
           count, wrong, early_us, early[count - 1], late[count / 2], late_us, late[count - 1]);
    return (argc > 3 && early_us > atof(argv[3])) || (argc > 4 && late_us > atof(argv[4]));
}
