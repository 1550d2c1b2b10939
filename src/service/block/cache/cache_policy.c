/* SPDX-License-Identifier: MIT */
#include "service/block/cache/cache_policy.h"

#include <string.h>

/* The one list: messages, tests and the simulation go through it. */
static const struct cache_policy *const policies[] = {
    &cache_policy_lru,    &cache_policy_clock, &cache_policy_sieve,
    &cache_policy_s3fifo, &cache_policy_arc,
};

const struct cache_policy *cache_policy_at(uint32_t index)
{
    return index < sizeof(policies) / sizeof(policies[0]) ? policies[index] : NULL;
}

const struct cache_policy *cache_policy_find(const char *name)
{
    const struct cache_policy *policy;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++) {
        if (strcmp(policy->name, name) == 0)
            return policy;
    }
    return NULL;
}
