/* SPDX-License-Identifier: MIT */
#include "service/block/cache/cache_policy.h"

#include <string.h>

static const struct cache_policy *const policies[] = {
    &cache_policy_lru,    &cache_policy_clock, &cache_policy_sieve,
    &cache_policy_s3fifo, &cache_policy_arc,
};

const struct cache_policy *cache_policy_find(const char *name)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

/* Spelled out, since a string put together at run time would need a place to live; the test of
 * this file holds the two lists together. */
const char *cache_policy_names(void)
{
    return "lru clock sieve s3fifo arc";
}
