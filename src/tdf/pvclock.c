/* SPDX-License-Identifier: MIT */
#include "tdf/pvclock.h"

#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "tdf/counter.h"

#define NS_PER_SEC 1000000000u

/* An update is a few stores long: it is worth spinning for, and after that most likely the writer
 * does not run. */
enum { SPINS_BEFORE_YIELD = 256 };

struct patience {
    unsigned spins;
    uint64_t until_ns;
};

/* False when the wait is over. */
static bool patience_wait(struct patience *patience)
{
    if (patience->spins++ < SPINS_BEFORE_YIELD) {
        cpu_relax();
        return true;
    }
    uint64_t now_ns = clock_monotonic_ns();
    if (patience->until_ns == 0)
        patience->until_ns = now_ns + PVCLOCK_PATIENCE_NS;
    if (now_ns >= patience->until_ns)
        return false;
    sched_yield();
    return true;
}

static inline uint64_t shifted_delta(const struct vcpu_time_info *copy, uint64_t counter)
{
    uint64_t delta = counter - copy->tsc_timestamp;

    /* A reading that the core took before it saw the update, or a counter that was set back. */
    if ((int64_t)delta < 0)
        return 0;
    /* The masks change no shift that a writer publishes; they keep hostile ones defined. */
    if (copy->tsc_shift >= 0)
        return delta << (copy->tsc_shift & 63);
    return delta >> (-copy->tsc_shift & 63);
}

uint64_t pvclock_ns_at(const struct vcpu_time_info *copy, uint64_t counter)
{
    u128 product = (u128)shifted_delta(copy, counter) * copy->tsc_to_system_mul;

    return copy->system_time + (uint64_t)(product >> 32);
}

u128 pvclock_advance_fp(const struct vcpu_time_info *copy, uint64_t counter)
{
    uint64_t delta = counter - copy->tsc_timestamp;
    int shift = 32 + copy->tsc_shift;

    if ((int64_t)delta < 0)
        return 0;
    u128 product = (u128)delta * copy->tsc_to_system_mul;
    return shift >= 0 ? product << shift : product >> -shift;
}

uint64_t pvclock_ticks_until(const struct vcpu_time_info *copy, uint64_t advance_ns)
{
    const u128 limit = (u128)1 << 63;

    if (advance_ns == 0)
        return 0;
    if (copy->tsc_to_system_mul == 0)
        return UINT64_MAX;
    u128 scaled = (u128)advance_ns << 32;
    u128 ticks = (scaled + copy->tsc_to_system_mul - 1) / copy->tsc_to_system_mul;
    if (ticks >= limit)
        return UINT64_MAX;
    if (copy->tsc_shift >= 0) {
        unsigned shift = (unsigned)copy->tsc_shift & 63;
        ticks = (ticks + ((u128)1 << shift) - 1) >> shift;
    } else {
        ticks <<= -copy->tsc_shift & 63;
    }
    return ticks < limit ? (uint64_t)ticks : UINT64_MAX;
}

void pvclock_set_rate(struct vcpu_time_info *copy, u128 rate_fp)
{
    copy->tsc_to_system_mul = 0;
    copy->tsc_shift = 0;
    if (rate_fp == 0)
        return;
    uint64_t high = (uint64_t)(rate_fp >> 64), low = (uint64_t)rate_fp;
    int top = high != 0 ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll(low);
    u128 mul = top < 31 ? rate_fp << (31 - top) : rate_fp >> (top - 31);
    if (top > 31)
        mul += rate_fp >> (top - 32) & 1;
    if (mul >> 32 != 0) { /* rounded up to the next power of two */
        mul >>= 1;
        top++;
    }
    /* rate * 2^64 = mul * 2^(top - 31), and the formula divides by 2^32 only. */
    copy->tsc_to_system_mul = (uint32_t)mul;
    copy->tsc_shift = (int8_t)(top - 63);
}

