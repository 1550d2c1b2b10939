/* SPDX-License-Identifier: MIT */
#include "client/pattern.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/decimal.h"

static const double hot_share_percent = 90;            /* without a SHARE */
static const uint64_t sectors_max = UINT64_C(1) << 53; /* a double counts them exactly */

static int parse_positive(const char *text, double max, double *out)
{
    double value;

    if (decimal_parse_real(text, 0, max, &value) < 0 || value == 0)
        return -EINVAL;
    *out = value;
    return 0;
}

/* "PCT" or "PCT:SHARE", both percentages. */
static int parse_hotset(const char *text, struct pattern_spec *spec)
{
    const char *rest;

    spec->kind = PATTERN_HOTSET;
    spec->hot_share_percent = hot_share_percent;
    if (decimal_scan_real(text, &spec->parameter, &rest) < 0 || spec->parameter == 0 ||
        spec->parameter > 100)
        return -EINVAL;
    if (*rest == '\0')
        return 0;
    return *rest == ':' ? parse_positive(rest + 1, 100, &spec->hot_share_percent) : -EINVAL;
}

int pattern_parse(const char *text, struct pattern_spec *out)
{
    struct pattern_spec spec = {0};

    if (strcmp(text, "uniform") == 0) {
        spec.kind = PATTERN_UNIFORM;
    } else if (strcmp(text, "sequential") == 0) {
        spec.kind = PATTERN_SEQUENTIAL;
    } else if (strncmp(text, "zipf:", 5) == 0) {
        spec.kind = PATTERN_ZIPF;
        if (parse_positive(text + 5, DBL_MAX, &spec.parameter) < 0)
            return -EINVAL;
    } else if (strncmp(text, "hotset:", 7) == 0) {
        if (parse_hotset(text + 7, &spec) < 0)
            return -EINVAL;
    } else if (strncmp(text, "trace:", 6) == 0 && text[6] != '\0') {
        spec.kind = PATTERN_TRACE;
        spec.trace_path = text + 6;
    } else {
        return -EINVAL;
    }
    *out = spec;
    return 0;
}

static void init_sequential(struct pattern *pattern, uint32_t sectors_per_request,
                            uint32_t thread_index, uint32_t thread_count)
{
    uint64_t sector_count = pattern->start_count + sectors_per_request - 1;

    pattern->block_sectors = sectors_per_request;
    pattern->block_count = (sector_count + sectors_per_request - 1) / sectors_per_request;
    pattern->block_next = thread_index % pattern->block_count;
    pattern->block_step = thread_count % pattern->block_count;
}

static int init_trace(struct pattern *pattern, const struct sector_trace *trace,
                      uint32_t thread_index, uint32_t thread_count)
{
    if (trace == NULL || trace->count == 0)
        return -EINVAL;
    for (uint64_t i = 0; i < trace->count; i++) {
        if (trace->sectors[i] < pattern->first_sector ||
            trace->sectors[i] - pattern->first_sector >= pattern->start_count)
            return -ERANGE;
    }
    pattern->trace = trace;
    pattern->trace_next = thread_index % trace->count;
    pattern->block_step = thread_count % trace->count;
    return 0;
}

