/* SPDX-License-Identifier: MIT */
/*
 * due: how long to sleep, in real time, until a domain's clock shows a given time.
 *
 * How fast that clock runs is Dom0's affair and can change, so the rate is taken from two
 * looks at it, and a sleep is short: a clock that has been paused or made faster is noticed within
 * DUE_SLEEP_MAX_NS. One thread, or the owner's lock.
 */
#ifndef SPLITDOM_DOMU_DUE_H
#define SPLITDOM_DOMU_DUE_H

#include <stdint.h>

#include "domu/domain_clock.h"

enum {
    DUE_SLEEP_MAX_NS = 1000000,
    DUE_RATE_NS = 20000, /* real: looks that are nearer tell nothing of a slow clock's rate */
};

/* All zero: no look yet. */
struct due_looks {
    uint64_t look_ns;               /* the clock at the last look */
    uint64_t base_ns, base_real_ns; /* it and CLOCK_MONOTONIC, when the rate was taken */
    double real_per_ns;             /* 0: the clock stood still, or no look yet */
};

/* Looks. Real nanoseconds, 0 to DUE_SLEEP_MAX_NS; 0: due_ns is reached. */
int64_t due_left_ns(struct due_looks *looks, struct domain_clock *clock, uint64_t due_ns);

#endif