static inline uint64_t read_counter(uint8_t counter, const struct vcpu_time_info *copy,
                                    bool ordered)
{
    switch (counter) {
    case PVCLOCK_COUNTER_TSC:
        return ordered ? counter_tsc_ordered() : counter_tsc();
    case PVCLOCK_COUNTER_MONOTONIC:
        return clock_monotonic_ns();
    default: /* stepped: the line stands still between updates */
        return copy->tsc_timestamp;
    }
}

static inline void copy_line(const struct vcpu_time_info *ti, struct vcpu_time_info *copy)
{
    copy->tsc_timestamp = load_acquire_u64(&ti->tsc_timestamp);
    copy->system_time = load_acquire_u64(&ti->system_time);
    copy->tsc_to_system_mul = load_acquire_u32(&ti->tsc_to_system_mul);
    copy->tsc_shift = (int8_t)load_acquire_u8((const uint8_t *)&ti->tsc_shift);
    copy->flags = load_acquire_u8(&ti->flags);
    copy->pad1[0] = load_acquire_u8(&ti->pad1[0]);
    copy->pad1[1] = 0;
}

/*
 * One attempt. The loads of the fields are acquiring so that none sinks below the second load of
 * version, and that one depends on the counter: a line is used only at counters which were read
 * before the writer began to replace it. The second load is full because a reader may have stored
 * something before that, which others look at after they saw an odd version
 * (domu/domain_clock.c: raise_ceiling).
 */
static inline bool try_read(const struct vcpu_time_info *ti, uint32_t version, bool ordered,
                            struct vcpu_time_info *copy, uint64_t *out_ns)
{
    copy_line(ti, copy);
    uint64_t counter = read_counter(copy->pad1[0], copy, ordered);
    const char *base = (const char *)&ti->version + counter_dependency(counter);
    if (load_full_u32((const uint32_t *)(const void *)base) != version)
        return false;
    *out_ns = pvclock_ns_at(copy, counter);
    return true;
}

static int read_slowly(const struct vcpu_time_info *ti, bool ordered, uint64_t *out_ns)
{
    struct patience patience = {0};
    struct vcpu_time_info copy;

    for (;;) {
        uint32_t version = load_acquire_u32(&ti->version);
        if (!(version & 1) && try_read(ti, version, ordered, &copy, out_ns))
            return 0;
        if (!patience_wait(&patience))
            return version & 1 ? -ETIMEDOUT : -EAGAIN;
    }
}

int pvclock_read_ns(const struct vcpu_time_info *ti, uint64_t *out_ns)
{
    uint32_t version = load_acquire_u32(&ti->version);
    struct vcpu_time_info copy;

    if (__builtin_expect(!(version & 1) && try_read(ti, version, false, &copy, out_ns), 1))
        return 0;
    return read_slowly(ti, false, out_ns);
}

int pvclock_read_ordered_ns(const struct vcpu_time_info *ti, uint64_t *out_ns)
{
    return read_slowly(ti, true, out_ns);
}

int pvclock_look(const struct vcpu_time_info *ti, bool ordered, struct pvclock_look *look)
{
    uint32_t version = load_acquire_u32(&ti->version);

    look->line.version = version;
    if (version & 1)
        return -EBUSY;
    return try_read(ti, version, ordered, &look->line, &look->now_ns) ? 0 : -EAGAIN;
}

int pvclock_salvage(const struct shared_info *shared, uint32_t nr_vcpus,
                    struct vcpu_time_info *line)
{
    const struct vcpu_time_info *first = &shared->vcpu_info[0].time;
    uint32_t version = load_acquire_u32(&first->version);

    copy_line(first, line);
    line->version = version;
    if (!(version & 1))
        return load_acquire_u32(&first->version) == version ? 0 : -ENODATA;
    const struct vcpu_time_info *second = &shared->vcpu_info[1].time;
    if (nr_vcpus < 2 || load_acquire_u32(&second->version) != version)
        return -ENODATA;
    copy_line(second, line);
    line->version = version - 1;
    return load_acquire_u32(&first->version) == version ? 0 : -ENODATA;
}

