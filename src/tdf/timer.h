/* SPDX-License-Identifier: MIT */
/*
 * timer: time-outs in virtual time.
 *
 * A timer belongs to one clock and its deadline is a time of that clock, so a change of rate leaves
 * it alone. The physical deadline is computed when somebody is about to sleep, and only that one
 * changes. While a clock is paused, those of its timers that are not yet due wait.
 *
 *   struct timers        all timers of one event loop
 *   struct timer_clock   the timers of one clock in that loop
 *   struct timer         one timer; lives in its owner, so setting it never fails
 *
 * An event loop calls timers_arm(fd) or timers_next_deadline() before each sleep, and timers_run()
 * after each wake-up. A rate changed by the loop's own thread so takes effect before the next
 * sleep; after a change by another thread the loop has to be woken.
 *
 * Threads: one. Nothing here allocates or blocks. A callback may set, stop or drop any timer, also
 * its own, and may drop a clock. It must not call timers_run.
 */
#ifndef SPLITDOM_TDF_TIMER_H
#define SPLITDOM_TDF_TIMER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/heap.h"
#include "base/list.h"
#include "tdf/clock.h"

/* As Xen's VCPUOP_set_periodic_timer. */
enum { TIMER_PERIOD_MIN_NS = 1000000 };

struct timer;
typedef void timer_fn(struct timer *timer, void *opaque);

struct timer {
    struct heap_node node; /* key: the deadline, in virtual ns */
    struct timer_clock *owner;
    timer_fn *fn;
    void *opaque;
    uint64_t period_ns; /* 0: one-shot */
    uint64_t missed;    /* ticks of a periodic timer left out since it was set */
    enum timer_state { TIMER_STOPPED, TIMER_WAITING, TIMER_DUE } state;
    struct list_node due; /* while TIMER_DUE */
};

struct timer_clock {
    struct tdf_clock *clock;
    struct list_node link; /* in its loop */
    uint64_t lead_ns;      /* see timer_clock_set_lead */
    struct heap waiting;
    struct list due;             /* called back by the timers_run that is going on */
    uint64_t cached_deadline_ns; /* of the first timer, while these two stay the same */
    uint64_t cached_key;
    uint64_t cached_generation;
};

struct timers {
    struct list clocks;
    struct timer_clock *running; /* the clock whose callbacks run; reset if it is dropped */
    struct timer_clock *after;   /* the one to go on with */
    uint64_t armed_ns;           /* what the timerfd stands at; UINT64_MAX: disarmed */
};

void timers_init(struct timers *timers);

/* Adds a clock to the loop, with no timers. clock and member stay where they are in memory until
 * timers_drop_clock. */
void timers_add_clock(struct timers *timers, struct timer_clock *member, struct tdf_clock *clock);

/*
 * For timers that must be on time although waking up takes a while: the loop is woken lead_ns (of
 * CLOCK_MONOTONIC) before each deadline of this clock, and does not sleep while timers_near is
 * true.
 */
void timer_clock_set_lead(struct timer_clock *member, uint64_t lead_ns);

/* Stops every timer of this clock and forgets it. Accepts a zeroed or an already dropped member. */
void timers_drop_clock(struct timers *timers, struct timer_clock *member);

/* Makes a stopped timer. Only timers_run calls fn. */
void timer_init(struct timer *timer, struct timer_clock *owner, timer_fn *fn, void *opaque);

/*
 * As HYPERVISOR_set_timer_op: fires once when the clock shows deadline_ns (absolute). 0 cancels. A
 * deadline in the past fires in the next timers_run; set from a callback of the same clock, not in
 * the same timers_run. Replaces what the timer was set to before.
 */
void timer_set(struct timer *timer, uint64_t deadline_ns);

/*
 * Fires every period_ns of the clock, first one period from now. Ticks lie on a fixed grid: a late
 * tick doesn't delay the next, so the rate holds. Ticks that were missed altogether are counted in
 * timer->missed and not made up for. (Xen also drops missed ticks, but restarts the grid from the
 * late one: its rate falls by the mean lateness.)
 * -EINVAL: below TIMER_PERIOD_MIN_NS; the timer is left as it was.
 */
int timer_set_periodic(struct timer *timer, uint64_t period_ns);

/* From now on the callback isn't called. Nothing if the timer is stopped. */
void timer_stop(struct timer *timer);

/* When the first timer of any clock will be due, as CLOCK_MONOTONIC ns; in the past if one is due
 * now; UINT64_MAX if there is none to wait for. */
uint64_t timers_next_deadline(struct timers *timers);

/* Is a timer of a clock with a lead due within its lead, or already? */
bool timers_near(struct timers *timers);

/*
 * Sets a timerfd (CLOCK_MONOTONIC) to timers_next_deadline (earlier for clocks with a lead), or
 * disarms it; makes no system call when it stands there already. Use one fd per struct timers, and
 * read its expirations as usual. Returns 0 or timerfd_settime's -errno.
 */
int timers_arm(struct timers *timers, int timerfd);

/* Calls back every timer that is due by its own clock, in the order of deadlines within a clock;
 * each at most once. Returns how many. */
size_t timers_run(struct timers *timers);

#endif
