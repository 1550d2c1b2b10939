/* SPDX-License-Identifier: MIT */
/*
 * trace_pace: which of the requests that come by are written down (splitdom/trace.h). That is
 * decided before anybody looks at a clock: whoever is not chosen costs a look at a number.
 *
 * Of a sample of one in N it is each N-th. TRACE_SAMPLE_AUTO is all of them as long as there are no
 * more than TRACE_PACE_PER_SECOND, and then each 2nd, 4th, ..., so that tracing costs the traced
 * little, whatever the rate. Not for several threads at once.
 */
#ifndef SPLITDOM_TRACE_TRACE_PACE_H
#define SPLITDOM_TRACE_TRACE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/trace.h"

enum {
    TRACE_PACE_PER_SECOND = 50000,
    TRACE_PACE_EVERY_MAX = 1 << 16,
};

struct trace_pace {
    uint32_t threshold; /* see trace_wants */
    uint32_t every;     /* one in so many is chosen */
    uint32_t left;      /* requests that pass by before the next one that is */
    uint32_t passed;    /* since the last one that was */
    uint32_t serial;    /* the owner's; 0 after trace_pace_init */
    uint32_t sharers;   /* paces that share the rate between them; 0: as 1 */
    uint64_t chosen;    /* so far */
    uint64_t paid_ns;   /* auto: until when the chosen ones would have lasted at the full rate */
};

/* threshold: above 0. */
void trace_pace_init(struct trace_pace *pace, uint32_t threshold);

/* Is the next request chosen? */
static inline bool trace_pace_is_due(const struct trace_pace *pace)
{
    return pace->left == 0;
}

/* A request comes by and is not chosen. One that was due is due still. */
static inline void trace_pace_pass(struct trace_pace *pace)
{
    pace->left -= pace->left > 0;
    pace->passed++;
}

/* A request comes by at now_ns and is chosen. Returns its rank; *weight: requests it stands for. */
uint32_t trace_pace_choose(struct trace_pace *pace, uint64_t now_ns, uint32_t *weight);

#endif
