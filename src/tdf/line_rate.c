/* SPDX-License-Identifier: MIT */
#include "tdf/line_rate.h"

__extension__ typedef unsigned __int128 u128;

enum { SHIFT_MAX = 31, TICK_BITS_MAX = 48 };

#define SCALE (UINT32_C(1) << 31)

static uint32_t part(u128 small, u128 large)
{
    const uint32_t scaled = (uint32_t)(small * SCALE / large);

    return scaled == 0 ? 1 : scaled;
}

uint64_t line_rate_tick_fp(uint64_t ns, uint64_t ticks)
{
    const u128 tick_fp = ticks == 0 ? 0 : ((u128)ns << 32) / ticks;

    return tick_fp >> TICK_BITS_MAX != 0 ? 0 : (uint64_t)tick_fp;
}

bool line_rate_agrees(struct tdf a, struct tdf b)
{
    if (a.num == 0 || b.num == 0)
        return a.num == b.num;
    const uint64_t x = (uint64_t)a.num * b.den, y = (uint64_t)b.num * a.den;
    const uint64_t larger = x > y ? x : y, smaller = x > y ? y : x;
    return larger - smaller <= larger / LINE_RATE_TILT;
}

bool line_rate(const struct vcpu_time_info *line, uint64_t tick_ns_fp, struct tdf *out)
{
    const int shift = line->tsc_shift;

    *out = (struct tdf){0, 1};
    if (line->tsc_to_system_mul == 0)
        return true;
    if (shift > SHIFT_MAX || shift < -SHIFT_MAX || tick_ns_fp == 0 ||
        tick_ns_fp >> TICK_BITS_MAX != 0)
        return false;
    /* Of one tick, by a common scale: what the line takes it for, and what it is. */
    const u128 shown = (u128)line->tsc_to_system_mul << (shift > 0 ? shift : 0);
    const u128 real = (u128)tick_ns_fp << (shift < 0 ? -shift : 0);
    *out = real >= shown ? (struct tdf){SCALE, part(shown, real)}
                         : (struct tdf){part(real, shown), SCALE};
    if (line_rate_agrees(*out, (struct tdf){1, 1}))
        *out = (struct tdf){1, 1};
    return true;
}
