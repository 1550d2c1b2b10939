/* SPDX-License-Identifier: MIT */
/*
 * worker: one thread of Dom0 that serves rings: what it looks at, in which order, and when it
 * sleeps.
 *
 * A worker owns a poller, the clocks and timers of its loop, the pollables that it visits, its
 * channel to the engine, and its counters. A pollable belongs to one worker, so nothing on the way
 * of a request takes a lock. There is one worker today.
 *
 * The control plane (dom0/) is the worker's owner and has no thread of its own. It runs inside the
 * worker's turn: as gated work, which has a share of the time, and in the hooks of worker_ops. The
 * worker knows no domain, no store and no disk.
 *
 * A turn: events; the hook begin_turn; up to four rounds, while there is work and nobody hurries,
 * of {pollables, channel, gated work}; pollables settle; the hook end_turn.
 *
 * All calls come from the worker's thread. Only worker_sleep and worker_wait block.
 */
#ifndef SPLITDOM_SERVICE_LOOP_WORKER_H
#define SPLITDOM_SERVICE_LOOP_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/loop/pollables.h"
#include "service/loop/poller.h"
#include "service/loop/rate_meter.h"
#include "service/loop/work_gate.h"
#include "splitdom/tdf.h"
#include "tdf/timer.h"

/* What the owner does on the worker's thread. All required; none may block. */
struct worker_ops {
    /* The channel to the engine: sends on what pollables have queued, as far as the engine takes
     * it. Returns how many requests. Once a round. */
    uint32_t (*dispatch)(void *ctx, uint64_t now_ns);
    /* Once a turn, before the rounds. */
    void (*begin_turn)(void *ctx);
    /* Once a turn, after everything that touches memory of a pollable's owner. True: something has
     * changed, so the worker looks again before it sleeps. */
    bool (*end_turn)(void *ctx);
    /* The time was read, CLOCK_MONOTONIC: with each event, else every few turns. */
    void (*time_read)(void *ctx, uint64_t now_ns);
    /* Once a second while the worker is busy: the owner's clocks are due for a new anchor (those of
     * the worker have theirs). A clock that nobody reads may drift until somebody does. */
    void (*reanchor)(void *ctx);
};

struct gated_work;

/* Both required. */
struct gated_work_ops {
    /* Is there anything to do? Only flags are read. */
    bool (*waits)(struct gated_work *work);
    /* Does a bounded part of it. True: there is more, now. */
    bool (*serve)(struct gated_work *work);
};

/* Work beside the pollables, which has a share of the time (work_gate.h). Embedded in its owner. */
struct gated_work {
    const struct gated_work_ops *ops;
    struct work_gate gate;
    struct timer opens; /* set while there is work that must not be done yet */
    struct list_node link;
};

/* Counters since the worker's start. */
struct worker_stats {
    uint64_t turns;    /* rounds of visits */
    uint64_t arms;     /* pollables that were armed again */
    uint64_t requests; /* taken off all pollables */
    uint64_t rate_now; /* of them in the last complete second */
};

struct worker {
    /* For the owner, who adds what it has: descriptors, pollables, timers. */
    struct poller *poller;
    struct pollables pollables;
    struct timers timers;
    struct tdf_clock clock;       /* Dom0's own time, at the rate that was asked for */
    struct timer_clock own_time;  /* it in timers */
    struct tdf_clock hold_clock;  /* CLOCK_MONOTONIC */
    struct timer_clock hold_time; /* it in timers: what disks hold back, watched closely */
    struct timer_clock gate_time; /* it in timers: gates, where late does not matter */
    uint64_t last_request_ns;     /* by clock; at first when the worker was made */

    /* Private. */
    const struct worker_ops *ops;
    void *ctx;
    struct list gated; /* in the order of worker_add_work */
    int timer_fd;
    struct poller_watch *timer_watch;
    uint64_t now_ns; /* CLOCK_MONOTONIC as of a few turns ago at most */
    uint32_t turns_since_reading;
    bool slept;   /* since the last turn */
    bool hurries; /* no other round before events are looked at */
    uint64_t reanchored_ns;
    uint64_t requests;
    struct rate_meter rate;
};

struct worker_config {
    enum poller_kind poller;
    bool no_spin;                   /* see pollables.h */
    struct tdf tdf;                 /* of worker.clock */
    struct tdf_source *time_source; /* outlives the worker */
    const struct worker_ops *ops;
    void *ctx;
};

/* Errors: those of poller_create; -errno of timerfd_create; tdf_clock_init's. Nothing is left then.
 * The worker stays where it is. */
int worker_init(struct worker *w, const struct worker_config *config);
/* No pollable is on it, and what the owner has added is removed. A zeroed one is allowed. */
void worker_fini(struct worker *w);

/* Has work served once a round; share: one nanosecond in so many while pollables have requests.
 * Work's ops are set, the rest is zeroed. It stays there until worker_fini. */
void worker_add_work(struct worker *w, struct gated_work *work, uint32_t share);

/* One turn, without sleeping. 1: nothing is left to be done, the worker may sleep. 0: another turn.
 * -errno: the poller has failed for good (poller_failure), no turn can be made any more. */
int worker_turn(struct worker *w);
/* Sleeps until something happens or a timer is due; not at all shortly before hold_time's next one.
 * 0, or -errno as above. */
int worker_sleep(struct worker *w);
/* Waits for events alone, until deadline_ns of CLOCK_MONOTONIC at the latest; may return early. No
 * pollable is visited. 0, or -errno as above. */
int worker_wait(struct worker *w, uint64_t deadline_ns);
/* From a hook: what it did took so long that events are to be looked at before another round. */
void worker_hurry(struct worker *w);
/* Calls back the timers that are due. Turns do it when a deadline has passed; whoever moves time by
 * hand does, too. */
void worker_time_passed(struct worker *w);

struct worker_stats worker_stats(const struct worker *w);

#endif
