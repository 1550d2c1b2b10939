/* SPDX-License-Identifier: MIT */
#include "run/shim/core/vclock.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "ring/barrier.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "splitdom/xen/shared_info.h"
#include "tdf/counter.h"

enum { SPINS = 256, YIELDS = 20000 };

static inline const struct shared_info *page(void)
{
    return (const struct shared_info *)SESSION_CLOCK_ADDRESS;
}

uint64_t vclock_real_ns(long clock_id)
{
    struct timespec ts = {0};

    SYS2(SYS_clock_gettime, clock_id, &ts);
    return (uint64_t)ts.tv_sec * SCALE_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t read_monotonic_ns(void)
{
    struct timespec ts = {0};

    READ2(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SCALE_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t ns_at(const struct vcpu_time_info *line, uint64_t counter)
{
    uint64_t delta = counter - line->tsc_timestamp;

    if ((int64_t)delta < 0)
        return line->system_time;
    delta =
        line->tsc_shift >= 0 ? delta << (line->tsc_shift & 63) : delta >> (-line->tsc_shift & 63);
    return line->system_time + (uint64_t)((scale_u128)delta * line->tsc_to_system_mul >> 32);
}

/* Where the TSC is trapped it is let be read for once. A signal handler that does the same in
 * between leaves it trapped; then the trap sees that the shim is the reader (tsc.c). */
static __attribute__((noinline)) uint64_t trapped_tsc(void)
{
    READ2(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE);
    uint64_t counter = counter_tsc();
    READ2(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV);
    return counter;
}

/* One look, as tdf/pvclock.c takes it: the second load of version depends on the counter. */
static inline bool look(const struct vcpu_time_info *ti, uint32_t version, uint64_t *out_ns)
{
    struct vcpu_time_info line;
    uint64_t counter;

    line.tsc_timestamp = load_acquire_u64(&ti->tsc_timestamp);
    line.system_time = load_acquire_u64(&ti->system_time);
    line.tsc_to_system_mul = load_acquire_u32(&ti->tsc_to_system_mul);
    line.tsc_shift = (int8_t)load_acquire_u8((const uint8_t *)&ti->tsc_shift);
    switch (load_acquire_u8(&ti->pad1[0])) {
    case PVCLOCK_COUNTER_TSC:
        counter = __builtin_expect(vclock_session()->tsc_per_ns_fp == 0, 1) ? counter_tsc()
                                                                            : trapped_tsc();
        break;
    case PVCLOCK_COUNTER_MONOTONIC:
        counter = read_monotonic_ns();
        break;
    default:
        counter = line.tsc_timestamp;
    }
    const char *again = (const char *)&ti->version + counter_dependency(counter);
    if (load_full_u32((const uint32_t *)(const void *)again) != version)
        return false;
    *out_ns = ns_at(&line, counter);
    return true;
}

/* An update that does not end: Dom0 has died in it. Then vCPU 1 still has the old line, which goes
 * on (tdf/pvclock.h: pvclock_salvage). */
static uint64_t salvaged_ns(const struct vcpu_time_info *ti)
{
    const struct vcpu_time_info *second = &page()->vcpu_info[1].time;
    uint32_t version = load_acquire_u32(&second->version);
    uint64_t now_ns = load_acquire_u64(&ti->system_time);

    look(second, version, &now_ns);
    return now_ns;
}

static __attribute__((noinline)) uint64_t now_slowly(const struct vcpu_time_info *ti)
{
    uint64_t now_ns;

    for (unsigned i = 0; i < SPINS + YIELDS; i++) {
        uint32_t version = load_acquire_u32(&ti->version);
        if (!(version & 1) && look(ti, version, &now_ns))
            return now_ns;
        if (i < SPINS)
            cpu_relax();
        else
            READ2(SYS_sched_yield, 0, 0);
    }
    return salvaged_ns(ti);
}

uint64_t vclock_now_ns(void)
{
    const struct vcpu_time_info *ti = &page()->vcpu_info[0].time;
    uint32_t version = load_acquire_u32(&ti->version);
    uint64_t now_ns;

    if (__builtin_expect(!(version & 1) && look(ti, version, &now_ns), 1))
        return now_ns;
    return now_slowly(ti);
}

static uint64_t wall_base_ns(void)
{
    const struct shared_info *shared = page();
    uint64_t base_ns = 0;

    for (unsigned i = 0; i < SPINS; i++) {
        uint32_t version = load_acquire_u32(&shared->wc_version);
        uint64_t sec = load_acquire_u32(&shared->wc_sec);
        uint64_t nsec = load_acquire_u32(&shared->wc_nsec);
        sec |= (uint64_t)load_acquire_u32(&shared->wc_sec_hi) << 32;
        base_ns = sec * SCALE_NS_PER_SEC + nsec;
        if (!(version & 1) && load_acquire_u32(&shared->wc_version) == version)
            break;
        cpu_relax();
    }
    return base_ns;
}

bool vclock_ahead_ns(long clock_id, uint64_t *ahead_ns)
{
    const struct session *session = vclock_session();

    switch ((int)clock_id) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
        *ahead_ns = 0;
        return true;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
        *ahead_ns = wall_base_ns();
        return true;
    case CLOCK_MONOTONIC_RAW:
        *ahead_ns = (uint64_t)session->raw_ahead_ns;
        return true;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ahead_ns = (uint64_t)(session->boottime_ahead_ns - session->namespace_apart_ns);
        return true;
    case CLOCK_TAI:
        *ahead_ns = wall_base_ns() + (uint64_t)session->tai_ahead_ns;
        return true;
    default:
        return false;
    }
}

uint64_t vclock_tdf(void)
{
    return load_full_u64(&vclock_session()->tdf);
}

uint64_t vclock_tdf_running(void)
{
    return load_full_u64(&vclock_session()->tdf_running);
}

uint64_t vclock_tdf_timers(void)
{
    return load_full_u64(&vclock_session()->tdf_timers);
}

uint32_t vclock_stamps(void)
{
    return load_full_u32(&vclock_session()->stamps);
}
