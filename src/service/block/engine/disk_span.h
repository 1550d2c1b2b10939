/* SPDX-License-Identifier: MIT */
/*
 * disk_span: what of an operation's span exists, and what a result is worth. The same for all
 * engines.
 *
 * The last block of an image may be a part block: the size is a multiple of 512, not of the block
 * size. A read of it is whole when all bytes up to the image's end have come. The size is taken at
 * submission, because a resize may change it while the read is under way.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_SPAN_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_SPAN_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

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

/* At submission, once: what disk_span_result will need. */
static inline void disk_span_begin(struct disk_io *io)
{
    io->ended_bytes = 0;
    io->expected_bytes = io->operation == DISK_FLUSH ? 0 : disk_span_expected_bytes(io);
}

/* result: bytes read or -errno. A read of which nothing exists has failed, too. */
static inline int32_t disk_span_status(const struct disk_io *io, int64_t result)
{
    if (result < 0)
        return (int32_t)result;
    return io->expected_bytes > 0 && result >= io->expected_bytes ? 0 : -EIO;
}

/* The first bytes of the vector are written: it begins with the others. */
static inline void disk_span_skip(struct disk_io *io, size_t bytes)
{
    while (io->iov_count > 0 && bytes >= io->iov->iov_len) {
        bytes -= io->iov->iov_len;
        io->iov++;
        io->iov_count--;
    }
    if (io->iov_count > 0) {
        io->iov->iov_base = (char *)io->iov->iov_base + bytes;
        io->iov->iov_len -= bytes;
    }
}

/*
 * One call of the system has ended: result is the bytes read or written, or 0, or -errno. Sets
 * status and returns true; false: the write was short, and its rest, from ended_bytes on, has to be
 * tried now.
 */
static inline bool disk_span_result(struct disk_io *io, int64_t result)
{
    if (io->operation == DISK_READ || result < 0) {
        io->status = disk_span_status(io, result);
        return true;
    }
    io->status = 0;
    if (io->operation != DISK_WRITE)
        return true;
    io->ended_bytes += (uint32_t)result;
    if (io->ended_bytes == io->length_bytes)
        return true;
    if (result > 0 && (result & (int64_t)(io->image->block_size_bytes - 1)) == 0) {
        if (io->iov_count > 0)
            disk_span_skip(io, (size_t)result);
        return false;
    }
    io->status = -EIO;
    return true;
}

#endif
