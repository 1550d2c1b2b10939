/* SPDX-License-Identifier: MIT */
#include "base/place_trial.h"

#include <math.h>

#define MS UINT64_C(1000000)

enum {
    LEGS = 4,
    SETTLE_MS = 8,
    MEASURE_MS = 20,
    HELD_UP_MS = 4 * MEASURE_MS, /* a measurement that took longer was disturbed */
    KEEP_MIN_MS = 500,
    KEEP_MAX_MS = 4000,
    LOOK_MS = 100,  /* how often to check for other clients */
    READS_MIN = 64, /* fewer are no measurement */
    EXTENSIONS_MAX = 8,
    FAST_READS_PER_MS = 400, /* faster than threads can switch: they must not share a CPU */
};

/* "Anywhere" must be better by more than this: the other place costs the whole machine less, but a
 * client measures only its own part of that. */
static const double MARGIN = 1.04;

/* About Dom0's processor time for a read of the disk, in both places. Without it the client's own
 * few microseconds would have too much weight. */
static const double DOM0_CPU_NS = 8000;

const char *place_name(enum place place)
{
    switch (place) {
    case PLACE_WITH_DOM0:
        return "with dom0";
    case PLACE_WITHOUT_DOM0:
        return "without dom0";
    case PLACE_ANYWHERE:
        break;
    }
    return "anywhere";
}

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

static void look_again(struct place_trial *trial, uint64_t now_ns)
{
    trial->due_ns = trial->keep_until_ns;
    if (trial->place != PLACE_ANYWHERE && now_ns + LOOK_MS * MS < trial->due_ns)
        trial->due_ns = now_ns + LOOK_MS * MS;
}

/* Dom0 serves another client too: two clients on Dom0's CPU would wait for each other, and so would
 * many threads of several clients on the other CPUs. */
static bool give_way(struct place_trial *trial, uint64_t now_ns)
{
    bool changed = trial->place != PLACE_ANYWHERE;
    trial->place = PLACE_ANYWHERE;
    trial->phase = TRIAL_KEEP;
    trial->leg = 0;
    trial->keep_until_ns = now_ns + LOOK_MS * MS;
    trial->due_ns = trial->keep_until_ns;
    return changed;
}

static bool keep(struct place_trial *trial, enum place place, uint64_t now_ns)
{
    bool changed = trial->place != place;
    trial->place = place;
    trial->phase = TRIAL_KEEP;
    trial->leg = 0;
    trial->keep_until_ns = now_ns + trial->keep_ns;
    look_again(trial, now_ns);
    if (trial->keep_ns < KEEP_MAX_MS * MS)
        trial->keep_ns *= 2;
    return changed;
}

static bool next_leg(struct place_trial *trial, uint64_t now_ns)
{
    trial->leg++;
    trial->place = opposite(trial);
    trial->phase = TRIAL_SETTLE;
    trial->due_ns = now_ns + SETTLE_MS * MS;
    return true;
}

static double score(const struct place_sample *took)
{
    double reads = (double)took->answered_count;
    double cpu_ns_per_read = (double)took->cpu_ns / reads + DOM0_CPU_NS;
    return reads / (double)took->now_ns / sqrt(sqrt(cpu_ns_per_read));
}

static bool conclude(struct place_trial *trial, const struct place_sample *sample)
{
    struct place_sample took = {
        .now_ns = sample->now_ns - trial->begin.now_ns,
        .answered_count = sample->answered_count - trial->begin.answered_count,
        .cpu_ns = sample->cpu_ns - trial->begin.cpu_ns,
    };
    if (took.answered_count < READS_MIN && trial->extensions++ < EXTENSIONS_MAX) {
        trial->due_ns = sample->now_ns + MEASURE_MS * MS;
        return false;
    }
    if (took.answered_count < READS_MIN) /* a slow disk, a clock that stands: nothing to win */
        return keep(trial, PLACE_ANYWHERE, sample->now_ns);
    if (trial->extensions == 0 && took.now_ns > HELD_UP_MS * MS) {
        measure(trial, sample);
        return false;
    }
    if (trial->place == PLACE_ANYWHERE &&
        took.answered_count / (took.now_ns / MS + 1) >= FAST_READS_PER_MS)
        return keep(trial, PLACE_ANYWHERE, sample->now_ns);
    double *best = &trial->best[trial->place != PLACE_ANYWHERE];
    *best = fmax(*best, score(&took));
    if (trial->leg < LEGS - 1)
        return next_leg(trial, sample->now_ns);
    bool anywhere = trial->best[0] > trial->best[1] * MARGIN;
    return keep(trial, anywhere ? PLACE_ANYWHERE : trial->other, sample->now_ns);
}

bool place_trial_step(struct place_trial *trial, const struct place_sample *sample)
{
    if (!sample->alone)
        return give_way(trial, sample->now_ns);
    switch (trial->phase) {
    case TRIAL_MEASURE:
        return conclude(trial, sample);
    case TRIAL_KEEP:
        if (sample->now_ns < trial->keep_until_ns) {
            look_again(trial, sample->now_ns);
            return false;
        }
        trial->best[0] = trial->best[1] = 0;
        break;
    case TRIAL_SETTLE:
        break;
    }
    measure(trial, sample);
    return false;
}
