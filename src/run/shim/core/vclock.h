/* SPDX-License-Identifier: MIT */
/*
 * vclock: the domain's clocks as its programs read them, from the mapped page, without a lock; safe
 * in signal handlers and right after fork. No system call where the counter is the TSC, unless an
 * update of the page is under way.
 *
 *   CLOCK_MONOTONIC   the domain's clock
 *   CLOCK_REALTIME    shared_info's wall clock, which runs at the same rate
 *   others            a fixed distance ahead of one of these
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_VCLOCK_H
#define SPLITDOM_RUN_SHIM_CORE_VCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "run/session.h"

static inline struct session *vclock_session(void)
{
    return (struct session *)SESSION_ADDRESS;
}

/* CLOCK_MONOTONIC of the domain. */
uint64_t vclock_now_ns(void);

/* True and how far a clock is ahead of CLOCK_MONOTONIC; false: no clock of the domain's (CPU time,
 * a device's, unknown). */
bool vclock_ahead_ns(long clock_id, uint64_t *ahead_ns);

/* The packed TDF in force (num 0: paused), and the last one that was no pause. */
uint64_t vclock_tdf(void);
uint64_t vclock_tdf_running(void);

/* The one by which kernel timers are armed: slower than that in force while a slower one is
 * announced. */
uint64_t vclock_tdf_timers(void);

/* Has the clock left the kernel's? enum session_stamps. */
uint32_t vclock_stamps(void);

/* The kernel's clock, by a system call. */
uint64_t vclock_real_ns(long clock_id);

#endif
