/* SPDX-License-Identifier: MIT */
/*
 * net_jitter: how much the delay of a frame differs from the link's, by a law and a seed.
 *
 * Integers alone, so a seed gives the same numbers on every machine. The same number of draws a
 * frame, whatever the size of the jitter: with the jitter times k, all deviations are times k, to a
 * nanosecond.
 */
#ifndef SPLITDOM_SERVICE_NET_JITTER_H
#define SPLITDOM_SERVICE_NET_JITTER_H

#include <stdint.h>

#include "base/prng.h"

enum net_jitter_law {
    NET_JITTER_UNIFORM,     /* from -jitter to +jitter */
    NET_JITTER_NORMAL,      /* standard deviation jitter; a sum of twelve, so never beyond six */
    NET_JITTER_EXPONENTIAL, /* mean jitter, never below 0 */
    NET_JITTER_PARETO,      /* mean jitter, shape 3, never below 0: a long tail */
    NET_JITTER_LAWS
};

/* jitter_ns is at most NET_JITTER_MAX_NS. The deviation in nanoseconds, rounded to zero. */
int64_t net_jitter_draw(struct prng *prng, enum net_jitter_law law, uint64_t jitter_ns);

#define NET_JITTER_MAX_NS UINT64_C(1000000000000) /* 1000 s */

/* "uniform" and so on; -EINVAL. */
int net_jitter_parse(const char *text, enum net_jitter_law *out);
const char *net_jitter_name(enum net_jitter_law law);

#endif
