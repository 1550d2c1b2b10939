/* SPDX-License-Identifier: MIT */
/*
 * lat_stats: statistics of latencies in bounded memory. Each thread keeps its own, and all are
 * merged at the end. The merged statistics are those of all values together.
 *
 * Count, minimum and maximum are exact. Mean and deviation are kept by Welford's update (B. P.
 * Welford, Technometrics 4(3), 1962) and merged by the formula of Chan, Golub and LeVeque (1979):
 * there is no sum of squares, so nothing cancels when values are large and close to each other. A
 * few values at a time are summed up exactly, as distances to the first of them, and merged by the
 * same formula: a value costs no division. The deviation is the population's (divided by the
 * count), because the values are all the requests of the run, not a sample.
 *
 * Percentiles come from a log-linear histogram (base/log_buckets.h). A percentile is the middle of
 * its bucket and so within 0.8 % of the exact value, over all of uint64.
 *
 * Not thread-safe; about 30 KiB, so not for a small stack.
 */
#ifndef SPLITDOM_CLIENT_LAT_STATS_H
#define SPLITDOM_CLIENT_LAT_STATS_H

#include <stdint.h>

#include "base/log_buckets.h"

enum { LAT_STATS_BITS = 6, LAT_STATS_BUCKETS = LOG_BUCKETS(LAT_STATS_BITS) };

struct lat_moments {
    double count;
    double mean_ns;
    double square_sum; /* of the distances to the mean, ns^2 */
};

/* The last few values, as distances to base_ns. */
struct lat_block {
    uint64_t base_ns;
    int64_t sum;
    uint64_t square_sum;
    uint32_t count;
};

struct lat_stats {
    uint64_t count;
    uint64_t min_ns; /* UINT64_MAX while there is no value */
    uint64_t max_ns;
    struct lat_moments moments; /* of all values but those in block */
    struct lat_block block;
    uint64_t bucket[LAT_STATS_BUCKETS];
};

void lat_stats_init(struct lat_stats *stats);
void lat_stats_add(struct lat_stats *stats, uint64_t latency_ns);
/* Does not change from. Merging into initialised, empty statistics copies from. */
void lat_stats_merge(struct lat_stats *into, const struct lat_stats *from);

/* All return 0 while there is no value. */
uint64_t lat_stats_min(const struct lat_stats *stats);
uint64_t lat_stats_max(const struct lat_stats *stats);
double lat_stats_mean(const struct lat_stats *stats);
double lat_stats_stddev(const struct lat_stats *stats);
/*
 * The smallest value that at least percent % of all values do not exceed (nearest rank), to 0.8 %.
 * percent 0 or less gives the minimum, 100 or more the maximum, both exact.
 */
uint64_t lat_stats_percentile(const struct lat_stats *stats, double percent);

/*
 * The bounds of a bucket, below LAT_STATS_BUCKETS: it counts the values first..last. Buckets lie
 * side by side from 0 to UINT64_MAX and are the same in every run, so histograms are merged by
 * adding the counts of equal buckets.
 */
uint64_t lat_stats_bucket_first(uint32_t bucket);
uint64_t lat_stats_bucket_last(uint32_t bucket);

#endif
