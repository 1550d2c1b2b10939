/* SPDX-License-Identifier: MIT */
/*
 * pollables: which rings Dom0 looks at, in which order, and when it may stop looking.
 *
 * A pollable is either armed (its domain will ring the doorbell; nobody looks at it) or active (on
 * the list that every turn of the loop visits, a bounded batch each). An active one that stays
 * empty is armed again: at once, or after a short spin when spinning has paid lately. So a turn
 * costs as much as there are busy rings, and when all are armed Dom0 can sleep.
 *
 * Spinning pays only while the domain makes progress on another CPU: directly after we answered it.
 * It never pays while its request is at the disk.
 */
#ifndef SPLITDOM_SERVICE_LOOP_POLLABLES_H
#define SPLITDOM_SERVICE_LOOP_POLLABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "service/loop/pollable.h"

struct pollables {
    struct list active; /* in the order of visits */
    uint32_t active_count;
    uint32_t cpu; /* the CPU that Dom0 runs on, as published to the domains */
    bool no_spin;
    /* How many domains have requests, as published: distinct ones in the last complete window that
     * were still there at its end. */
    uint32_t busy_peers;
    uint32_t window, window_peers; /* the present one's number, and domains so far */
    uint64_t window_end_ns;
    uint64_t arms; /* counters for status */
    uint64_t turns;
};

struct hints;

/* A domain with this memory, and no pollable yet. */
void poll_peer_init(struct poll_peer *peer, struct hints *hints);

/* From now on p is visited; it may have had requests before. peer outlives p. p is on no loop. */
void pollables_add(struct pollables *loop, struct poll_peer *peer, struct pollable *p);
/* p may be on no loop. */
void pollables_remove(struct pollable *p);
/* The domain's doorbell rang: all that it has is visited. */
void pollables_wake(struct pollables *loop, struct poll_peer *peer);
/* p has an answer that came from elsewhere than its own visit: it will be visited, which shows the
 * answer together with the others of the turn. One that is on no loop is left alone. */
void pollables_answered(struct pollable *p);

/* Visits every active one once. Returns the number of requests taken. */
uint32_t pollables_turn(struct pollables *loop, uint64_t now_ns);

/* After a turn without any work: arms those that have been empty for long enough. True when none is
 * active any more: Dom0 may sleep. */
bool pollables_settle(struct pollables *loop, uint64_t now_ns);

#endif
