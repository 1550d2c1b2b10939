/* SPDX-License-Identifier: MIT */
/*
 * The thread waits in poll for a signal (signalfd) or for its own end (eventfd). Cancelling it
 * would need a real-time signal, which a full queue of signals (RLIMIT_SIGPENDING) refuses, and
 * libgcc_s, which a minimal system lacks.
 */
#include "client/signal_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/thread.h"

/* All but those that were ignored when the program started, as nohup does with SIGHUP. */
static sigset_t ending_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    }
    return set;
}

/* Returns false if there is no workload that the signal could stop. */
static bool stop_workload(struct signal_watch *watch, int number)
{
    bool stopped = false;

    pthread_mutex_lock(&watch->lock);
    if (watch->workload != NULL && watch->signal == 0) {
        watch->signal = number;
        workload_stop(watch->workload);
        stopped = true;
    }
    pthread_mutex_unlock(&watch->lock);
    return stopped;
}

/* Ends the process as the signal would have done without this watch. */
static void die_of(int number)
{
    sigset_t set;
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    _exit(128 + number); /* the first process of a PID namespace outlives a signal of its own */
}

static void *watch_main(void *argument)
{
    struct signal_watch *watch = argument;
    struct pollfd fds[] = {{.fd = watch->signal_fd, .events = POLLIN},
                           {.fd = watch->end_fd, .events = POLLIN}};
    for (;;) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0)
            continue; /* EINTR: no other error is possible with two open descriptors */
        if (fds[1].revents != 0)
            return NULL;
        if (read(watch->signal_fd, &info, sizeof(info)) != sizeof(info))
            continue;
        if (!stop_workload(watch, (int)info.ssi_signo))
            die_of((int)info.ssi_signo);
    }
}

static void close_fds(struct signal_watch *watch)
{
    if (watch->signal_fd >= 0)
        close(watch->signal_fd);
    if (watch->end_fd >= 0)
        close(watch->end_fd);
}

int signal_watch_start(struct signal_watch *watch)
{
    sigset_t set = ending_signals();

    *watch = (struct signal_watch){.signal_fd = -1, .end_fd = -1};
    watch->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (watch->signal_fd >= 0)
        watch->end_fd = eventfd(0, EFD_CLOEXEC);
    int rc = watch->end_fd < 0 ? -errno : 0;
    pthread_mutex_init(&watch->lock, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc == 0)
        rc = thread_start(&watch->thread, watch_main, watch);
    if (rc < 0) {
        close_fds(watch);
        pthread_mutex_destroy(&watch->lock);
    }
    return rc;
}

void signal_watch_set(struct signal_watch *watch, struct workload *workload)
{
    pthread_mutex_lock(&watch->lock);
    watch->workload = workload;
    pthread_mutex_unlock(&watch->lock);
}

int signal_watch_clear(struct signal_watch *watch)
{
    int number;

    pthread_mutex_lock(&watch->lock);
    watch->workload = NULL;
    number = watch->signal;
    pthread_mutex_unlock(&watch->lock);
    return number;
}

void signal_watch_end(struct signal_watch *watch)
{
    (void)eventfd_write(watch->end_fd, 1); /* a counter of 0 takes it */
    pthread_join(watch->thread, NULL);
    close_fds(watch);
    pthread_mutex_destroy(&watch->lock);
}
