/* SPDX-License-Identifier: MIT */
/*
 * timers_kernel: the kernel's timer that a record is of, in real time.
 *
 * Of a periodic timer each expiry is told once, whatever the rate does: what the kernel has counted
 * since it was armed is set against what the domain's clock has gone past, and the difference is
 * made up for when it is armed anew. The caller has the record.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_TIMERS_KERNEL_H
#define SPLITDOM_RUN_SHIM_CALL_TIMERS_KERNEL_H

#include "run/shim/call/timers.h"

/* What is left, and the interval. 0 or -errno. */
long timers_kernel_get(const struct timers_record *record, struct itimerspec *spec);

/* As timers_arm. */
long timers_kernel_arm(struct timers_record *record, long flags);

/* The rate has changed: by that of now, or not any more, if it has rung for the last time or was
 * armed by somebody else since. */
void timers_kernel_rearm(struct timers_record *record);

#endif