static int read_wall_base(const struct shared_info *shared, uint64_t *out_ns)
{
    struct patience patience = {0};

    for (;;) {
        uint32_t version = load_acquire_u32(&shared->wc_version);
        if (!(version & 1)) {
            uint64_t sec = load_acquire_u32(&shared->wc_sec);
            uint64_t nsec = load_acquire_u32(&shared->wc_nsec);
            sec |= (uint64_t)load_acquire_u32(&shared->wc_sec_hi) << 32;
            if (load_acquire_u32(&shared->wc_version) == version) {
                *out_ns = sec * NS_PER_SEC + nsec;
                return 0;
            }
        }
        if (!patience_wait(&patience))
            return version & 1 ? -ETIMEDOUT : -EAGAIN;
    }
}

int pvclock_read_wall_ns(const struct shared_info *shared, uint32_t vcpu, uint64_t *out_ns)
{
    uint64_t base_ns, now_ns;
    int rc = read_wall_base(shared, &base_ns);

    if (rc == 0)
        rc = pvclock_read_ns(&shared->vcpu_info[vcpu].time, &now_ns);
    if (rc == 0)
        *out_ns = base_ns + now_ns;
    return rc;
}

void pvclock_publish_begin(struct vcpu_time_info *ti, uint32_t version)
{
    /* Pairs with the reader's second load of version: see the header. */
    store_full_u32(&ti->version, version + 1);
}

/* The releasing stores keep each field after the odd version, and the even version after them. */
void pvclock_publish_end(struct vcpu_time_info *ti, const struct vcpu_time_info *value)
{
    store_release_u64(&ti->tsc_timestamp, value->tsc_timestamp);
    store_release_u64(&ti->system_time, value->system_time);
    store_release_u32(&ti->tsc_to_system_mul, value->tsc_to_system_mul);
    store_release_u8((uint8_t *)&ti->tsc_shift, (uint8_t)value->tsc_shift);
    store_release_u8(&ti->flags, value->flags);
    store_release_u8(&ti->pad1[0], value->pad1[0]);
    store_release_u8(&ti->pad1[1], 0);
    store_release_u32(&ti->version, value->version);
}

void pvclock_publish_slower(struct vcpu_time_info *ti, uint32_t slower)
{
    store_release_u32(&ti->pad0, slower);
}

uint32_t pvclock_slower(const struct vcpu_time_info *ti, uint32_t version)
{
    if (load_acquire_u32(&ti->version) != version)
        return 0;
    const uint32_t slower = load_acquire_u32(&ti->pad0);
    return load_acquire_u32(&ti->version) == version ? slower : 0;
}

void pvclock_publish_all_begin(struct shared_info *shared, uint32_t nr_vcpus, uint32_t version)
{
    for (uint32_t i = nr_vcpus; i-- > 0;)
        pvclock_publish_begin(&shared->vcpu_info[i].time, version);
}

void pvclock_publish_all_end(struct shared_info *shared, uint32_t nr_vcpus,
                             const struct vcpu_time_info *value)
{
    for (uint32_t i = 0; i < nr_vcpus; i++)
        pvclock_publish_end(&shared->vcpu_info[i].time, value);
}

void pvclock_publish_wall(struct shared_info *shared, uint32_t version, uint64_t utc_ns)
{
    uint64_t sec = utc_ns / NS_PER_SEC;

    store_full_u32(&shared->wc_version, version + 1);
    store_release_u32(&shared->wc_sec, (uint32_t)sec);
    store_release_u32(&shared->wc_sec_hi, (uint32_t)(sec >> 32));
    store_release_u32(&shared->wc_nsec, (uint32_t)(utc_ns % NS_PER_SEC));
    store_release_u32(&shared->wc_version, version + 2);
}
