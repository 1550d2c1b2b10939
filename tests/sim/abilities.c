/* SPDX-License-Identifier: MIT */
/* abilities: what a front end may ask of a disk. */
#include "world.h"

static bool is_aligned(const struct abilities *can, const struct ask *ask)
{
    bool discards = ask->entry->operation == BLKIF_OP_DISCARD;
    uint64_t bits = ask->entry->sector | (discards ? ask->entry->sector_count : 0);
    for (uint32_t i = 0; i < ask->segment_count; i++)
        bits |= (uint32_t)(ask->segment[i].last_sect - ask->segment[i].first_sect) + 1;
    return (!discards && ask->segment_count == 0) || (bits & (can->block_sectors - 1)) == 0;
}

bool can_do(const struct abilities *can, const struct ask *ask)
{
    const struct shadow_entry *entry = ask->entry;
    if (entry->sector + entry->sector_count > can->sectors || !is_aligned(can, ask))
        return false;
    switch (entry->operation) {
    case BLKIF_OP_WRITE:
        return can->writable;
    case BLKIF_OP_DISCARD:
        return can->discard;
    case BLKIF_OP_FLUSH_DISKCACHE:
    case BLKIF_OP_WRITE_BARRIER:
        return can->flush;
    default:
        return true;
    }
}
