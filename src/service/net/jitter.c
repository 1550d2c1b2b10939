/* SPDX-License-Identifier: MIT */
#include "service/net/jitter.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tdf/rational.h"

/* Fractions have 32 bits behind the point. */
#define ONE (UINT64_C(1) << 32)

/* jitter * factor, where factor is such a fraction; to zero. */
static int64_t times(uint64_t jitter_ns, int64_t factor)
{
    s128 product = (s128)jitter_ns * factor;

    return (int64_t)(product / (s128)ONE);
}

/* Uniform in (0, 1], as a fraction of 2^32. */
static uint64_t draw_unit(struct prng *prng)
{
    return (prng_next(prng) >> 32) + 1;
}

/* -ln(u) for u in (0, 1]: the binary logarithm bit by bit (u is squared again and again), times
 * ln 2. */
static uint64_t minus_ln(uint64_t u)
{
    uint64_t whole = 0, part = 0;

    while (u < ONE) {
        u <<= 1;
        whole++;
    }
    /* u is in [1, 2) now, or 1: log2 of it has the bits that follow. */
    for (int bit = 31; bit >= 0; bit--) {
        u = (uint64_t)(((u128)u * u) >> 32);
        if (u >= 2 * ONE) {
            part |= UINT64_C(1) << bit;
            u >>= 1;
        }
    }

    uint64_t log2 = (whole << 32) - part;
    const uint64_t ln2 = UINT64_C(2977044472); /* 0.693147... */

    return (uint64_t)(((u128)log2 * ln2) >> 32);
}

/* u^(-1/3) for u in (0, 1]: the largest x with x^3 * u <= 1, by bisection. */
static uint64_t inverse_cube_root(uint64_t u)
{
    uint64_t low = ONE, high = 2048 * ONE; /* u is at least 2^-32, whose root is 1625.5 */

    while (high - low > 1) {
        uint64_t x = low + (high - low) / 2;
        u128 cube = (((u128)x * x) >> 32) * x >> 32;

        if (cube * u >> 32 <= ONE)
            low = x;
        else
            high = x;
    }
    return low;
}

static int64_t draw_normal(struct prng *prng)
{
    int64_t sum = 0;

    for (int i = 0; i < 6; i++) {
        uint64_t two = prng_next(prng);

        sum += (int64_t)(two >> 32) + (int64_t)(two & UINT32_MAX);
    }
    return sum - 6 * (int64_t)ONE;
}

int64_t net_jitter_draw(struct prng *prng, enum net_jitter_law law, uint64_t jitter_ns)
{
    assert(jitter_ns <= NET_JITTER_MAX_NS);
    switch (law) {
    case NET_JITTER_UNIFORM:
        return times(jitter_ns, (int64_t)(prng_next(prng) >> 31) - (int64_t)ONE);
    case NET_JITTER_NORMAL:
        return times(jitter_ns, draw_normal(prng));
    case NET_JITTER_EXPONENTIAL:
        return times(jitter_ns, (int64_t)minus_ln(draw_unit(prng)));
    case NET_JITTER_PARETO:
        /* The mean of u^(-1/3) - 1 is 1/2. */
        return times(jitter_ns, (int64_t)(inverse_cube_root(draw_unit(prng)) - ONE) * 2);
    case NET_JITTER_LAWS:
        break;
    }
    assert(false);
    return 0;
}

static const char *const names[NET_JITTER_LAWS] = {"uniform", "normal", "exponential", "pareto"};

int net_jitter_parse(const char *text, enum net_jitter_law *out)
{
    for (int i = 0; i < NET_JITTER_LAWS; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum net_jitter_law)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *net_jitter_name(enum net_jitter_law law)
{
    assert(law < NET_JITTER_LAWS);
    return names[law];
}
