/* SPDX-License-Identifier: MIT */
#include "tdf/clock.h"

#include <assert.h>
#include <errno.h>

#include "tdf/pvclock.h"

#define NS_PER_SEC UINT64_C(1000000000)

/* A published line is tilted by at most 1/2^SLEW_SHIFT (488 parts in 10^6, what adjtimex allows).
 */
enum { SLEW_SHIFT = 11 };

/* A clock that is later than this (of real time) does not catch up by tilting: the counter has
 * stopped or was set back, as by a suspend. It steps forward instead. Back it never steps. */
#define STEP_LIMIT_NS NS_PER_SEC

static u128 exact_position(const struct tdf_clock *clock, uint64_t monotonic_ns)
{
    if (monotonic_ns <= clock->origin_monotonic_ns)
        return clock->origin_virtual;
    return clock->origin_virtual +
           tdf_virtual_fp(clock->tdf, monotonic_ns - clock->origin_monotonic_ns);
}

/* Everybody who reads waits from here to publish_end: see pvclock.h. */
static void publish_begin(struct tdf_clock *clock)
{
    uint32_t version = clock->time.version;

    assert((version & 1) == 0); /* else two updates would run into each other */
    if (clock->shared != NULL)
        pvclock_publish_all_begin(clock->shared, clock->nr_vcpus, version);
    pvclock_publish_begin(&clock->time, version);
}

static void publish_end(struct tdf_clock *clock, struct vcpu_time_info *next)
{
    assert((clock->time.version & 1) == 1); /* begin made it odd */
    next->version = clock->time.version + 1;
    if (clock->shared != NULL)
        pvclock_publish_all_end(clock->shared, clock->nr_vcpus, next);
    pvclock_publish_end(&clock->time, next);
    clock->generation++;
}

/* Under the odd version. */
static void publish_slower(struct tdf_clock *clock, uint32_t slower)
{
    if (clock->slower == slower)
        return;
    clock->slower = slower;
    if (clock->shared != NULL)
        pvclock_publish_slower(&clock->shared->vcpu_info[0].time, slower);
}

/* The rate of a published line which starts at `error` behind the exact one. */
static u128 tilted_rate(const struct tdf_clock *clock, s128 error)
{
    const struct tdf_source *source = clock->source;
    u128 rate = tdf_rate_fp(clock->tdf, source->rate_ns, source->rate_ticks);
    u128 limit = rate >> SLEW_SHIFT;
    u128 size = (u128)(error < 0 ? -error : error);
    uint64_t ticks = muldiv_down(clock->settle_ns, source->rate_ticks, source->rate_ns);

    u128 tilt = size / (ticks != 0 ? ticks : 1);
    if (tilt > limit)
        tilt = limit;
    return error < 0 ? rate - tilt : rate + tilt;
}

/* Starts a new published line at the counter's present value, `position` there, under clock->tdf.
 */
static void publish_line(struct tdf_clock *clock, const struct tdf_sample *now, u128 position)
{
    s128 error = (s128)(exact_position(clock, now->monotonic_ns) - position);
    struct vcpu_time_info next = {
        .tsc_timestamp = now->counter,
        .flags = PVCLOCK_TSC_STABLE,
        .pad1 = {(uint8_t)clock->source->counter, 0},
    };

    if (error > (s128)tdf_virtual_fp(clock->tdf, STEP_LIMIT_NS) && clock->tdf.num != 0) {
        position += (u128)error;
        error = 0;
    }
    next.system_time = fp_to_ns(position);
    /* No reader sees time step back. */
    assert((int64_t)(next.system_time - pvclock_ns_at(&clock->time, now->counter)) >= 0);
    pvclock_set_rate(&next, tilted_rate(clock, error));
    clock->anchor = *now;
    clock->anchor_virtual = position;
    publish_end(clock, &next);
}

/*
 * The settle time must not be much shorter than the time to the next re-anchoring, or the tilt
 * would overshoot, each time further. The best guess of that is the longest recent gap, and it may
 * be forgotten no faster than the error is worked off: with half the time passed off the settle
 * time H, the error shrinks as H^2, so the tilt, error / H, shrinks as H.
 */
static void adapt_settle_time(struct tdf_clock *clock, uint64_t gap_ns)
{
    uint64_t settle_ns = clock->settle_ns > gap_ns / 2 ? clock->settle_ns - gap_ns / 2 : 0;

    if (settle_ns < clock->source->settle_ns)
        settle_ns = clock->source->settle_ns;
    if (settle_ns < gap_ns)
        settle_ns = gap_ns;
    clock->settle_ns = settle_ns;
}

/* Where the published line has got to. Readers see it without three fractions (of system_time, of
 * the shift, of the product), so going on from here can show up as 2 ns at once: 1 is allowed. */
static u128 published_position(const struct tdf_clock *clock, uint64_t counter)
{
    u128 position = clock->anchor_virtual + pvclock_advance_fp(&clock->time, counter);
    u128 limit = fp_from_ns(pvclock_ns_at(&clock->time, counter) + 2) - 1;

    return (s128)(position - limit) > 0 ? limit : position;
}

