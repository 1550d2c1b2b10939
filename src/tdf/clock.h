/* SPDX-License-Identifier: MIT */
/*
 * clock: the writer's side of one domain's clock.
 *
 * Two lines describe it. The exact one maps CLOCK_MONOTONIC to the domain's time by rational
 * arithmetic, from the last change of rate on:
 *
 *   virtual = origin_virtual + (monotonic - origin_monotonic) / TDF
 *
 * The published one (vcpu_time_info) maps the counter to the domain's time with Xen's 32-bit
 * multiplier. It is wrong by up to 2^-32 of the time since its anchor, and by the error of the
 * counter's measured rate. tdf_clock_reanchor starts a new published line where the old one has got
 * to, so nothing jumps, and tilts the new line so that the error is gone after the source's settle
 * time. So rounding never adds up.
 *
 * Call tdf_clock_reanchor at least every TDF_REANCHOR_NS of real time while somebody reads the
 * clock. A late call costs accuracy until then, nothing else. A clock that nobody reads needs no
 * calls. (See docs/time.md.)
 *
 * A new clock starts at CLOCK_MONOTONIC, whatever its TDF, as all guests of a Xen host start from
 * its uptime. So at TDF 1 it shows CLOCK_MONOTONIC for ever.
 *
 * Threads: one thread owns the clock and makes all calls here. All other threads and processes read
 * a published vcpu_time_info by pvclock_read_ns; the one of a private clock is clock->time. The
 * bytes of shared_info are written, never read: the domain may overwrite them. Nothing here blocks.
 */
#ifndef SPLITDOM_TDF_CLOCK_H
#define SPLITDOM_TDF_CLOCK_H

#include "splitdom/xen/shared_info.h"
#include "tdf/rational.h"
#include "tdf/source.h"

#define TDF_REANCHOR_NS UINT64_C(1000000000)

struct tdf_clock {
    struct vcpu_time_info time; /* the published line; kept under the version protocol too */
    /* private */
    struct tdf_source *source;
    struct shared_info *shared;
    uint32_t nr_vcpus;
    uint32_t wall_version;
    struct tdf tdf; /* in force; num 0 while paused */
    uint64_t wall_base_ns;
    uint64_t generation;
    struct tdf_sample anchor; /* where the published line starts; counter == time.tsc_timestamp */
    u128 anchor_virtual;      /* there, with the fraction that system_time lacks */
    uint64_t origin_monotonic_ns;
    u128 origin_virtual;
    uint64_t settle_ns;
    uint32_t slower; /* as announced in the page */
};

/*
 * Starts a clock at CLOCK_MONOTONIC and publishes it, with its wall clock, to the first nr_vcpus of
 * *shared, which must stay mapped until the clock is dropped (there is nothing to close). shared
 * NULL: a private clock, nr_vcpus ignored. source outlives the clock. tdf 0: starts paused.
 * -EINVAL, -ERANGE: tdf_check's, or nr_vcpus not in 1..XEN_LEGACY_MAX_VCPUS.
 */
int tdf_clock_init(struct tdf_clock *clock, struct tdf_source *source, struct shared_info *shared,
                   uint32_t nr_vcpus, struct tdf tdf);

/* The domain's time: what a reader of the published line gets at the same value of the counter. */
uint64_t tdf_clock_now_ns(struct tdf_clock *clock);

/* Changes the rate from now on. TDF 0 pauses, any other TDF resumes. Errors: tdf_check's; nothing
 * has changed then. Timers notice the change by themselves (timer.h). */
int tdf_clock_set_tdf(struct tdf_clock *clock, struct tdf tdf);

/*
 * Tells the readers of the page that the clock is about to run at this rate, or to be paused (0),
 * and goes on as before, on a new published line. Whoever has timers that run by the rate of now
 * can see to it that they do not ring too early. The next tdf_clock_set_tdf, to whatever rate, ends
 * the announcement. Errors: tdf_check's; -EINVAL: that is no slower than now.
 */
int tdf_clock_announce(struct tdf_clock *clock, struct tdf next);

/* Starts a new published line; see the head of this file. */
void tdf_clock_reanchor(struct tdf_clock *clock);

/*
 * The CLOCK_MONOTONIC time, rounded up, at which the clock will show virtual_ns if its rate stays.
 * For a virtual_ns that the clock shows already it is a time that has passed, paused or not.
 * UINT64_MAX: never, because the clock is paused or because that is beyond CLOCK_MONOTONIC's 2^63
 * ns.
 */
uint64_t tdf_clock_to_monotonic_ns(struct tdf_clock *clock, uint64_t virtual_ns);

/*
 * When the clock showed, or will show, virtual_ns, by the exact line: without the noise of reading
 * two clocks one after the other, and never in another order than the given times. A time before
 * the last change of rate is clamped to that change; a paused clock gives the begin of the pause.
 */
uint64_t tdf_clock_when_ns(const struct tdf_clock *clock, uint64_t virtual_ns);

/* What the clock shows, showed or will show at a CLOCK_MONOTONIC time, by the same line: the
 * inverse of tdf_clock_when_ns, rounded down. A time before the last change of rate is clamped to
 * that change. */
uint64_t tdf_clock_at_ns(const struct tdf_clock *clock, uint64_t monotonic_ns);

/* Sets UTC on the domain's clock: steps the domain's wall clock, and nothing else. */
void tdf_clock_set_wall(struct tdf_clock *clock, uint64_t utc_ns);

#endif
