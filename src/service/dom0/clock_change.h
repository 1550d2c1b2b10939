/* SPDX-License-Identifier: MIT */
/*
 * clock_change: a slower rate of a domain's clock, announced to the domain before it takes effect,
 * where the domain wants that (domu_clock_ready).
 *
 *     Dom0                                      the domain
 *     1. announces in the clock's page          1. sees to its timers
 *     2. waits for the answer, not for long     2. writes what it is ready for, rings the doorbell
 *     3. changes the rate
 *
 * Loop thread only. The domain may write any answer at any time: it puts off its own clock's change
 * by CLOCK_CHANGE_NS at most. If Dom0 dies meanwhile the clock goes on as it was.
 */
#ifndef SPLITDOM_SERVICE_DOM0_CLOCK_CHANGE_H
#define SPLITDOM_SERVICE_DOM0_CLOCK_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "service/loop/poller.h"
#include "tdf/clock.h"

enum { CLOCK_CHANGE_NS = 50000000 };

/* All zeros: stopped. */
struct clock_change {
    struct poller *poller;
    struct tdf_clock *clock;
    void (*apply)(void *ctx);
    void *ctx;
    bool waits;
    int timer_fd; /* while it waits */
    struct poller_watch *watch;
    uint32_t version; /* of the line that has announced it */
};

/* apply is to make the change. */
void clock_change_init(struct clock_change *change, struct poller *poller, struct tdf_clock *clock,
                       void (*apply)(void *ctx), void *ctx);

/* True: it is announced, and apply will be called. False: make the change now; what was announced
 * before is forgotten. */
bool clock_change_announce(struct clock_change *change, struct tdf next);

/* The domain has rung: has it answered? */
void clock_change_look(struct clock_change *change);

/* Apply is not called any more. */
void clock_change_stop(struct clock_change *change);

/* Wakes who sleeps at the version of the clock's page. */
void clock_change_wake(const struct tdf_clock *clock);

#endif