static void rebase(struct tdf_clock *clock, struct tdf tdf, uint32_t slower)
{
    struct tdf_sample sample, now;

    tdf_source_sample(clock->source, &sample);
    publish_begin(clock);
    publish_slower(clock, slower);
    now.counter = tdf_source_counter_ordered(clock->source);
    now.monotonic_ns = tdf_source_monotonic_at(clock->source, &sample, now.counter);
    u128 position = published_position(clock, now.counter);
    if (tdf.num != clock->tdf.num || tdf.den != clock->tdf.den) {
        clock->origin_virtual = exact_position(clock, now.monotonic_ns);
        clock->origin_monotonic_ns = now.monotonic_ns;
        clock->tdf = tdf;
    }
    if (now.monotonic_ns > clock->anchor.monotonic_ns)
        adapt_settle_time(clock, now.monotonic_ns - clock->anchor.monotonic_ns);
    publish_line(clock, &now, position);
}

int tdf_clock_init(struct tdf_clock *clock, struct tdf_source *source, struct shared_info *shared,
                   uint32_t nr_vcpus, struct tdf tdf)
{
    int rc = tdf_check(tdf);

    if (rc < 0)
        return rc;
    if (shared != NULL && (nr_vcpus == 0 || nr_vcpus > XEN_LEGACY_MAX_VCPUS))
        return -EINVAL;
    *clock = (struct tdf_clock){
        .source = source,
        .shared = shared,
        .nr_vcpus = nr_vcpus,
        .tdf = tdf,
        .settle_ns = source->settle_ns,
    };
    struct tdf_sample now;
    tdf_source_sample(source, &now);
    clock->origin_monotonic_ns = now.monotonic_ns;
    clock->origin_virtual = fp_from_ns(now.monotonic_ns);
    publish_begin(clock);
    publish_line(clock, &now, clock->origin_virtual);
    tdf_clock_set_wall(clock, tdf_source_wall_ns(source));
    return 0;
}

uint64_t tdf_clock_now_ns(struct tdf_clock *clock)
{
    return pvclock_ns_at(&clock->time, tdf_source_counter(clock->source));
}

int tdf_clock_set_tdf(struct tdf_clock *clock, struct tdf tdf)
{
    int rc = tdf_check(tdf);

    if (rc < 0)
        return rc;
    rebase(clock, tdf, 0);
    return 0;
}

/* In units of PVCLOCK_SLOWER_UNIT, rounded up. */
static uint32_t slower_by(struct tdf now, struct tdf next)
{
    const u128 larger = (u128)next.num * now.den * PVCLOCK_SLOWER_UNIT;
    const u128 smaller = (u128)next.den * now.num;
    const u128 slower = (larger + smaller - 1) / smaller;

    return slower < PVCLOCK_STANDSTILL ? (uint32_t)slower : PVCLOCK_STANDSTILL;
}

int tdf_clock_announce(struct tdf_clock *clock, struct tdf next)
{
    int rc = tdf_check(next);

    if (rc < 0)
        return rc;
    if (!tdf_is_slower(next, clock->tdf))
        return -EINVAL;
    rebase(clock, clock->tdf, next.num == 0 ? PVCLOCK_STANDSTILL : slower_by(clock->tdf, next));
    return 0;
}

void tdf_clock_reanchor(struct tdf_clock *clock)
{
    rebase(clock, clock->tdf, clock->slower);
}

uint64_t tdf_clock_to_monotonic_ns(struct tdf_clock *clock, uint64_t virtual_ns)
{
    if (virtual_ns <= clock->time.system_time)
        return clock->anchor.monotonic_ns;
    uint64_t ticks = pvclock_ticks_until(&clock->time, virtual_ns - clock->time.system_time);
    if (ticks == UINT64_MAX)
        return UINT64_MAX;
    uint64_t real_ns = muldiv_up(ticks, clock->source->rate_ns, clock->source->rate_ticks);
    uint64_t at_ns = clock->anchor.monotonic_ns + real_ns;
    return at_ns < real_ns || at_ns > INT64_MAX ? UINT64_MAX : at_ns;
}

uint64_t tdf_clock_when_ns(const struct tdf_clock *clock, uint64_t virtual_ns)
{
    uint64_t origin_ns = fp_to_ns(clock->origin_virtual);
    if (clock->tdf.num == 0 || virtual_ns <= origin_ns)
        return clock->origin_monotonic_ns;
    return clock->origin_monotonic_ns + tdf_real_ns(clock->tdf, virtual_ns - origin_ns);
}

uint64_t tdf_clock_at_ns(const struct tdf_clock *clock, uint64_t monotonic_ns)
{
    if (monotonic_ns <= clock->origin_monotonic_ns)
        return fp_to_ns(clock->origin_virtual);
    return fp_to_ns(clock->origin_virtual +
                    tdf_virtual_fp(clock->tdf, monotonic_ns - clock->origin_monotonic_ns));
}

void tdf_clock_set_wall(struct tdf_clock *clock, uint64_t utc_ns)
{
    clock->wall_base_ns = utc_ns - tdf_clock_now_ns(clock);
    if (clock->shared == NULL)
        return;
    pvclock_publish_wall(clock->shared, clock->wall_version, clock->wall_base_ns);
    clock->wall_version += 2;
}
