/* SPDX-License-Identifier: MIT */
/*
 * source: what drives every clock of a process: one counter, and how it relates to CLOCK_MONOTONIC.
 *
 * Made once in a process and passed on. The real source is the processor's counter (counter.h) if
 * it is invariant (on x86: CPUID 0x80000007, EDX bit 8), the kernel keeps its own time by it, and
 * this process may read it; else CLOCK_MONOTONIC, a counter of 1 GHz. The manual source moves only
 * when told to: with it no test sleeps, and a stepped simulation needs no waiting.
 *
 * Threads: one thread samples and moves. Any thread may call tdf_source_counter*.
 */
#ifndef SPLITDOM_TDF_SOURCE_H
#define SPLITDOM_TDF_SOURCE_H

#include "splitdom/tdf.h"

/* One instant, on both scales. */
struct tdf_sample {
    uint64_t counter;
    uint64_t monotonic_ns;
};

struct tdf_source {
    enum pvclock_counter counter;
    /* The counter's rate against CLOCK_MONOTONIC, kept up to date by sampling: so many ticks in so
     * many ns. rate_ns < 2^34. */
    uint64_t rate_ticks;
    uint64_t rate_ns;
    /* The time in which a clock should correct an error that a sample shows: longer where samples
     * are noisy. */
    uint64_t settle_ns;
    /* private */
    struct tdf_sample older; /* the rate is measured from here to the newest sample */
    struct tdf_sample newer; /* takes the place of older once that is too old */
    uint64_t best_width;     /* ticks: the narrowest bracket seen around a clock_gettime */
    uint64_t manual_hz;
    uint64_t manual_counter;
    uint64_t manual_wall_ns;
};

/* The best source of this machine: the processor's counter if the kernel keeps its own time by it,
 * else CLOCK_MONOTONIC. Measuring the counter's rate takes about 10 ms, asleep. */
void tdf_source_real(struct tdf_source *source);

/* The processor's counter (tdf/counter.h), whether or not the kernel trusts it. -ENOTSUP: it has
 * none of a constant rate, or this process may not read it. */
int tdf_source_tsc(struct tdf_source *source);

/* CLOCK_MONOTONIC, whatever the machine offers. */
void tdf_source_monotonic(struct tdf_source *source);

/* A counter of `hz` (1 kHz..8 GHz, else -EINVAL) that stands at now_ns. Its CLOCK_MONOTONIC is
 * exactly counter / hz. Its wall clock shows wall_ns now and moves with the counter. */
int tdf_source_manual(struct tdf_source *source, uint64_t hz, uint64_t now_ns, uint64_t wall_ns);

/* Manual only: moves to the first tick at or after a time of CLOCK_MONOTONIC (also back, as a
 * broken machine does), and forward by ns. */
void tdf_source_set_ns(struct tdf_source *source, uint64_t monotonic_ns);
void tdf_source_advance_ns(struct tdf_source *source, uint64_t ns);

/* The counter now, as cheap as the machine allows. The ordered reading comes after all loads and
 * full stores before it in this thread (counter.h). */
uint64_t tdf_source_counter(const struct tdf_source *source);
uint64_t tdf_source_counter_ordered(const struct tdf_source *source);

/* Reads both scales at one instant and refines the rate. For the processor's counter the two are
 * some ten ns apart and it takes about a microsecond; for the others they are the same. */
void tdf_source_sample(struct tdf_source *source, struct tdf_sample *out);

/* CLOCK_MONOTONIC at a counter value near a sample, by the measured rate; rounded down. */
uint64_t tdf_source_monotonic_at(const struct tdf_source *source, const struct tdf_sample *sample,
                                 uint64_t counter);

/* CLOCK_REALTIME. */
uint64_t tdf_source_wall_ns(const struct tdf_source *source);

#endif
