/* SPDX-License-Identifier: MIT */
/*
 * signal_watch: SIGINT, SIGTERM and SIGHUP end a run early but orderly. While a workload is being
 * watched, the first of them stops it. Any other one ends the process as if nothing had been set
 * up: before the run and after it nothing may keep a user from stopping the client, whatever a
 * library call is waiting for.
 *
 * Signals that were ignored when the program began stay so. A thread of its own waits for the
 * others; all other threads have them blocked.
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

/* From now on, and until now. The workload must live in between. */
void signal_watch_set(struct signal_watch *watch, struct workload *workload);
/* Returns the signal that stopped the workload, or 0. */
int signal_watch_clear(struct signal_watch *watch);

/* Ends the thread; the signals stay blocked. */
void signal_watch_end(struct signal_watch *watch);

#endif
