/* SPDX-License-Identifier: MIT */
/*
 * domu_events: what Dom0 tells a domain of itself, kept until the program takes it
 * (splitdom/domu.h: domu_take_events).
 *
 * Threads: the link thread notes, any thread takes.
 */
#ifndef SPLITDOM_DOMU_DOMU_EVENTS_H
#define SPLITDOM_DOMU_DOMU_EVENTS_H

#include <pthread.h>
#include <stdint.h>

#include "splitdom/domu.h"

struct xs_client;

struct domu_events_queue {
    int fd; /* eventfd: readable while something waits; -1: the program takes no events */
    pthread_mutex_t lock;
    struct domu_events kept;
};

/* wanted: the program takes events; kept begins with them. Errors: -errno of eventfd. */
int domu_events_init(struct domu_events_queue *queue, const struct domu_options *wanted);
void domu_events_fini(struct domu_events_queue *queue);

static inline bool domu_events_wanted(const struct domu_events_queue *queue)
{
    return queue->fd >= 0;
}

/* domu_take_events. */
int domu_events_take(struct domu_events_queue *queue, struct domu_events *out);

/* Notes one of these, as the store has it now. Errors: those of xs_client, after which it is of no
 * use any more. What makes no sense, or is not there, is no news. */
int domu_events_read_clock(struct domu_events_queue *queue, struct xs_client *store);
int domu_events_read_share(struct domu_events_queue *queue, struct xs_client *store);
void domu_events_note_shutdown(struct domu_events_queue *queue, const char *reason);
void domu_events_note_destroyed(struct domu_events_queue *queue);

#endif
