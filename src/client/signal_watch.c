/* SPDX-License-Identifier: MIT */
#include "client/signal_watch.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Without those that the caller had us ignore, as nohup does with SIGHUP. */
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

static void *watch_main(void *argument)
{
    const sigset_t set = ending_signals();
    int number;

    for (;;) {
        if (sigwait(&set, &number) != 0 || stop_workload(argument, number))
            continue;
        signal(number, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        raise(number); /* does not return */
    }
    return NULL;
}

int signal_watch_start(struct signal_watch *watch)
{
    const sigset_t set = ending_signals();
    int rc;

    *watch = (struct signal_watch){.signal = 0};
    pthread_mutex_init(&watch->lock, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    rc = pthread_create(&watch->thread, NULL, watch_main, watch);
    if (rc != 0)
        pthread_mutex_destroy(&watch->lock);
    return -rc;
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
    pthread_cancel(watch->thread); /* it waits in sigwait, which is a point of cancellation */
    pthread_join(watch->thread, NULL);
    pthread_mutex_destroy(&watch->lock);
}
