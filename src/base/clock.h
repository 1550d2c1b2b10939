/* SPDX-License-Identifier: MIT */
/*
 * clock: the kernel's clocks in nanoseconds. None of these blocks; any thread may call them.
 */
#ifndef SPLITDOM_BASE_CLOCK_H
#define SPLITDOM_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_SEC UINT64_C(1000000000)

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec ts = {0};

    /* Fails only for an unknown clock id, and the ids used here exist on every Linux. */
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Behind clock_monotonic_ns by up to some ms, for a fraction of its cost. */
static inline uint64_t clock_coarse_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

/* clock_monotonic_ns, for a module that takes its clock as a function with a context. */
static inline uint64_t clock_monotonic_fn(void *unused)
{
    (void)unused;
    return clock_monotonic_ns();
}

/* An instant or a duration as the kernel wants it. */
static inline struct timespec clock_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_NS_PER_SEC),
                             .tv_nsec = (long)(ns % CLOCK_NS_PER_SEC)};
}

#endif