int pattern_init(struct pattern *pattern, const struct pattern_spec *spec, uint64_t first_sector,
                 uint64_t last_sector, uint32_t sectors_per_request, uint64_t seed,
                 uint32_t thread_index, uint32_t thread_count)
{
    uint32_t bits = 0;

    if (last_sector < first_sector || last_sector - first_sector == UINT64_MAX ||
        sectors_per_request == 0 || last_sector - first_sector < sectors_per_request - 1 ||
        thread_index >= thread_count)
        return -EINVAL;
    if ((spec->kind == PATTERN_ZIPF || spec->kind == PATTERN_HOTSET) &&
        last_sector - first_sector >= sectors_max)
        return -EFBIG;
    memset(pattern, 0, sizeof(*pattern));
    pattern->kind = spec->kind;
    pattern->first_sector = first_sector;
    pattern->start_count = last_sector - first_sector - (sectors_per_request - 1) + 1;
    prng_init(&pattern->prng, seed, thread_index);
    while (bits < 64 && (pattern->start_count - 1) >> bits != 0)
        bits++;
    pattern->permute_mask = (UINT64_C(1) << bits) - 1;
    pattern->permute_shift = (bits + 1) / 2;

    switch (spec->kind) {
    case PATTERN_UNIFORM:
        return 0;
    case PATTERN_SEQUENTIAL:
        init_sequential(pattern, sectors_per_request, thread_index, thread_count);
        return 0;
    case PATTERN_ZIPF:
        if (!(spec->parameter > 0) || !isfinite(spec->parameter))
            return -EINVAL;
        zipf_init(&pattern->zipf, spec->parameter, pattern->start_count);
        return 0;
    case PATTERN_HOTSET:
        if (!(spec->parameter > 0 && spec->parameter <= 100) ||
            !(spec->hot_share_percent > 0 && spec->hot_share_percent <= 100))
            return -EINVAL;
        pattern->hot_share = spec->hot_share_percent / 100;
        pattern->hot_count =
            (uint64_t)llround((double)pattern->start_count * (spec->parameter / 100));
        if (pattern->hot_count == 0)
            pattern->hot_count = 1;
        return 0;
    case PATTERN_TRACE:
        return init_trace(pattern, spec->trace, thread_index, thread_count);
    }
    return -EINVAL;
}

/*
 * A fixed permutation of 0..start_count-1. Multiplication by an odd number, and folding the upper
 * half into the lower half, are both one-to-one on k bits. A result beyond start_count is permuted
 * again until it is in the range, which keeps the mapping one-to-one (cycle walking, Black and
 * Rogaway, CT-RSA 2002). The range has more than half of the 2^k numbers, so fewer than two rounds
 * are needed on average.
 */
static uint64_t permute(const struct pattern *pattern, uint64_t x)
{
    uint64_t mask = pattern->permute_mask;
    uint32_t shift = pattern->permute_shift;

    if (mask == 0)
        return x;
    do {
        x = (x + UINT64_C(0x632be59bd9b4e019)) * UINT64_C(0x9e3779b97f4a7c15) & mask;
        x ^= x >> shift;
        x = x * UINT64_C(0xbf58476d1ce4e5b9) & mask;
        x ^= x >> shift;
        x = x * UINT64_C(0x94d049bb133111eb) & mask;
    } while (x >= pattern->start_count);
    return x;
}

static uint64_t next_block(struct pattern *pattern)
{
    uint64_t offset = pattern->block_next * pattern->block_sectors;

    pattern->block_next = (pattern->block_next + pattern->block_step) % pattern->block_count;
    /* The last block begins early enough to fit into the range. */
    return offset < pattern->start_count ? offset : pattern->start_count - 1;
}

static uint64_t next_of_trace(struct pattern *pattern)
{
    uint64_t sector = pattern->trace->sectors[pattern->trace_next];

    pattern->trace_next = (pattern->trace_next + pattern->block_step) % pattern->trace->count;
    return sector;
}

static uint64_t next_of_hotset(struct pattern *pattern)
{
    uint64_t cold_count = pattern->start_count - pattern->hot_count;

    if (cold_count == 0 || prng_unit(&pattern->prng) < pattern->hot_share)
        return permute(pattern, prng_below(&pattern->prng, pattern->hot_count));
    return permute(pattern, pattern->hot_count + prng_below(&pattern->prng, cold_count));
}

uint64_t pattern_next(struct pattern *pattern)
{
    switch (pattern->kind) {
    case PATTERN_SEQUENTIAL:
        return pattern->first_sector + next_block(pattern);
    case PATTERN_ZIPF:
        return pattern->first_sector +
               permute(pattern, zipf_next(&pattern->zipf, &pattern->prng) - 1);
    case PATTERN_HOTSET:
        return pattern->first_sector + next_of_hotset(pattern);
    case PATTERN_TRACE:
        return next_of_trace(pattern);
    case PATTERN_UNIFORM:
        break;
    }
    return pattern->first_sector + prng_below(&pattern->prng, pattern->start_count);
}
