/* SPDX-License-Identifier: MIT */
#include "service/block/tail.h"

#include "service/block/device_private.h"
#include "service/block/segments.h"

static uint32_t pages_of(const struct iovec *part)
{
    uintptr_t first = (uintptr_t)part->iov_base / TAIL_PAGE_BYTES;
    uintptr_t last = ((uintptr_t)part->iov_base + part->iov_len - 1) / TAIL_PAGE_BYTES;
    return (uint32_t)(last - first) + 1;
}

/* What lies in the last pages of a part, of which there are more. */
static uint32_t bytes_of_last(const struct iovec *part, uint32_t pages)
{
    uintptr_t end = (uintptr_t)part->iov_base + part->iov_len;
    uintptr_t last = (end - 1) / TAIL_PAGE_BYTES;
    return (uint32_t)(end - (last - pages + 1) * TAIL_PAGE_BYTES);
}

uint32_t tail_cut(struct iovec *vector, uint32_t *count, uint32_t parts_max, uint32_t unit_bytes)
{
    uint32_t pages = 0, bytes = 0, left = *count, last_bytes = 0;
    for (uint32_t i = 0; i < *count; i++)
        pages += pages_of(&vector[i]);
    if (parts_max == 0 || pages <= parts_max || pages - parts_max >= TAIL_PAGES_MAX)
        return 0;
    uint32_t cut = pages - parts_max + 1; /* they become one part */
    for (; cut > 0 && left > 0 && pages_of(&vector[left - 1]) <= cut; left--) {
        cut -= pages_of(&vector[left - 1]);
        bytes += (uint32_t)vector[left - 1].iov_len;
    }
    if (left == 0)
        return 0;
    if (cut > 0)
        last_bytes = bytes_of_last(&vector[left - 1], cut);
    bytes += last_bytes;
    if (bytes % unit_bytes != 0)
        return 0;
    vector[left - 1].iov_len -= last_bytes;
    *count = left;
    return bytes;
}

void tail_replace(struct device_job *job, uint32_t vector_max)
{
    struct disk_io *io = &job->io;
    const struct image *image = io->image;
    job->tail_sectors = 0;
    if (io->iov_count >= vector_max)
        return;
    uint32_t bytes = tail_cut(io->iov, &io->iov_count, image->parts_max, image_align_bytes(image));
    if (bytes == 0)
        return;
    job->tail = job->buffer + vector_max * sizeof(struct iovec);
    job->tail_sectors = bytes / BLOCK_SECTOR_BYTES;
    io->iov[io->iov_count++] = (struct iovec){.iov_base = job->tail, .iov_len = bytes};
}

void tail_copy(const struct device_job *job)
{
    uint32_t before = job->sector_count - job->tail_sectors;
    if (job->tail_sectors > 0)
        segments_copy(job->owner, segments_after(job->owner, job->place, before), job->tail,
                      job->tail_sectors);
}
