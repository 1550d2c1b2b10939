/* SPDX-License-Identifier: MIT */
/* cache_loads: what cache_sim lets the caches be asked for. */
#ifndef SPLITDOM_BENCH_CACHE_LOADS_H
#define SPLITDOM_BENCH_CACHE_LOADS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "client/sector_trace.h"
#include "client/zipf.h"

enum { SECTOR_BYTES = 512, POLICIES_MAX = 16 };

#define NEVER UINT32_MAX

/* One load: fills the trace. */
struct sim {
    uint32_t sector_count;
    uint32_t capacity;
    uint32_t request_count;
    bool shared;
    double furthest; /* apart, what exact and shared ratios were */
    uint32_t *trace;
    struct sector_trace recorded; /* of trace:FILE */
    struct prng prng;
};

struct load {
    const char *name;
    void (*fill)(struct sim *sim, double parameter);
    double parameter;
};

static inline uint32_t below(struct sim *sim, uint32_t bound)
{
    return (uint32_t)prng_below(&sim->prng, bound);
}

static inline void fill_uniform(struct sim *sim, double unused)
{
    (void)unused;
    for (uint32_t i = 0; i < sim->request_count; i++)
        sim->trace[i] = below(sim, sim->sector_count);
}

static inline void fill_recorded(struct sim *sim, double unused)
{
    (void)unused;
    for (uint32_t i = 0; i < sim->request_count; i++)
        sim->trace[i] = (uint32_t)sim->recorded.sectors[i];
}

static inline void fill_zipf(struct sim *sim, double theta)
{
    struct zipf zipf;

    zipf_init(&zipf, theta, sim->sector_count);
    for (uint32_t i = 0; i < sim->request_count; i++)
        sim->trace[i] = (uint32_t)zipf_next(&zipf, &sim->prng) - 1;
}

/* Of every ten reads three belong to a scan over the disk; in bursts as long as the cache. */
static inline void fill_zipf_and_bursts(struct sim *sim, double theta)
{
    uint32_t scan = 0;

    fill_zipf(sim, theta);
    for (uint32_t i = 0; i < sim->request_count; i++)
        if (i % (sim->capacity * 10 / 3) >= sim->capacity * 7 / 3)
            sim->trace[i] = scan++ % sim->sector_count;
}

static inline void fill_zipf_and_scan(struct sim *sim, double theta)
{
    uint32_t scan = 0;

    fill_zipf(sim, theta);
    for (uint32_t i = 0; i < sim->request_count; i++)
        if (prng_unit(&sim->prng) < 0.3)
            sim->trace[i] = scan++ % sim->sector_count;
}

/* A set of 80 % of the cache gets 90 % of the reads, the whole disk the others. */
static inline void fill_hot_set(struct sim *sim, double unused)
{
    (void)unused;
    for (uint32_t i = 0; i < sim->request_count; i++)
        sim->trace[i] =
            below(sim, prng_unit(&sim->prng) < 0.9 ? sim->capacity * 4 / 5 : sim->sector_count);
}

static inline void fill_loop(struct sim *sim, double length)
{
    uint32_t sectors = (uint32_t)(length * sim->capacity);

    for (uint32_t i = 0; i < sim->request_count; i++)
        sim->trace[i] = i % sectors;
}

/* Twenty times in the run all ranks move to other sectors. */
static inline void fill_zipf_moving(struct sim *sim, double theta)
{
    uint32_t period = sim->request_count / 20 + 1;

    fill_zipf(sim, theta);
    for (uint32_t i = 0; i < sim->request_count; i++)
        sim->trace[i] =
            (uint32_t)((sim->trace[i] + (uint64_t)(i / period) * 7919 * 13) % sim->sector_count);
}

/* 60 % repeat an earlier read, at an exponentially distributed distance; the others are new. */
static inline void fill_recency(struct sim *sim, double mean_distance)
{
    for (uint32_t i = 0; i < sim->request_count; i++) {
        double distance = 1 - mean_distance * log(1 - prng_unit(&sim->prng));

        if (prng_unit(&sim->prng) < 0.6 && distance < i)
            sim->trace[i] = sim->trace[i - (uint32_t)distance];
        else
            sim->trace[i] = below(sim, sim->sector_count);
    }
}

static const struct load loads[] = {
    {"uniform", fill_uniform, 0},
    {"zipf 0.80", fill_zipf, 0.8},
    {"zipf 0.99", fill_zipf, 0.99},
    {"zipf 1.20", fill_zipf, 1.2},
    {"zipf 0.99 70 % + scan bursts 30 %", fill_zipf_and_bursts, 0.99},
    {"zipf 0.99 70 % + interleaved scan", fill_zipf_and_scan, 0.99},
    {"hot set of 0.8 cache 90 % + uniform", fill_hot_set, 0},
    {"loop of 1.5 x the cache", fill_loop, 1.5},
    {"zipf 0.99, hot set moves", fill_zipf_moving, 0.99},
    {"recency (60 % re-reads, exp 3000)", fill_recency, 3000},
};

#endif
