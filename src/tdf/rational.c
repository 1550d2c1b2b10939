/* SPDX-License-Identifier: MIT */
#include "tdf/rational.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/decimal.h"

int tdf_parse(const char *text, struct tdf *out)
{
    uint64_t num, den;
    int rc = decimal_parse_ratio(text, TDF_TERM_MAX, &num, &den);

    if (rc < 0)
        return rc;
    struct tdf tdf = {.num = (uint32_t)num, .den = (uint32_t)den};
    rc = tdf_check(tdf);
    if (rc == 0)
        *out = tdf;
    return rc;
}

int tdf_check(struct tdf tdf)
{
    if (tdf.den == 0)
        return -EINVAL;
    if (tdf.num > TDF_TERM_MAX || tdf.den > TDF_TERM_MAX)
        return -ERANGE;
    if (tdf.num == 0)
        return 0;
    if (tdf.num > (uint64_t)tdf.den * TDF_LIMIT || tdf.den > (uint64_t)tdf.num * TDF_LIMIT)
        return -ERANGE;
    return 0;
}

void tdf_format(struct tdf tdf, char *buf, size_t size)
{
    if (tdf.num == 0 || tdf.den == 1) {
        snprintf(buf, size, "%u", tdf.num);
        return;
    }
    unsigned digits = 0;
    uint64_t power = 1;
    while (power < TDF_TERM_MAX && power % tdf.den != 0) {
        power *= 10;
        digits++;
    }
    if (tdf.num < tdf.den || power % tdf.den != 0) {
        snprintf(buf, size, "%u/%u", tdf.num, tdf.den);
        return;
    }
    uint64_t part = (tdf.num % tdf.den) * (power / tdf.den);
    snprintf(buf, size, "%u.%0*llu", tdf.num / tdf.den, (int)digits, (unsigned long long)part);
}

static uint64_t saturate(u128 value)
{
    return value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
}

uint64_t muldiv_down(uint64_t a, uint64_t b, uint64_t c)
{
    assert(c != 0);
    return saturate((u128)a * b / c);
}

uint64_t muldiv_up(uint64_t a, uint64_t b, uint64_t c)
{
    assert(c != 0);
    u128 product = (u128)a * b;
    return saturate(product / c + (product % c != 0));
}

bool tdf_is_slower(struct tdf a, struct tdf b)
{
    if (a.num == 0 || b.num == 0)
        return b.num != 0;
    return (u128)a.num * b.den > (u128)b.num * a.den;
}

u128 tdf_virtual_fp(struct tdf tdf, uint64_t real_ns)
{
    if (tdf.num == 0)
        return 0;
    u128 product = (u128)real_ns * tdf.den;
    return ((product / tdf.num) << 64) + ((product % tdf.num) << 64) / tdf.num;
}

uint64_t tdf_virtual_ns(struct tdf tdf, uint64_t real_ns)
{
    return fp_to_ns(tdf_virtual_fp(tdf, real_ns));
}

uint64_t tdf_real_ns(struct tdf tdf, uint64_t virtual_ns)
{
    if (tdf.num == 0)
        return virtual_ns == 0 ? 0 : UINT64_MAX;
    return muldiv_up(virtual_ns, tdf.num, tdf.den);
}

u128 tdf_rate_fp(struct tdf tdf, uint64_t ns, uint64_t ticks)
{
    if (tdf.num == 0)
        return 0;
    /* The product has at most 64 bits, so nothing is shifted out. */
    assert(ns < UINT64_C(1) << 34 && tdf.den < 1u << 30 && ticks != 0);
    return (((u128)ns * tdf.den) << 64) / ((u128)ticks * tdf.num);
}
