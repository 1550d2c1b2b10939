/* SPDX-License-Identifier: MIT */
#include "service/block/segments.h"

#include <string.h>
#include <sys/uio.h>

#include "service/block/engine/image.h"

bool segments_fit(const struct block_request *request, const struct image *image)
{
    uint64_t unit_sectors = image_align_bytes(image) / BLOCK_SECTOR_BYTES;
    const uint8_t *end = NULL; /* of the run of segments that follow each other in memory */
    uint64_t run_sectors = 0;
    if (((request->sector | request->sector_count) & (unit_sectors - 1)) != 0)
        return false;
    for (uint32_t i = 0; i < request->segment_count; i++) {
        const struct block_segment *segment = &request->segments[i];
        if (segment->address != end) {
            if (((uintptr_t)segment->address & (image->memory_align_bytes - 1)) != 0 ||
                (run_sectors & (unit_sectors - 1)) != 0)
                return false;
            run_sectors = 0;
        }
        run_sectors += segment->sector_count;
        end = segment->address + (size_t)segment->sector_count * BLOCK_SECTOR_BYTES;
    }
    return true; /* the last run is what is left of whole units */
}

struct segment_place segments_after(const struct block_request *request, struct segment_place place,
                                    uint32_t sectors)
{
    while (sectors > 0) {
        uint32_t left = request->segments[place.segment].sector_count - place.skipped_sectors;
        if (sectors < left) {
            place.skipped_sectors += sectors;
            break;
        }
        sectors -= left;
        place.segment++;
        place.skipped_sectors = 0;
    }
    return place;
}

void segments_copy(const struct block_request *request, struct segment_place place, uint8_t *data,
                   uint32_t sectors)
{
    const struct block_segment *segment = &request->segments[place.segment];
    for (uint32_t skipped = place.skipped_sectors; sectors > 0; segment++, skipped = 0) {
        uint32_t count = segment->sector_count - skipped;
        count = count < sectors ? count : sectors;
        uint8_t *memory = segment->address + (size_t)skipped * BLOCK_SECTOR_BYTES;
        size_t bytes = (size_t)count * BLOCK_SECTOR_BYTES;
        if (request->operation == BLOCK_WRITE)
            memcpy(data, memory, bytes);
        else
            memcpy(memory, data, bytes);
        data += bytes;
        sectors -= count;
    }
}

uint32_t segments_vector(const struct block_request *request, struct segment_place place,
                         uint32_t sectors_max, struct iovec *vector, uint32_t vector_max,
                         uint32_t *count)
{
    const struct block_segment *segment = &request->segments[place.segment];
    uint32_t sectors = 0;
    *count = 0;
    for (uint32_t skipped = place.skipped_sectors; sectors < sectors_max; segment++, skipped = 0) {
        uint32_t more = segment->sector_count - skipped;
        more = more < sectors_max - sectors ? more : sectors_max - sectors;
        uint8_t *memory = segment->address + (size_t)skipped * BLOCK_SECTOR_BYTES;
        size_t bytes = (size_t)more * BLOCK_SECTOR_BYTES;
        struct iovec *last = *count > 0 ? &vector[*count - 1] : NULL;
        if (last != NULL && memory == (uint8_t *)last->iov_base + last->iov_len)
            last->iov_len += bytes;
        else if (*count < vector_max)
            vector[(*count)++] = (struct iovec){.iov_base = memory, .iov_len = bytes};
        else
            break;
        sectors += more;
    }
    return sectors;
}
