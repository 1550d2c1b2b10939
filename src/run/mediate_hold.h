/* SPDX-License-Identifier: MIT */
/*
 * mediate_hold: what becomes of an announcement that the clock is about to be slower
 * (run/session.h): the timers of all programs are armed by the slower rate, so that none rings too
 * early when it comes.
 *
 * Called by the watcher. Who announces and dies, or is stopped, is waited for for
 * MEDIATE_HOLD_NS: then the timers are armed by the rate in force again.
 */
#ifndef SPLITDOM_RUN_MEDIATE_HOLD_H
#define SPLITDOM_RUN_MEDIATE_HOLD_H

#include <stdint.h>

enum { MEDIATE_HOLD_NS = 1000000000 };

struct mediate;

/* After mediate_look, with the version (even) that the page had before. Waits until all processes
 * with timers have answered, the page has another line, or the patience has ended. Returns after
 * how many nanoseconds it is to be called again if the page does not change until then; -1: it need
 * not be. */
int64_t mediate_hold_look(struct mediate *m, uint32_t version);

/* The same where the version is odd: Dom0 changes the page, or has died or been stopped in that. */
int64_t mediate_hold_left(struct mediate *m, uint32_t version);

#endif
