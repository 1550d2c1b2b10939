/* SPDX-License-Identifier: MIT */
#include "service/net/lateness.h"

#include <assert.h>

void net_lateness_add(struct net_lateness *lateness, uint64_t late_ns)
{
    lateness->frames++;
    lateness->total_ns += late_ns;
    if (late_ns > lateness->max_ns)
        lateness->max_ns = late_ns;
    lateness->counts[log_bucket_of(late_ns, NET_LATENESS_BITS)]++;
}

uint64_t net_lateness_mean_ns(const struct net_lateness *lateness)
{
    return lateness->frames > 0 ? lateness->total_ns / lateness->frames : 0;
}

uint64_t net_lateness_percentile_ns(const struct net_lateness *lateness, uint32_t percent)
{
    assert(percent >= 1 && percent <= 100);

    const uint64_t rank = lateness->frames / 100 * percent +
                          (lateness->frames % 100 * percent + 99) / 100; /* from 1 on */
    uint64_t seen = 0;

    for (uint32_t i = 0; i < LOG_BUCKETS(NET_LATENESS_BITS); i++) {
        seen += lateness->counts[i];
        if (seen >= rank && seen > 0) {
            uint64_t last_ns = log_bucket_last(i, NET_LATENESS_BITS);

            return last_ns < lateness->max_ns ? last_ns : lateness->max_ns;
        }
    }
    return 0;
}
