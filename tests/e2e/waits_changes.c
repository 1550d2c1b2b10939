/* SPDX-License-Identifier: MIT */
/*
 * waits_changes: 32 threads in eight kinds of wait, and one that reads the clock, while somebody
 * else changes the rate.
 *
 *     waits_changes tsc                           prints the TSC's ticks in a microsecond
 *     waits_changes SPAN_MS TICKS_IN_US [P99_US]  for so many milliseconds of CLOCK_MONOTONIC
 *
 * Prints how many waits there were, and how late they ended: the median, the 99th of 100 and the
 * latest, in microseconds of the TSC, which is not dilated. Exit 1: a wait ended early or a clock
 * stepped back; or the 99th of 100 was over P99_US.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "time_map.h"

enum { KINDS = 8, WAITERS = 32, WAITS_MAX = 16384, SPAN_NS_MAX = 40000000 };

#define NS INT64_C(1000000000)

struct waiter {
    pthread_t thread;
    unsigned kind, seed, count;
    int64_t end_ns, early_ns;
    unsigned *running;
    uint64_t ended[WAITS_MAX]; /* TSC ticks */
    int64_t due_ns[WAITS_MAX];
};

static int64_t clock_at(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * NS + ts.tv_nsec;
}

static struct timespec spec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS, .tv_nsec = ns % NS};
}

static void wait_on_condition(int64_t until_ns)
{
    const struct timespec until = spec(until_ns);
    pthread_condattr_t attr;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&condition, &attr);
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(&condition, &mutex, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&mutex);
}

static void wait_on_epoll(int span_ms)
{
    struct epoll_event event;
    int fd = epoll_create1(0);

    if (fd < 0 || epoll_wait(fd, &event, 1, span_ms) != 0)
        err(1, "epoll");
    close(fd);
}

static void wait_on_semaphore(int64_t span_ns)
{
    const struct timespec until = spec(clock_at(CLOCK_REALTIME) + span_ns);
    sem_t semaphore;

    sem_init(&semaphore, 0, 0);
    while (sem_timedwait(&semaphore, &until) == 0 || errno != ETIMEDOUT)
        ;
    sem_destroy(&semaphore);
}

static void wait_once(unsigned kind, int64_t from_ns, int64_t span_ns)
{
    struct timespec span = spec(span_ns), until = spec(from_ns + span_ns);
    struct timeval tv = {.tv_usec = span_ns / 1000};
    sigset_t none;

    sigemptyset(&none);
    switch (kind) {
    case 0:
        if (nanosleep(&span, NULL) != 0)
            err(1, "nanosleep");
        break;
    case 1:
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
            errx(1, "clock_nanosleep");
        break;
    case 2:
        if (poll(NULL, 0, (int)(span_ns / 1000000)) != 0)
            err(1, "poll");
        break;
    case 3:
        if (select(0, NULL, NULL, NULL, &tv) != 0)
            err(1, "select");
        break;
    case 4:
        wait_on_epoll((int)(span_ns / 1000000));
        break;
    case 5:
        wait_on_condition(from_ns + span_ns);
        break;
    case 6:
        wait_on_semaphore(span_ns);
        break;
    default:
        if (sigtimedwait(&none, NULL, &span) >= 0 || errno != EAGAIN)
            err(1, "sigtimedwait");
    }
}

static void *waiter_main(void *argument)
{
    struct waiter *w = argument;

    while (clock_at(CLOCK_MONOTONIC) < w->end_ns && w->count < WAITS_MAX) {
        int64_t span_ns = (1 + rand_r(&w->seed) % (SPAN_NS_MAX / 1000000)) * INT64_C(1000000);
        int64_t from_ns = clock_at(CLOCK_MONOTONIC);
        wait_once(w->kind, from_ns, span_ns);
        w->ended[w->count] = __builtin_ia32_rdtsc();
        int64_t late_ns = clock_at(CLOCK_MONOTONIC) - from_ns - span_ns;
        if (-late_ns > w->early_ns)
            w->early_ns = -late_ns;
        w->due_ns[w->count++] = from_ns + span_ns;
    }
    __atomic_sub_fetch(w->running, 1, __ATOMIC_RELEASE);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int print_tsc(void)
{
    const struct timespec span = spec(NS / 10);
    int64_t from_ns = clock_at(CLOCK_MONOTONIC);
    uint64_t from = __builtin_ia32_rdtsc();

    nanosleep(&span, NULL);
    uint64_t ticks = __builtin_ia32_rdtsc() - from;
    return printf("%.3f\n", 1e3 * (double)ticks / (double)(clock_at(CLOCK_MONOTONIC) - from_ns)) <
           0;
}

int main(int argc, char **argv)
{
    static struct waiter waiters[WAITERS];
    static struct time_map map;
    static double all[WAITERS * WAITS_MAX];
    unsigned count = 0, running = WAITERS;
    int64_t early_ns = 0;

    if (argc == 2 && strcmp(argv[1], "tsc") == 0)
        return print_tsc();
    if (argc < 3 || atof(argv[2]) <= 0)
        errx(2, "usage: waits_changes tsc | SPAN_MS TICKS_IN_US [P99_US]");
    const int64_t end_ns = clock_at(CLOCK_MONOTONIC) + atoll(argv[1]) * 1000000;
    for (unsigned i = 0; i < WAITERS; i++) {
        struct waiter *w = &waiters[i];
        w->kind = i % KINDS;
        w->seed = i + 1;
        w->end_ns = end_ns;
        w->running = &running;
        if (pthread_create(&w->thread, NULL, waiter_main, w) != 0)
            errx(1, "pthread_create");
    }
    time_map_fill(&map, end_ns, &running);
    for (unsigned i = 0; i < WAITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
        if (waiters[i].early_ns > early_ns)
            early_ns = waiters[i].early_ns;
        for (unsigned k = 0; k < waiters[i].count; k++)
            all[count++] =
                time_map_late(&map, waiters[i].ended[k], waiters[i].due_ns[k]) / atof(argv[2]);
    }
    if (count == 0)
        errx(1, "no wait came to its end");
    qsort(all, count, sizeof(*all), by_size);
    const double p99 = all[count * 99 / 100];
    printf("%u waits, late by %.0f, %.0f (p99), %.0f us; early by %lld ns, back by %lld ns\n",
           count, all[count / 2], p99, all[count - 1], (long long)early_ns, (long long)map.back_ns);
    return early_ns > 0 || map.back_ns > 0 || (argc > 3 && p99 > atof(argv[3]));
}
