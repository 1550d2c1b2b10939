/* SPDX-License-Identifier: MIT */
/*
 * net_chance: a probability, exact to 2^-64, and what a generator makes of it. One draw each time,
 * whatever the probability, so that a change of one leaves the rest of a run as it was.
 */
#ifndef SPLITDOM_SERVICE_NET_CHANCE_H
#define SPLITDOM_SERVICE_NET_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"

/* Of 2^64; all of them is UINT64_MAX. */
struct net_chance {
    uint64_t part;
};

static inline bool net_chance_hits(struct net_chance chance, struct prng *prng)
{
    uint64_t drawn = prng_next(prng);

    return drawn < chance.part || chance.part == UINT64_MAX;
}

/* "0.25" or "25%", at most 9 digits behind the point. Errors: -EINVAL, -ERANGE. */
int net_chance_parse(const char *text, struct net_chance *out);

#endif
