/* SPDX-License-Identifier: MIT */
/*
 * signal_watch: SIGINT, SIGTERM and SIGHUP end a run early but in order. While a workload is
 * watched, the first signal stops the workload. A second signal, or one before or after the run,
 * ends the process as without this watch: a user can always stop the client, whatever a library
 * call is waiting for.
 *
 * Signals that were ignored when the program started stay ignored. One thread waits for the others;
 * in all other threads they are blocked.
 */
#ifndef SPLITDOM_CLIENT_SIGNAL_WATCH_H
#define SPLITDOM_CLIENT_SIGNAL_WATCH_H

#include <pthread.h>

#include "client/workload.h"

struct signal_watch {
    pthread_t thread;
    int signal_fd;             /* the signals */
    int end_fd;                /* eventfd: the thread is to end */
    pthread_mutex_t lock;      /* guards all below */
    struct workload *workload; /* NULL: none is being watched */
    int signal;                /* that stopped it, or 0 */
};

/* Before any other thread is created: they inherit the mask. 0 or -errno. */
int signal_watch_start(struct signal_watch *watch);

/* Begins and ends watching a workload, which must exist in between. */
void signal_watch_set(struct signal_watch *watch, struct workload *workload);
/* Returns the signal that stopped the workload, or 0. */
int signal_watch_clear(struct signal_watch *watch);

/* Ends the thread; the signals stay blocked. */
void signal_watch_end(struct signal_watch *watch);

#endif
