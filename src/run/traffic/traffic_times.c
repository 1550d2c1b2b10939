/* SPDX-License-Identifier: MIT */
#include "run/traffic/traffic_times.h"

void traffic_times_add(struct traffic_times *times, uint64_t ns)
{
    if (times->count == 0 || ns < times->least_ns)
        times->least_ns = ns;
    if (ns > times->most_ns)
        times->most_ns = ns;
    times->count++;
    times->sum_ns += (double)ns;
    times->bucket[log_bucket_of(ns, TRAFFIC_TIMES_BITS)]++;
}

uint64_t traffic_times_quantile(const struct traffic_times *times, double part)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < TRAFFIC_TIMES_BUCKETS; i++) {
        seen += times->bucket[i];
        const uint64_t last_ns = log_bucket_last(i, TRAFFIC_TIMES_BITS);
        if (seen > 0 && (double)seen >= part * (double)times->count)
            return last_ns < times->most_ns ? last_ns : times->most_ns;
    }
    return 0;
}
