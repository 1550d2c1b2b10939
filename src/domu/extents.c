/* SPDX-License-Identifier: MIT */
#include "domu/extents.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int extents_init(struct extents *extents, uint32_t first, uint32_t count)
{
    *extents = (struct extents){.first = first, .count = count};
    extents->taken = calloc(count > 0 ? count : 1, 1);
    return extents->taken != NULL ? 0 : -ENOMEM;
}

void extents_fini(struct extents *extents)
{
    free(extents->taken);
    *extents = (struct extents){0};
}

int extents_take(struct extents *extents, uint32_t count, uint32_t *first)
{
    assert(count > 0);
    uint32_t run = 0;
    for (uint32_t i = 0; i < extents->count; i++) {
        run = extents->taken[i] != 0 ? 0 : run + 1;
        if (run < count)
            continue;
        for (uint32_t at = i + 1 - count; at <= i; at++)
            extents->taken[at] = 1;
        *first = extents->first + i + 1 - count;
        return 0;
    }
    return -ENOSPC;
}

void extents_give(struct extents *extents, uint32_t first, uint32_t count)
{
    assert(first >= extents->first && first - extents->first + count <= extents->count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *taken = &extents->taken[first - extents->first + i];
        assert(*taken == 1);
        *taken = 0;
    }
}
