/* SPDX-License-Identifier: MIT */
/*
 * timers_crowd: so many timers, so close to each other, that some are about to ring whenever the
 * rate changes: whoever is told of one finds it due by the domain's clock.
 *
 *     timers_crowd ROUNDS
 *
 * Half of them are timerfds that one thread reads, half POSIX timers whose signals another takes.
 * Exit 1: one has rung early.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { TIMERS = 128, FIRST_NS = 3000000, STEP_NS = 80000 };

struct half {
    unsigned rounds, early;
    int64_t worst_ns;
};

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static struct itimerspec at(int64_t ns)
{
    return (struct itimerspec){.it_value = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}};
}

static void judge(struct half *half, int64_t due_ns)
{
    const int64_t early_ns = due_ns - now_ns();

    if (early_ns <= 0)
        return;
    half->early++;
    if (early_ns > half->worst_ns)
        half->worst_ns = early_ns;
}

static void *descriptors_main(void *arg)
{
    struct half *half = arg;
    struct epoll_event event = {.events = EPOLLIN};
    int64_t due_ns[TIMERS];
    int fds[TIMERS], epoll = epoll_create1(EPOLL_CLOEXEC);

    for (uint32_t i = 0; i < TIMERS; i++) {
        fds[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        event.data.u32 = i;
        if (fds[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
            err(2, "timerfd");
    }
    for (unsigned round = 0; round < half->rounds; round++) {
        const int64_t from_ns = now_ns() + FIRST_NS;
        for (unsigned i = 0; i < TIMERS; i++) {
            due_ns[i] = from_ns + i * STEP_NS;
            const struct itimerspec spec = at(due_ns[i]);
            timerfd_settime(fds[i], TFD_TIMER_ABSTIME, &spec, NULL);
        }
        for (unsigned rung = 0; rung < TIMERS; rung++) {
            uint64_t count;
            int n = epoll_wait(epoll, &event, 1, -1);
            ssize_t got = n != 1 ? 0 : read(fds[event.data.u32], &count, sizeof(count));
            if (n != 1 || got != sizeof(count))
                err(2, "a timerfd: %d events, %zd bytes", n, got);
            judge(half, due_ns[event.data.u32]);
        }
    }
    return NULL;
}

static void *signals_main(void *arg)
{
    struct half *half = arg;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    int64_t due_ns[TIMERS];
    timer_t timers[TIMERS];
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    for (int i = 0; i < TIMERS; i++) {
        event.sigev_value.sival_int = i;
        if (timer_create(CLOCK_MONOTONIC, &event, &timers[i]) < 0)
            err(2, "timer_create");
    }
    for (unsigned round = 0; round < half->rounds; round++) {
        const int64_t from_ns = now_ns() + FIRST_NS;
        for (unsigned i = 0; i < TIMERS; i++) {
            due_ns[i] = from_ns + i * STEP_NS;
            const struct itimerspec spec = at(due_ns[i]);
            timer_settime(timers[i], TIMER_ABSTIME, &spec, NULL);
        }
        for (unsigned rung = 0; rung < TIMERS;) {
            if (sigwaitinfo(&set, &info) < 0 && errno == EINTR)
                continue;
            judge(half, due_ns[info.si_value.sival_int]);
            rung++;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct half halves[2] = {0};
    pthread_t threads[2];
    sigset_t set;

    if (argc != 2)
        errx(2, "usage: timers_crowd ROUNDS");
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 2; i++) {
        halves[i].rounds = (unsigned)atoi(argv[1]);
        if (pthread_create(&threads[i], NULL, i == 0 ? descriptors_main : signals_main,
                           &halves[i]) != 0)
            errx(2, "pthread_create");
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("timerfds: %u of %u early, by up to %lld ns; POSIX timers: %u, %lld ns\n",
           halves[0].early, halves[0].rounds * TIMERS, (long long)halves[0].worst_ns,
           halves[1].early, (long long)halves[1].worst_ns);
    return halves[0].early + halves[1].early > 0;
}
