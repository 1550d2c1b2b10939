/* SPDX-License-Identifier: MIT */
/*
 * stamp: the kernel's stamps of time, of files and packets, in the domain's CLOCK_REALTIME, and
 * back.
 *
 * By the rates that the clock has had since the domain's program was started, of which the session
 * keeps the last ones. A stamp from before that is shown as it is, but no later than that
 * beginning. Rounded to a nanosecond, so a stamp that is set is found as it was set at whole rates.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_STAMP_H
#define SPLITDOM_RUN_SHIM_CORE_STAMP_H

#include <stdint.h>
#include <time.h>

/* Of the kernel's CLOCK_REALTIME, to that of the domain, and back. Negative ones stay. */
int64_t stamp_to_virtual_ns(int64_t real_ns);
int64_t stamp_to_real_ns(int64_t virtual_ns);

void stamp_show(struct timespec *ts);
void stamp_set(struct timespec *ts);

#endif
