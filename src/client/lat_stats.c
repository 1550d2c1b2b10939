/* SPDX-License-Identifier: MIT */
#include "client/lat_stats.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK = 64,             /* values of a block: their squares fit together into 64 bits, if */
    DISTANCE_MAX = 1 << 29, /* each of them is less than this from the first one */
};

uint64_t lat_stats_bucket_first(uint32_t bucket)
{
    return log_bucket_first(bucket, LAT_STATS_BITS);
}

uint64_t lat_stats_bucket_last(uint32_t bucket)
{
    return log_bucket_last(bucket, LAT_STATS_BITS);
}

void lat_stats_init(struct lat_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->min_ns = UINT64_MAX;
}

static void merge_moments(struct lat_moments *into, const struct lat_moments *from)
{
    double distance = from->mean_ns - into->mean_ns;
    double count = into->count + from->count;

    if (from->count == 0)
        return;
    into->mean_ns += distance * (from->count / count);
    into->square_sum +=
        from->square_sum + distance * distance * into->count * (from->count / count);
    into->count = count;
}

static struct lat_moments moments_of(const struct lat_stats *stats)
{
    const struct lat_block *block = &stats->block;
    struct lat_moments moments = stats->moments, last = {.count = block->count};

    if (block->count == 0)
        return moments;
    double mean = (double)block->sum / last.count;
    last.mean_ns = (double)block->base_ns + mean;
    last.square_sum = (double)block->square_sum - mean * (double)block->sum;
    if (last.square_sum < 0) /* where all values are equal, but for rounding */
        last.square_sum = 0;
    merge_moments(&moments, &last);
    return moments;
}

void lat_stats_add(struct lat_stats *stats, uint64_t latency_ns)
{
    struct lat_block *block = &stats->block;
    int64_t distance = (int64_t)(latency_ns - block->base_ns);

    uint64_t apart =
        latency_ns > block->base_ns ? latency_ns - block->base_ns : block->base_ns - latency_ns;

    if (block->count == BLOCK || apart >= DISTANCE_MAX) {
        stats->moments = moments_of(stats);
        *block = (struct lat_block){.base_ns = latency_ns};
        distance = 0;
    }
    block->count++;
    block->sum += distance;
    block->square_sum += (uint64_t)(distance * distance);
    stats->count++;
    if (latency_ns < stats->min_ns)
        stats->min_ns = latency_ns;
    if (latency_ns > stats->max_ns)
        stats->max_ns = latency_ns;
    stats->bucket[log_bucket_of(latency_ns, LAT_STATS_BITS)]++;
}

void lat_stats_merge(struct lat_stats *into, const struct lat_stats *from)
{
    struct lat_moments both = moments_of(into), other = moments_of(from);

    if (from->count == 0)
        return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    merge_moments(&both, &other);
    into->moments = both;
    into->block = (struct lat_block){0};
    into->count += from->count;
    if (from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (uint32_t i = 0; i < LAT_STATS_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

uint64_t lat_stats_min(const struct lat_stats *stats)
{
    return stats->count > 0 ? stats->min_ns : 0;
}

uint64_t lat_stats_max(const struct lat_stats *stats)
{
    return stats->max_ns;
}

double lat_stats_mean(const struct lat_stats *stats)
{
    return moments_of(stats).mean_ns;
}

double lat_stats_stddev(const struct lat_stats *stats)
{
    const struct lat_moments moments = moments_of(stats);

    return stats->count > 0 ? sqrt(moments.square_sum / moments.count) : 0;
}

/* How many values, in ascending order, make percent of all, which is more than 0; 1..count. */
static uint64_t rank_of(const struct lat_stats *stats, double percent)
{
    /* 99.9 % of 1000 must be 999, although 99.9 has no exact binary fraction. */
    double exact = percent / 100 * (double)stats->count;
    double rank = ceil(exact - exact * 1e-14);

    return rank < (double)stats->count ? (uint64_t)rank : stats->count;
}

uint64_t lat_stats_percentile(const struct lat_stats *stats, double percent)
{
    uint64_t rank, seen = 0, value;
    uint32_t bucket = 0;

    if (percent <= 0 || stats->count == 0)
        return lat_stats_min(stats);
    if (percent >= 100)
        return stats->max_ns;
    rank = rank_of(stats, percent);
    for (;; bucket++) {
        seen += stats->bucket[bucket];
        if (seen >= rank)
            break;
    }
    value = log_bucket_first(bucket, LAT_STATS_BITS) +
            (UINT64_C(1) << log_bucket_shift(bucket, LAT_STATS_BITS)) / 2;
    if (value < stats->min_ns)
        return stats->min_ns;
    return value > stats->max_ns ? stats->max_ns : value;
}
