/* SPDX-License-Identifier: MIT */
/*
 * line_rate: the TDF of a line that a domain's clock follows, from the page alone. Pure.
 *
 * Dom0 tilts its lines by up to 1/2048 to keep them right (tdf/clock.h), so that two lines of one
 * TDF agree within LINE_RATE_TILT, and a change by less is not to be seen here.
 */
#ifndef SPLITDOM_TDF_LINE_RATE_H
#define SPLITDOM_TDF_LINE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/tdf.h"
#include "splitdom/xen/shared_info.h"

enum { LINE_RATE_TILT = 1024 }; /* one part in so many */

/* Nanoseconds per tick of a counter, 32 bits behind the point, of so many ticks in so many
 * nanoseconds. 0: it does not tick, or so slowly that nobody keeps a clock by it. */
uint64_t line_rate_tick_fp(uint64_t ns, uint64_t ticks);

/* tick_ns_fp: real nanoseconds per tick of the line's counter, 32 bits behind the point. num 0:
 * paused. Within LINE_RATE_TILT of 1 it is 1. False: nobody publishes such a line. */
bool line_rate(const struct vcpu_time_info *line, uint64_t tick_ns_fp, struct tdf *out);

/* Within LINE_RATE_TILT of each other, or both paused. */
bool line_rate_agrees(struct tdf a, struct tdf b);

#endif
