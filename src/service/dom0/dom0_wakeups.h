/* SPDX-License-Identifier: MIT */
/*
 * dom0_wakeups: what wakes Dom0 besides domains and disks: its own clock, signals, and its own
 * settings in the store.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_WAKEUPS_H
#define SPLITDOM_SERVICE_DOM0_DOM0_WAKEUPS_H

#include <stdbool.h>
#include <stdint.h>

struct dom0;
struct gated_work;

/* Starts Dom0's clocks, timers and idle time-out, catches SIGTERM and SIGINT. Errors: -errno. */
int dom0_wakeups_create(struct dom0 *d);
/* Follows /local/domain/0/splitdom/image/refresh: 1 makes Dom0 look at the image's size again. */
int dom0_settings_create(struct dom0 *d);
/* Calls back the timers that are due, the idle time-out among them: it ends Dom0. The loop calls it
 * when a deadline has passed; a test that moves time by hand does, too. */
void dom0_time_passed(struct dom0 *d);
/* Accepts what the two left half-built. */
void dom0_wakeups_destroy(struct dom0 *d);

/*
 * Before a sleep: sets the timerfd to shortly before the first deadline of d->timers. *is_near: it
 * is shortly before already, so that Dom0 must not sleep but look at the clock. Errors: -errno.
 */
int dom0_wakeups_arm(struct dom0 *d, bool *is_near);

/* There is work that must wait for its gate to open: a sleeping poller will run by then. */
void dom0_work_waits(struct dom0 *d, struct gated_work *work, uint64_t now_ns);

/* Makes a sleeping poller run at this CLOCK_MONOTONIC time at the latest. Overrides what was armed.
 */
void dom0_wake_at(struct dom0 *d, uint64_t deadline_ns);

/* Re-anchors all clocks when that is due; now_ns: CLOCK_MONOTONIC. Only called while Dom0 is busy:
 * a clock that nobody reads may drift until somebody does. */
void dom0_reanchor_clocks(struct dom0 *d, uint64_t now_ns);

#endif
