/* SPDX-License-Identifier: MIT */
/*
 * net_lateness: by how much frames were handed out too late: how many, their mean, and how they are
 * distributed. What comes before its time is 0 late.
 *
 * Counts never go down. Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_NET_LATENESS_H
#define SPLITDOM_SERVICE_NET_LATENESS_H

#include <stdint.h>

#include "base/log_buckets.h"

enum { NET_LATENESS_BITS = 3 }; /* a figure is off by an eighth at most */

struct net_lateness {
    uint64_t frames;
    uint64_t total_ns, max_ns;
    uint64_t counts[LOG_BUCKETS(NET_LATENESS_BITS)];
};

void net_lateness_add(struct net_lateness *lateness, uint64_t late_ns);

/* 0 without frames. */
uint64_t net_lateness_mean_ns(const struct net_lateness *lateness);
/* So many percent of the frames, 1..100, were late by this or less. 0 without frames. */
uint64_t net_lateness_percentile_ns(const struct net_lateness *lateness, uint32_t percent);

#endif
