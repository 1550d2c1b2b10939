/* SPDX-License-Identifier: MIT */
/*
 * place_trial: where should the threads of a client run, seen from Dom0's CPU? What is best depends
 * on the machine, the disk and who else runs, so it is tried, and tried again from time to time.
 *
 *   | anywhere       | the other      | anywhere       | the other      | the better one ...
 *   settle   measure   settle   measure   settle   measure   settle   measure
 *   0        8        28       36       56       64       84       92      112 ms
 *
 * The better one is kept for 0.5 s, then both are tried again, and so on after 1, 2, 4, 4 ... s. It
 * is the one with the higher score: reads a second, over the fourth root of the processor time of a
 * read. So an equal rate at less cost wins, and a rate that is lower by more than noise never does;
 * what is left to noise goes to the other place.
 *
 * Of each place the better measurement counts: whatever disturbs one (a host that lets its guest
 * stand still for a part of each 100 ms, a neighbour) makes it worse and never better.
 *
 * All this is for a client that is alone. On Dom0's CPU there is room for one; and where the
 * threads of several crowd on the others, the system's scheduler shares out the CPUs, and with them
 * the disk, less evenly than when it may use all of them. One that is not alone goes back to
 * anywhere, within 0.1 s.
 *
 * Pure arithmetic on what it is told. One thread.
 */
#ifndef SPLITDOM_CLIENT_PLACE_TRIAL_H
#define SPLITDOM_CLIENT_PLACE_TRIAL_H

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
    enum place other; /* what is tried against anywhere */
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
