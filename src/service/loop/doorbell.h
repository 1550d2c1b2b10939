/* SPDX-License-Identifier: MIT */
/*
 * doorbell: how a domain gets Dom0's attention: an eventfd that it writes and Dom0 watches.
 *
 * One that is rung in a loop without work (storm_guard.h) is not watched for a while: a timer looks
 * after the domain instead, every DOORBELL_LOOK_NS, so that its requests are served at that pace.
 * Then the doorbell is watched again. Whatever was rung meanwhile counts: an eventfd that was
 * written is ready when its watch begins.
 */
#ifndef SPLITDOM_SERVICE_LOOP_DOORBELL_H
#define SPLITDOM_SERVICE_LOOP_DOORBELL_H

#include <stdint.h>

#include "service/loop/poller.h"
#include "service/loop/storm_guard.h"

enum { DOORBELL_LOOK_NS = 1000000 };

struct doorbell_ops {
    void (*rang)(void *ctx);     /* look at everything that the domain has */
    uint64_t (*work)(void *ctx); /* a count that grows with what the domain has had done */
    void (*muted)(void *ctx);    /* from now on rang is called by the timer; optional */
    /* The doorbell or its timer cannot be watched any more: nothing is called from now on. The
     * domain behind it must end, but not within the call. */
    void (*failed)(void *ctx);
};

/* All zeros is a closed one, but for the descriptors: start with DOORBELL_CLOSED. */
struct doorbell {
    struct poller *poller;
    const struct doorbell_ops *ops;
    void *ctx;
    int fd;       /* the domain gets a duplicate */
    int timer_fd; /* made for the first mute */
    struct poller_watch *watch, *timer_watch;
    struct storm_guard guard;
    uint32_t looks_left; /* until it is watched again; 0: not muted */
    uint64_t mutes;
};

#define DOORBELL_CLOSED ((struct doorbell){.fd = -1, .timer_fd = -1})

/* Makes the eventfd. Nothing is watched yet. Errors: -errno. */
int doorbell_create(struct doorbell *bell, struct poller *poller, const struct doorbell_ops *ops,
                    void *ctx);
/* From now on ops are called, from poller_run. Errors: -errno. */
int doorbell_watch(struct doorbell *bell);
/* Closes what is there; a closed one is allowed. */
void doorbell_destroy(struct doorbell *bell);

#endif
