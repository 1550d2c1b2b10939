/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_pattern.h"

#include <endian.h>
#include <string.h>
#include <sys/uio.h>

#include "service/block/engine/disk.h"
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

void disk_pattern_answer(const struct disk_io *io)
{
    uint64_t offset_bytes = io->offset_bytes;

    if (io->iov_count == 0)
        disk_pattern_fill(io->buffer, offset_bytes, io->length_bytes);
    for (uint32_t i = 0; i < io->iov_count; i++) {
        disk_pattern_fill(io->iov[i].iov_base, offset_bytes, (uint32_t)io->iov[i].iov_len);
        offset_bytes += io->iov[i].iov_len;
    }
}
