/* SPDX-License-Identifier: MIT */
#include "domu/pages.h"

int pages_init(struct pages *pages, const struct segment *segment)
{
    return extents_init(&pages->free, segment->free_pfn, segment->nr_free_pages);
}

void pages_fini(struct pages *pages)
{
    extents_fini(&pages->free);
}

int pages_take(struct pages *pages, uint32_t count, uint32_t *pfn)
{
    return extents_take(&pages->free, count, pfn);
}

void pages_give(struct pages *pages, uint32_t pfn, uint32_t count)
{
    extents_give(&pages->free, pfn, count);
}
