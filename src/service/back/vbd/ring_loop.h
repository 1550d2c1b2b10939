/* SPDX-License-Identifier: MIT */
/*
 * ring_loop: which rings Dom0 looks at, in which order, and when it may stop looking.
 *
 * A ring is either armed (its front end will ring the doorbell; nobody looks at it) or active (on
 * the list that every turn of the loop visits, round robin, a bounded batch each). An active ring
 * that stays empty is armed again: at once, or after a short spin when spinning has paid lately. So
 * a turn costs as much as there are busy rings, and when all are armed Dom0 can sleep.
 *
 * Spinning pays only while the front end makes progress on another CPU: directly after we answered
 * it. It never pays while its request is at the disk.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_RING_LOOP_H
#define SPLITDOM_SERVICE_BACK_VBD_RING_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/spin_budget.h"
#include "service/back/vbd/vbd_ring.h"

struct ring_slot;

struct ring_loop {
    struct ring_slot *active; /* circular; the next one to be visited */
    uint32_t active_count;
    uint32_t cpu; /* the CPU that Dom0 runs on, as published to the front ends */
    bool no_spin;
    /* How many rings have requests, as published: distinct ones in the last complete window that
     * were still there at its end. */
    uint32_t busy_rings;
    uint32_t window, window_rings; /* the present one's number, and rings so far */
    uint64_t window_end_ns;
    uint64_t arms; /* counters for status */
    uint64_t turns;
    /* A ring broke the protocol and is halted. Called from ring_loop_turn. */
    void (*broken)(void *ctx, struct ring_slot *slot);
    void *ctx;
};

/* Embedded in whatever owns the vbd_ring. Zeroed = unused. */
struct ring_slot {
    struct vbd_ring *ring;
    struct start_info *start_info; /* for the CPU hints */
    struct ring_slot *next, *prev;
    bool active;
    bool answered; /* the last thing that happened was a response */
    bool shown;    /* an answer of the disk's came since the last visit, see ring_loop_answered */
    uint32_t seen_responses;
    uint32_t window;        /* the last one in which it had requests */
    uint32_t limit_ns;      /* of the present spin */
    uint64_t idle_since_ns; /* 0: the last visit found work */
    struct spin_budget budget;
};

void ring_loop_add(struct ring_loop *loop, struct ring_slot *slot);
void ring_loop_remove(struct ring_loop *loop, struct ring_slot *slot);
/* The doorbell of the ring's domain rang. */
void ring_loop_wake(struct ring_loop *loop, struct ring_slot *slot);
/* The ring has an answer from the disk (vbd_ring_config.answered): it will be visited. The first
 * one since the last visit is shown at once to a front end that sleeps on another CPU. */
void ring_loop_answered(struct ring_loop *loop, struct ring_slot *slot);

/* Visits every active ring once. Returns the number of requests taken. */
uint32_t ring_loop_turn(struct ring_loop *loop, uint64_t now_ns);

/* After a turn without any work: arms the rings that have been empty for long enough. True when
 * none is active any more: Dom0 may sleep. */
bool ring_loop_settle(struct ring_loop *loop, uint64_t now_ns);

#endif
