/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_pattern.h"

#include <endian.h>
#include <string.h>

#include "service/block/engine/sector.h"

void disk_pattern_fill(void *buffer, uint64_t offset_bytes, uint32_t length_bytes)
{
    uint64_t sector = offset_bytes / BLOCK_SECTOR_BYTES;
    char *bytes = buffer;

    memset(bytes, 0, length_bytes);
    for (uint32_t at = 0; at < length_bytes; at += BLOCK_SECTOR_BYTES) {
        uint64_t number = htole64(sector++);
        uint32_t left = length_bytes - at;

        memcpy(bytes + at, &number, left < sizeof(number) ? left : sizeof(number));
    }
}
