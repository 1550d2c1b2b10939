/* SPDX-License-Identifier: MIT */
#include "client/place_trial.h"

#include <math.h>

#define MS UINT64_C(1000000)

enum {
    SETTLE_MS = 10,
    MEASURE_MS = 25,
    HELD_UP_MS = 4 * MEASURE_MS, /* a measurement that took longer tells of something else */
    KEEP_MIN_MS = 500,
    KEEP_MAX_MS = 4000,
    READS_MIN = 64, /* fewer tell nothing */
    EXTENSIONS_MAX = 8,
    FAST_READS_PER_MS = 400, /* faster than threads can switch: they must not share a CPU */
};

/* The other one must be better by more than this. */
static const double MARGIN = 1.02;

void place_trial_init(struct place_trial *trial, enum place other, uint64_t now_ns)
{
    *trial = (struct place_trial){.other = other,
                                  .place = PLACE_ANYWHERE,
                                  .phase = TRIAL_SETTLE,
                                  .keep_ns = KEEP_MIN_MS * MS,
                                  .due_ns = now_ns + SETTLE_MS * MS};
    if (other == PLACE_ANYWHERE)
        trial->due_ns = UINT64_MAX;
}

static enum place opposite(const struct place_trial *trial)
{
    return trial->place == PLACE_ANYWHERE ? trial->other : PLACE_ANYWHERE;
}

static void measure(struct place_trial *trial, const struct place_sample *sample)
{
    trial->phase = TRIAL_MEASURE;
    trial->extensions = 0;
    trial->begin = *sample;
    trial->due_ns = sample->now_ns + MEASURE_MS * MS;
}

static bool keep(struct place_trial *trial, enum place place, uint64_t now_ns)
{
    bool changed = trial->place != place;
    trial->place = place;
    trial->phase = TRIAL_KEEP;
    trial->second = false;
    trial->due_ns = now_ns + trial->keep_ns;
    if (trial->keep_ns < KEEP_MAX_MS * MS)
        trial->keep_ns *= 2;
    return changed;
}

static bool try_other(struct place_trial *trial, uint64_t now_ns)
{
    trial->place = opposite(trial);
    trial->phase = TRIAL_SETTLE;
    trial->second = true;
    trial->due_ns = now_ns + SETTLE_MS * MS;
    return true;
}

static bool conclude(struct place_trial *trial, const struct place_sample *sample)
{
    uint64_t took_ns = sample->now_ns - trial->begin.now_ns;
    uint64_t reads = sample->answered_count - trial->begin.answered_count;
    uint64_t cpu_ns = sample->cpu_ns - trial->begin.cpu_ns;
    if (reads < READS_MIN && trial->extensions++ < EXTENSIONS_MAX) {
        trial->due_ns = sample->now_ns + MEASURE_MS * MS;
        return false;
    }
    if (reads < READS_MIN) /* a slow disk, or a clock that stands: nothing to win */
        return keep(trial, PLACE_ANYWHERE, sample->now_ns);
    if (trial->extensions == 0 && took_ns > HELD_UP_MS * MS) {
        measure(trial, sample);
        return false;
    }
    if (trial->place == PLACE_ANYWHERE && reads / (took_ns / MS + 1) >= FAST_READS_PER_MS)
        return keep(trial, PLACE_ANYWHERE, sample->now_ns);
    double score = (double)reads / (double)took_ns *
                   sqrt(sqrt((double)reads / (double)(cpu_ns > 0 ? cpu_ns : 1)));
    if (!trial->second) {
        trial->score = score;
        return try_other(trial, sample->now_ns);
    }
    bool better = score > trial->score * MARGIN;
    return keep(trial, better ? trial->place : opposite(trial), sample->now_ns);
}

bool place_trial_step(struct place_trial *trial, const struct place_sample *sample)
{
    switch (trial->phase) {
    case TRIAL_MEASURE:
        return conclude(trial, sample);
    case TRIAL_SETTLE:
    case TRIAL_KEEP:
        break;
    }
    measure(trial, sample);
    return false;
}
