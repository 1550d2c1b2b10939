/* SPDX-License-Identifier: MIT */
#include "service/block/cache/rereads.h"

#include <stdlib.h>

enum { NOTES_MIN = 64, NOTES_MAX = 65536 };

/* False: there is no memory. */
static bool make_notes(struct rereads *rereads, uint32_t cache_sectors)
{
    uint32_t count = NOTES_MIN;
    while (count < NOTES_MAX && count < cache_sectors / REREADS_BLOCK_SECTORS)
        count *= 2;
    rereads->note = calloc(count, sizeof(*rereads->note));
    rereads->mask = count - 1;
    return rereads->note != NULL;
}

void rereads_free(struct rereads *rereads)
{
    free(rereads->note);
    *rereads = (struct rereads){.note = NULL};
}

bool rereads_keep(struct rereads *rereads, uint32_t cache_sectors, uint64_t sector,
                  uint32_t sector_count)
{
    if (rereads->kept_yet > 0) {
        rereads->kept_yet--;
        return true;
    }
    if (rereads->note == NULL && !make_notes(rereads, cache_sectors))
        return false;
    uint64_t last = (sector + sector_count - 1) / REREADS_BLOCK_SECTORS;
    for (uint64_t block = sector / REREADS_BLOCK_SECTORS; block <= last; block++)
        *rereads_place(rereads, block) = block + 1;
    return false;
}
