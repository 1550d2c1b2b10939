/* SPDX-License-Identifier: MIT */
/*
 * pattern: which sectors a thread reads.
 *
 * - uniform: every start sector equally likely.
 * - sequential: the disk in order, again and again. Thread i of T reads blocks i, i + T, i + 2T ...
 *   of sectors_per_request sectors, so all threads together read the whole disk. The last block
 *   begins earlier if the range is no multiple of the block.
 * - zipf:THETA: rank k with probability proportional to k^-THETA, THETA > 0.
 * - hotset:PCT[:SHARE]: PCT percent (0 < PCT <= 100) of the start sectors, at least one, get SHARE
 *   percent of the requests (0 < SHARE <= 100, 90 when not given); the other sectors get the rest.
 *   Within each of the two sets all start sectors are equally likely. With SHARE 100 and a hot set
 *   that fits into the cache, every request hits once the cache is warm.
 * - trace:FILE: the sectors of a trace (sector_trace.h), again and again: thread i of T reads
 *   entries i, i + T, i + 2T ...
 *
 * A permutation spreads the ranks and the hot set over the disk, so neighbours in rank are not
 * neighbours on the disk. The permutation depends on the range alone: the same sectors are hot for
 * all threads, clients and seeds. In all patterns but sequential a request may start at any sector,
 * so requests may overlap.
 *
 * The same spec, range, seed and thread give the same sequence on every run.
 */
#ifndef SPLITDOM_CLIENT_PATTERN_H
#define SPLITDOM_CLIENT_PATTERN_H

#include "base/prng.h"
#include "client/sector_trace.h"
#include "client/zipf.h"

#include <stdint.h>

enum pattern_kind {
    PATTERN_UNIFORM,
    PATTERN_SEQUENTIAL,
    PATTERN_ZIPF,
    PATTERN_HOTSET,
    PATTERN_TRACE,
};

struct pattern_spec {
    enum pattern_kind kind;
    double parameter;                 /* THETA or PCT, else 0 */
    double hot_share_percent;         /* SHARE of hotset, else 0 */
    const char *trace_path;           /* FILE of trace, inside the parsed text, else NULL */
    const struct sector_trace *trace; /* what is there, for pattern_init; outlives all patterns */
};

/* One thread's generator. Fields are pattern's own. */
struct pattern {
    enum pattern_kind kind;
    struct prng prng;
    struct zipf zipf;
    uint64_t first_sector;
    uint64_t start_count;   /* start sectors there are */
    uint64_t hot_count;     /* hotset: how many of them are hot */
    double hot_share;       /* hotset: share of the requests that they get, above 0, at most 1 */
    uint64_t permute_mask;  /* smallest 2^k - 1 that covers start_count - 1 */
    uint32_t permute_shift; /* half of k */
    uint32_t block_sectors; /* sequential */
    uint64_t block_count;   /* sequential */
    uint64_t block_next;    /* sequential */
    uint64_t block_step;    /* sequential; trace: entries */
    const struct sector_trace *trace;
    uint64_t trace_next;
};

/* Reads "uniform", "sequential", "zipf:0.99", "hotset:1", "hotset:0.5:100", "trace:F". Numbers are
 * decimal, with an exponent if wanted. Errors: -EINVAL, *out unchanged. */
int pattern_parse(const char *text, struct pattern_spec *out);

/*
 * For one of thread_count threads that read sectors_per_request sectors at a time out of
 * first_sector..last_sector. Errors: -EINVAL when the range holds no such request or is larger than
 * 2^64 - 1 sectors, thread_index is not below thread_count, or the spec did not come from
 * pattern_parse; -EFBIG: zipf or hotset of more than 2^53 sectors; -ERANGE: a request of the trace
 * would be outside the range.
 */
int pattern_init(struct pattern *pattern, const struct pattern_spec *spec, uint64_t first_sector,
                 uint64_t last_sector, uint32_t sectors_per_request, uint64_t seed,
                 uint32_t thread_index, uint32_t thread_count);

/* The next request's first sector; its last one is not beyond last_sector. */
uint64_t pattern_next(struct pattern *pattern);

#endif
