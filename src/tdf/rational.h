/* SPDX-License-Identifier: MIT */
/*
 * rational: exact arithmetic between real and virtual nanoseconds.
 *
 * "fp" in names: fixed point, a 128-bit number with 64 bits before and 64 bits after the point. One
 * rounding loses less than 2^-64 ns, so after a day of a thousand roundings a second the error is
 * below 10^-11 ns. The part before the point wraps modulo 2^64 ns (584 years).
 *
 * The bounds rely on num, den <= TDF_TERM_MAX < 2^30. Pure functions, any thread.
 */
#ifndef SPLITDOM_TDF_RATIONAL_H
#define SPLITDOM_TDF_RATIONAL_H

#include "splitdom/tdf.h"

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 s128;

static inline u128 fp_from_ns(uint64_t ns)
{
    return (u128)ns << 64;
}

static inline uint64_t fp_to_ns(u128 fp)
{
    return (uint64_t)(fp >> 64);
}

/* ceil(a * b / c), saturating at UINT64_MAX; c != 0. */
uint64_t muldiv_up(uint64_t a, uint64_t b, uint64_t c);
/* floor(a * b / c), saturating at UINT64_MAX; c != 0. */
uint64_t muldiv_down(uint64_t a, uint64_t b, uint64_t c);

/* Does a clock run slower at a than at b? Paused is the slowest. */
bool tdf_is_slower(struct tdf a, struct tdf b);

/* How far a running clock moves in real_ns: real_ns / TDF. 0 when paused. */
u128 tdf_virtual_fp(struct tdf tdf, uint64_t real_ns);

/* The same in whole nanoseconds, rounded down. */
uint64_t tdf_virtual_ns(struct tdf tdf, uint64_t real_ns);

/* The least real time in which a clock moves by at least virtual_ns: ceil(virtual_ns * TDF),
 * saturating. UINT64_MAX when paused, unless virtual_ns is 0. */
uint64_t tdf_real_ns(struct tdf tdf, uint64_t virtual_ns);

/* Virtual nanoseconds per tick of a counter that makes `ticks` ticks in `ns` real nanoseconds, as
 * fp: (ns / ticks) / TDF. ns < 2^34, ticks != 0; 0 when paused. */
u128 tdf_rate_fp(struct tdf tdf, uint64_t ns, uint64_t ticks);

#endif
