/* SPDX-License-Identifier: MIT */
/*
 * log_buckets: the buckets of a log-linear histogram, as HdrHistogram's: values below 2 << bits
 * have a bucket each, and every power of two above is cut into 1 << bits equal buckets. Buckets lie
 * side by side from 0 to UINT64_MAX, in ascending order. Each is at most 1 / (1 << bits) as wide as
 * its values are large.
 */
#ifndef SPLITDOM_BASE_LOG_BUCKETS_H
#define SPLITDOM_BASE_LOG_BUCKETS_H

#include <stdint.h>

/* How many there are. */
#define LOG_BUCKETS(bits) ((65 - (bits)) << (bits))

/*
 * With the leading bit at position e, the value's top bits + 1 bits, value >> shift, lie in
 * (1 << bits)..(2 << bits) - 1 for shift = e - bits. Shift 0 covers what the linear buckets hold
 * anyway, so bucket numbers run on without a gap.
 */
static inline uint32_t log_bucket_of(uint64_t value, uint32_t bits)
{
    if (value >> bits <= 1)
        return (uint32_t)value;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - bits;
    return (shift << bits) + (uint32_t)(value >> shift);
}

/* How many of a value's low bits its bucket does not tell. */
static inline uint32_t log_bucket_shift(uint32_t bucket, uint32_t bits)
{
    return bucket >> bits <= 1 ? 0 : (bucket >> bits) - 1;
}

/* The smallest and the largest value of a bucket. */
static inline uint64_t log_bucket_first(uint32_t bucket, uint32_t bits)
{
    uint32_t shift = log_bucket_shift(bucket, bits);
    return (uint64_t)(bucket - (shift << bits)) << shift;
}

static inline uint64_t log_bucket_last(uint32_t bucket, uint32_t bits)
{
    return log_bucket_first(bucket, bits) + ((UINT64_C(1) << log_bucket_shift(bucket, bits)) - 1);
}

#endif
