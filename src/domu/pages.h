/* SPDX-License-Identifier: MIT */
/*
 * pages: the free pages of a domain's segment, handed out to its devices for rings and data.
 *
 * A page stays taken through all lives of the domain: segments of the same size have their free
 * pages in the same place, which segment_attach has verified. One thread at a time.
 */
#ifndef SPLITDOM_DOMU_PAGES_H
#define SPLITDOM_DOMU_PAGES_H

#include <stdint.h>

#include "domu/extents.h"
#include "ring/segment.h"

struct pages {
    struct extents free;
};

/* Errors: -ENOMEM. */
int pages_init(struct pages *pages, const struct segment *segment);
void pages_fini(struct pages *pages); /* zeroed allowed */

/* Takes count pages that follow each other; *pfn is the first. What they contain is undefined.
 * Errors: -ENOSPC. */
int pages_take(struct pages *pages, uint32_t count, uint32_t *pfn);
/* No peer has any of them mapped any more: grants.c has seen to that. */
void pages_give(struct pages *pages, uint32_t pfn, uint32_t count);

#endif
