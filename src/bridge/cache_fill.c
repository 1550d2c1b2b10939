/* SPDX-License-Identifier: MIT */
#include "bridge/cache_fill.h"

/* Not above what a direct request of Xen's ring carries, and a multiple of any disk's blocks. */
enum { FILL_SECTORS = 64, SECTOR_BYTES = 512 };

int cache_fill(struct blkfront *bf, const struct blkfront_geometry *geometry, uint64_t offset,
               uint64_t bytes)
{
    char unwanted[FILL_SECTORS * SECTOR_BYTES];
    uint64_t unit = geometry->sector_size, begin = offset - offset % unit;
    uint64_t sector = geometry->first_sector + begin / SECTOR_BYTES;
    uint64_t left = (offset - begin + bytes + unit - 1) / unit * (unit / SECTOR_BYTES);
    int rc = 0;

    while (rc == 0 && left > 0) {
        uint32_t part = left < FILL_SECTORS ? (uint32_t)left : FILL_SECTORS;
        rc = blkfront_read(bf, sector, part, unwanted);
        sector += part;
        left -= part;
    }
    return rc;
}
