/* SPDX-License-Identifier: MIT */
/*
 * time_scale: between a program's spans of time and real ones, by a packed TDF (num << 32 | den).
 *
 * Pure; saturating. A span of SCALE_FOREVER_NS or more never ends.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_TIME_SCALE_H
#define SPLITDOM_RUN_SHIM_CORE_TIME_SCALE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SCALE_NS_PER_SEC UINT64_C(1000000000)
#define SCALE_FOREVER_NS (UINT64_C(1) << 61) /* 73 years */

__extension__ typedef unsigned __int128 scale_u128;

static inline uint64_t scale_capped(scale_u128 ns)
{
    return ns < SCALE_FOREVER_NS ? (uint64_t)ns : SCALE_FOREVER_NS;
}

/* a * b / c where the product may take 96 bits; division of 128 by 64 bits would need libgcc. c !=
 * 0, b and c have 32 bits. */
static inline uint64_t scale_muldiv(uint64_t a, uint32_t b, uint32_t c, bool up)
{
    uint64_t whole = a / c, rest = a % c;
    uint64_t part = (rest * b + (up ? c - 1 : 0)) / c; /* rest < 2^32 */

    return scale_capped((scale_u128)whole * b + part);
}

/* The real time in which the domain's clock moves by virtual_ns, rounded up; forever if paused. */
static inline uint64_t scale_to_real_ns(uint64_t tdf, uint64_t virtual_ns)
{
    uint32_t num = (uint32_t)(tdf >> 32), den = (uint32_t)tdf;

    if (virtual_ns == 0)
        return 0;
    if (num == 0 || den == 0 || virtual_ns >= SCALE_FOREVER_NS)
        return SCALE_FOREVER_NS;
    return scale_muldiv(virtual_ns, num, den, true);
}

/* How far the domain's clock moves in real_ns, rounded down; up: rounded up, so that what is left
 * of a span is 0 only once it is over. */
static inline uint64_t scale_to_virtual_ns(uint64_t tdf, uint64_t real_ns, bool up)
{
    uint32_t num = (uint32_t)(tdf >> 32), den = (uint32_t)tdf;

    if (num == 0 || den == 0)
        return 0;
    return scale_muldiv(real_ns, den, num, up);
}

/* False: no valid time (negative, or a second of nanoseconds or more); the kernel says which error
 * that is. */
static inline bool scale_from_timespec(const struct timespec *ts, uint64_t *ns)
{
    if (ts->tv_sec < 0 || ts->tv_nsec < 0 || (uint64_t)ts->tv_nsec >= SCALE_NS_PER_SEC)
        return false;
    *ns = scale_capped((scale_u128)(uint64_t)ts->tv_sec * SCALE_NS_PER_SEC + (uint64_t)ts->tv_nsec);
    return true;
}

static inline struct timespec scale_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / SCALE_NS_PER_SEC),
                             .tv_nsec = (long)(ns % SCALE_NS_PER_SEC)};
}

#endif
