/* SPDX-License-Identifier: MIT */
/*
 * place_trial: should the threads of a domain run on Dom0's CPU, on the other CPUs, or anywhere?
 * The best place depends on the machine, the disk and the other processes. So both places are
 * measured, and measured again from time to time.
 *
 *   | anywhere       | the other      | anywhere       | the other      | the better one ...
 *   settle   measure   settle   measure   settle   measure   settle   measure
 *   0        8        28       36       56       64       84       92      112 ms
 *
 * The better place is kept for 0.5 s, then both are measured again, and so on after 1, 2, 4, 4 ...
 * s. The score of a place is the reads per second, divided by the fourth root of the processor time
 * of a read. So at an equal rate the cheaper place wins, and a place whose rate is lower by more
 * than noise never wins. Within noise the other place wins.
 *
 * The better of a place's two measurements counts: a disturbance (a host that stops its guest for a
 * part of each 100 ms, a neighbour) makes a measurement worse and never better.
 *
 * Only a domain that is alone is placed. Dom0's CPU has room for one. If the threads of
 * several domains share the other CPUs, the system's scheduler divides the CPUs, and with them the
 * disk, less evenly than if it may use all CPUs. A domain that is no longer alone returns to
 * "anywhere" within 0.1 s.
 *
 * Pure arithmetic on the samples that the caller passes. One thread.
 */
#ifndef SPLITDOM_BASE_PLACE_TRIAL_H
#define SPLITDOM_BASE_PLACE_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

enum place {
    PLACE_ANYWHERE,
    PLACE_WITH_DOM0,    /* on Dom0's CPU: a wake-up needs no interrupt of another one */
    PLACE_WITHOUT_DOM0, /* on any but Dom0's */
};

struct place_sample {
    uint64_t now_ns;         /* CLOCK_MONOTONIC */
    uint64_t answered_count; /* reads so far */
    uint64_t cpu_ns;         /* processor time of the process so far */
    bool alone;              /* no other domain has requests */
};

struct place_trial {
    enum place other; /* what is compared with anywhere */
    enum place place; /* in force */
    enum { TRIAL_SETTLE, TRIAL_MEASURE, TRIAL_KEEP } phase;
    uint32_t leg; /* of the trial: odd ones are in the place that was not in force before it */
    uint32_t extensions;
    struct place_sample begin; /* of the measurement */
    double best[2];            /* scores: anywhere, other */
    uint64_t keep_ns, keep_until_ns;
    uint64_t due_ns; /* when place_trial_step is to be called next; UINT64_MAX: never */
};

/* "anywhere", "with dom0", "without dom0". */
const char *place_name(enum place place);

/* Begins at now_ns, anywhere. other == PLACE_ANYWHERE: nothing is tried. */
void place_trial_init(struct place_trial *trial, enum place other, uint64_t now_ns);

/* At due_ns or later. Returns whether trial->place changed; sets due_ns. */
bool place_trial_step(struct place_trial *trial, const struct place_sample *sample);

#endif
