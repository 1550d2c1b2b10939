/* SPDX-License-Identifier: MIT */
#include "run/traffic/traffic_times.h"

enum { SUB = 1 << TRAFFIC_TIMES_SUB_BITS };

static uint32_t bucket_of(uint64_t ns)
{
    if (ns < SUB)
        return (uint32_t)ns;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns) - TRAFFIC_TIMES_SUB_BITS;
    return (shift + 1) * SUB + (uint32_t)((ns >> shift) & (SUB - 1));
}

/* The largest time in a bucket. */
static uint64_t most_of(uint32_t bucket)
{
    if (bucket < SUB)
        return bucket;
    uint32_t shift = bucket / SUB - 1;
    return ((uint64_t)(bucket % SUB + SUB + 1) << shift) - 1;
}

void traffic_times_add(struct traffic_times *times, uint64_t ns)
{
    if (times->count == 0 || ns < times->least_ns)
        times->least_ns = ns;
    if (ns > times->most_ns)
        times->most_ns = ns;
    times->count++;
    times->sum_ns += (double)ns;
    times->bucket[bucket_of(ns)]++;
}

uint64_t traffic_times_quantile(const struct traffic_times *times, double part)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < TRAFFIC_TIMES_BUCKETS; i++) {
        seen += times->bucket[i];
        if (seen > 0 && (double)seen >= part * (double)times->count)
            return most_of(i) < times->most_ns ? most_of(i) : times->most_ns;
    }
    return 0;
}
