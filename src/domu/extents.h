/* SPDX-License-Identifier: MIT */
/*
 * extents: hands out the numbers from first on, in runs that follow each other. For pages and for
 * grant references: what lies side by side is found by arithmetic, without a table on the way of a
 * request. One thread at a time.
 */
#ifndef SPLITDOM_DOMU_EXTENTS_H
#define SPLITDOM_DOMU_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

struct extents {
    uint8_t *taken; /* one byte a number */
    uint32_t first, count;
};

/* The numbers first..first+count-1, all free. Errors: -ENOMEM. */
int extents_init(struct extents *extents, uint32_t first, uint32_t count);
void extents_fini(struct extents *extents); /* zeroed allowed */

/* Takes the lowest run of count numbers (at least 1). Errors: -ENOSPC no such run is free. */
int extents_take(struct extents *extents, uint32_t count, uint32_t *first);
/* Gives count numbers back that were taken: all of a run or a part of it. */
void extents_give(struct extents *extents, uint32_t first, uint32_t count);

#endif
