/* SPDX-License-Identifier: MIT */
/*
 * patience: until when a thread waits for Dom0. One deadline bounds a whole undertaking, whatever
 * its steps take; each wait on the way asks how much is left. Another thread can cut it short: who
 * waits looks again after at most PATIENCE_SLICE_MS.
 */
#ifndef SPLITDOM_DOMU_PATIENCE_H
#define SPLITDOM_DOMU_PATIENCE_H

#include <stddef.h>

#include "base/clock.h"
#include "ring/barrier.h"

enum { PATIENCE_SLICE_MS = 100 };

#define PATIENCE_FOR_EVER UINT64_MAX

struct patience {
    uint64_t (*now_ns)(void *ctx); /* monotonic, real time; not called while patience is endless */
    void *ctx;
    uint64_t deadline_ns; /* of the thread's present undertaking; its own */
    uint64_t end_ns;      /* atomic: of all; stored by whoever cuts it */
};

static inline void patience_init(struct patience *patience)
{
    *patience = (struct patience){.now_ns = clock_monotonic_fn,
                                  .deadline_ns = PATIENCE_FOR_EVER,
                                  .end_ns = PATIENCE_FOR_EVER};
}

/* A new undertaking may take so long. By the thread that waits. */
static inline void patience_give(struct patience *patience, uint64_t ms)
{
    patience->deadline_ns = patience->now_ns(patience->ctx) + ms * 1000000;
}

/* By the thread that waits. */
static inline void patience_give_for_ever(struct patience *patience)
{
    patience->deadline_ns = PATIENCE_FOR_EVER;
}

/* Whatever the thread is about, and all that comes after, ends in so long. Any thread; of several
 * cuts the last one counts. */
static inline void patience_cut(struct patience *patience, uint64_t ms)
{
    store_full_u64(&patience->end_ns, patience->now_ns(patience->ctx) + ms * 1000000);
}

/* How long a wait of wanted_ms may take: 0, for none, to wanted_ms. NULL: patience is endless. */
static inline int patience_left_ms(const struct patience *patience, int wanted_ms)
{
    if (patience == NULL)
        return wanted_ms;
    uint64_t end_ns = load_relaxed_u64(&patience->end_ns);
    if (patience->deadline_ns < end_ns)
        end_ns = patience->deadline_ns;
    if (end_ns == PATIENCE_FOR_EVER)
        return wanted_ms;
    uint64_t now_ns = patience->now_ns(patience->ctx);
    uint64_t left_ms = now_ns >= end_ns ? 0 : (end_ns - now_ns - 1) / 1000000 + 1;
    return left_ms < (uint64_t)wanted_ms ? (int)left_ms : wanted_ms;
}

#endif
