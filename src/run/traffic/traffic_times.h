/* SPDX-License-Identifier: MIT */
/*
 * traffic_times: how long frames took, as counts by length: each bucket is at most 1/1024 wide.
 * Pure bookkeeping, one thread.
 */
#ifndef SPLITDOM_RUN_TRAFFIC_TRAFFIC_TIMES_H
#define SPLITDOM_RUN_TRAFFIC_TRAFFIC_TIMES_H

#include <stdint.h>

#include "base/log_buckets.h"

enum { TRAFFIC_TIMES_BITS = 10, TRAFFIC_TIMES_BUCKETS = LOG_BUCKETS(TRAFFIC_TIMES_BITS) };

struct traffic_times {
    uint64_t count, least_ns, most_ns;
    double sum_ns;
    uint64_t bucket[TRAFFIC_TIMES_BUCKETS];
};

void traffic_times_add(struct traffic_times *times, uint64_t ns);
/* The least time that at least `part` (0..1) of all are not longer than: to 1/1024. 0: there is
 * none.
 */
uint64_t traffic_times_quantile(const struct traffic_times *times, double part);

#endif
