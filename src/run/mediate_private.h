/* SPDX-License-Identifier: MIT */
/* mediate_private: for the files of mediate alone. */
#ifndef SPLITDOM_RUN_MEDIATE_PRIVATE_H
#define SPLITDOM_RUN_MEDIATE_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/mediate.h"
#include "run/session.h"
#include "splitdom/xen/shared_info.h"

struct mediate {
    struct session *session;
    const struct shared_info *page;
    int fds[SESSION_FDS]; /* by enum session_fd; -1: none */
    off_t clock_offset_bytes;
    pthread_mutex_t lock; /* of who changes the session */
    bool is_seen;         /* the rate in force is that of the page's line, not one that was told */
    pthread_t watcher;
    bool is_watched;
    uint32_t stop; /* atomic: the watcher ends */
    void (*ready)(void *ctx, uint32_t version);
    void *ready_ctx;
    bool is_held;       /* with the lock: timers are armed by what is announced */
    uint64_t held_ns;   /* the watcher's: since when, by CLOCK_MONOTONIC */
    uint64_t rung_ns;   /* with the lock: when timers were looked after the last time meanwhile */
    uint32_t held_from; /* with the lock: what this generation or a later one armed is ready */
    uint32_t given_up;  /* the watcher's: a version whose announcement nothing came of */
};

static inline uint64_t mediate_packed(struct tdf tdf)
{
    return (uint64_t)tdf.num << 32 | tdf.den;
}

/* Is the clock the kernel's, at this rate? */
bool mediate_is_real(const struct mediate *m, struct tdf tdf);

/* The clock runs by this rate since the line in force began. A clock that can't be read, because
 * its Dom0 is dead, goes on by what was known of it. */
void mediate_add_span(struct mediate *m, struct tdf tdf);

/* With the lock: each process with timers is to arm them by what holds now. */
void mediate_kick_timers(struct session *session);

/* Looks at the page: where its line has another rate than the one in force, as mediate_changed. */
void mediate_look(struct mediate *m);

#endif
