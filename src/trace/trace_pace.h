/* SPDX-License-Identifier: MIT */
/*
 * trace_pace: which of the requests that come by are written down (splitdom/trace.h). That is
 * decided before anybody looks at a clock: whoever is not chosen costs a look at a number.
 *
 * Of a sample of one in N it is each N-th. TRACE_SAMPLE_AUTO is all of them as long as there are no
 * more than TRACE_PACE_PER_SECOND, and else each 2nd, 4th, ..., which makes no more than
 * TRACE_PACE_SAMPLE_PER_SECOND: so tracing costs the traced little, whatever the rate. Each
 * TRACE_PACE_LOOK_EVERY-th of those that pass by then asks for a look at a coarse clock, so that
 * the calm after a storm is noticed. Not for several threads at once.
 */
#ifndef SPLITDOM_TRACE_TRACE_PACE_H
#define SPLITDOM_TRACE_TRACE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/trace.h"

enum {
    TRACE_PACE_PER_SECOND = 50000,
    TRACE_PACE_SAMPLE_PER_SECOND = 12500,
    TRACE_PACE_LOOK_EVERY = 16,
    TRACE_PACE_EVERY_MAX = 1 << 16,
};

struct trace_pace {
    uint32_t threshold; /* see trace_wants */
    uint32_t every;     /* one in so many is chosen */
    uint32_t left;      /* requests that pass by before the next one that is, or before a look */
    uint32_t later;     /* after that look: before the next one that is */
    uint32_t passed;    /* since the last one that was */
    uint32_t serial;    /* the owner's; 0 after trace_pace_init */
    uint32_t sharers;   /* paces that share the rate between them; 0: as 1 */
    uint64_t chosen;    /* so far */
    uint64_t since_ns;  /* auto: the rate is known of the time until here; 0: of none */
    uint64_t seen;      /* auto: requests from then until the last one that was chosen */
};

/* threshold: above 0. */
void trace_pace_init(struct trace_pace *pace, uint32_t threshold);

/* Is the next request chosen? */
static inline bool trace_pace_is_due(const struct trace_pace *pace)
{
    return pace->left == 0;
}

/* So many requests pass by before the next one that is chosen. */
static inline uint32_t trace_pace_distance(const struct trace_pace *pace)
{
    return pace->left + pace->later;
}

/* So many requests come by and are not chosen. One that was due is due still. Returns whether
 * trace_pace_look is to be called before the next one: never if more were left. */
static inline bool trace_pace_pass(struct trace_pace *pace, uint32_t count)
{
    pace->passed += count;
    if (count < pace->left) {
        pace->left -= count;
        return false;
    }
    count -= pace->left;
    pace->left = 0;
    pace->later -= count < pace->later ? count : pace->later;
    return pace->later > 0;
}

/* now_ns: CLOCK_MONOTONIC, or its coarse sister. The next one may be due then. */
void trace_pace_look(struct trace_pace *pace, uint64_t now_ns);

/* A request comes by at now_ns and is chosen. Returns its rank; *weight: requests it stands for. */
uint32_t trace_pace_choose(struct trace_pace *pace, uint64_t now_ns, uint32_t *weight);

#endif
