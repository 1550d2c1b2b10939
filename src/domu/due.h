/* SPDX-License-Identifier: MIT */
/*
 * due: how long to sleep, in real time, until a domain's clock shows a given time.
 *
 * How fast that clock runs is Dom0's affair and can change, so the rate is taken from the last two
 * looks at it, and a sleep is short: a clock that has been paused or made faster is noticed within
 * DUE_SLEEP_MAX_NS. One thread, or the owner's lock.
 */
#ifndef SPLITDOM_DOMU_DUE_H
#define SPLITDOM_DOMU_DUE_H

#include <stdint.h>

#include "domu/domain_clock.h"

enum { DUE_SLEEP_MAX_NS = 1000000 };

/* All zero: no look yet. */
struct due_looks {
    uint64_t look_ns, look_real_ns; /* the clock and CLOCK_MONOTONIC, at the last look */
};

/* Looks. Real nanoseconds, 0 to DUE_SLEEP_MAX_NS; 0: due_ns is reached. */
int64_t due_left_ns(struct due_looks *looks, struct domain_clock *clock, uint64_t due_ns);

#endif
