/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_model_law.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/prng.h"
#include "service/block/engine/sector.h"

#define NS_PER_SECOND  UINT64_C(1000000000)
#define SERVICE_MAX_NS 1e15 /* eleven days: where a very long tail is cut off */

/*
 * When the next request may begin under a cap: at_ns + remainder/rate. The remainder keeps the
 * average rate exact although 10^9/rate is no whole number.
 */
struct pace {
    uint64_t rate; /* per second; 0: no cap */
    uint64_t at_ns;
    uint64_t remainder;
};

struct disk_model_law {
    struct disk_model_config config;
    struct prng service_stream;
    struct prng fault_stream;
    struct pace requests;
    struct pace bytes;
    struct disk_drive drive;
    double sigma;       /* of the lognormal's logarithm */
    uint64_t free_ns[]; /* per channel: when it is free */
};

/* Uniform in (0, 1], so that its logarithm exists. */
static double random_unit(struct prng *prng)
{
    return prng_unit(prng) + 0x1p-53; /* a multiple of it: nothing is rounded */
}

/* True with probability p: never at 0, always at 1. */
static bool random_hits(double unit, double p)
{
    return unit <= p && p > 0;
}

static double mean_of(const struct disk_model_law *law, enum disk_operation operation)
{
    switch (operation) {
    case DISK_READ:
        return law->config.mean_ns;
    case DISK_WRITE:
    case DISK_DISCARD:
        return law->config.write_ns;
    case DISK_FLUSH:
        return law->config.flush_ns;
    }
    abort(); /* there is no other operation */
}

static double draw_service_ns(struct disk_model_law *law, double mean_ns)
{
    double u = random_unit(&law->service_stream);
    double v = random_unit(&law->service_stream);
    double normal;

    switch (law->config.law) {
    case DISK_MODEL_FIXED:
        return mean_ns;
    case DISK_MODEL_EXPONENTIAL:
        return mean_ns * -log(u);
    case DISK_MODEL_LOGNORMAL:
        normal = sqrt(-2 * log(u)) * cos(2 * M_PI * v);
        /* exp(mu + sigma z) with mu = ln(mean) - sigma^2/2, which makes the mean the mean */
        return mean_ns * exp(law->sigma * normal - law->sigma * law->sigma / 2);
    }
    abort(); /* there is no other law */
}

static enum disk_model_fate draw_fate(struct disk_model_law *law)
{
    const struct disk_model_config *config = &law->config;
    double unit = random_unit(&law->fault_stream);
    double limit = config->error_probability;

    if (random_hits(unit, limit))
        return DISK_MODEL_ERROR;
    limit += config->short_probability;
    if (random_hits(unit, limit))
        return DISK_MODEL_SHORT;
    limit += config->stuck_probability;
    if (random_hits(unit, limit))
        return DISK_MODEL_STUCK;
    return DISK_MODEL_SERVED;
}

static void pace_advance(struct pace *pace, uint64_t begin_ns, uint32_t units)
{
    if (pace->rate == 0)
        return;
    if (begin_ns > pace->at_ns)
        pace->remainder = 0; /* it was idle: the cap saves nothing up */
    pace->at_ns = begin_ns + units / pace->rate * NS_PER_SECOND;
    /* What is left of the units is below 2^32 and the remainder below 10^15: no overflow. */
    uint64_t parts = units % pace->rate * NS_PER_SECOND + pace->remainder;
    pace->at_ns += parts / pace->rate;
    pace->remainder = parts % pace->rate;
}

static uint32_t first_free_channel(const struct disk_model_law *law)
{
    uint32_t first = 0;

    for (uint32_t i = 1; i < law->config.channels; i++)
        if (law->free_ns[i] < law->free_ns[first])
            first = i;
    return first;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

struct disk_model_outcome disk_model_law_arrive(struct disk_model_law *law, uint64_t now_ns,
                                                enum disk_operation operation,
                                                uint64_t offset_bytes, uint32_t length_bytes)
{
    uint32_t channel = first_free_channel(law);
    bool drives = law->drive.parameters != NULL && operation != DISK_FLUSH;
    double service_ns = draw_service_ns(law, mean_of(law, operation));
    struct disk_model_outcome outcome = {.fate = draw_fate(law)};

    if (random_hits(random_unit(&law->fault_stream), law->config.slow_probability))
        service_ns += law->config.slow_ns;

    outcome.begin_ns = later(now_ns, law->free_ns[channel]);
    outcome.begin_ns = later(outcome.begin_ns, law->requests.at_ns);
    outcome.begin_ns = later(outcome.begin_ns, law->bytes.at_ns);
    uint64_t served_ns = outcome.begin_ns;
    if (drives)
        served_ns =
            disk_drive_serve(&law->drive, served_ns, operation == DISK_READ,
                             offset_bytes / BLOCK_SECTOR_BYTES, length_bytes / BLOCK_SECTOR_BYTES);
    outcome.due_ns = served_ns + (uint64_t)llround(fmin(service_ns, SERVICE_MAX_NS));

    law->free_ns[channel] = outcome.due_ns;
    pace_advance(&law->requests, outcome.begin_ns, 1);
    pace_advance(&law->bytes, outcome.begin_ns, length_bytes);
    return outcome;
}

int disk_model_law_create(const struct disk_model_config *config, struct disk_model_law **out)
{
    struct disk_model_law *law =
        calloc(1, sizeof(*law) + config->channels * sizeof(law->free_ns[0]));
    uint64_t seeder = config->seed;

    *out = NULL;
    if (law == NULL)
        return -ENOMEM;
    law->config = *config;
    law->sigma = sqrt(log1p(config->cv * config->cv));
    law->drive.parameters = config->drive;
    law->requests.rate = config->requests_per_second;
    law->bytes.rate = config->bytes_per_second;
    prng_seed(&law->service_stream, &seeder);
    prng_seed(&law->fault_stream, &seeder);
    *out = law;
    return 0;
}

void disk_model_law_destroy(struct disk_model_law *law)
{
    free(law);
}
