/* SPDX-License-Identifier: MIT */
/*
 * disk_span: what of a read exists, and what a result is worth. The same for all engines.
 *
 * The last block of an image may be a part block: the size is a multiple of 512, not of the block
 * size. A read of it is whole when all bytes up to the image's end have come. The size is taken at
 * submission, because a resize may change it while the read is under way.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_SPAN_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_SPAN_H

#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "service/block/engine/disk.h"
#include "service/block/engine/image.h"

/* At submission, once. 0 if the read begins beyond the end. */
static inline uint32_t disk_span_expected_bytes(const struct disk_io *io)
{
    uint64_t size_bytes = io->image->size_bytes;
    uint32_t in_block = io->image->block_size_bytes - 1;

    /* Whoever submits has aligned it: image_read_span. */
    assert(io->length_bytes > 0 && ((io->offset_bytes | io->length_bytes) & in_block) == 0);
    if (io->offset_bytes >= size_bytes)
        return 0;
    uint64_t left = size_bytes - io->offset_bytes;
    return left < io->length_bytes ? (uint32_t)left : io->length_bytes;
}

/* result: bytes read or -errno. A read of which nothing exists has failed, too. */
static inline int32_t disk_span_status(const struct disk_io *io, int64_t result)
{
    if (result < 0)
        return (int32_t)result;
    return io->expected_bytes > 0 && result >= io->expected_bytes ? 0 : -EIO;
}

#endif
