/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/iov.h"

#include <errno.h>
#include <string.h>

int iov_bytes(const struct iovec *iov, uint32_t count, uint64_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(*bytes, (uint64_t)iov[i].iov_len, bytes))
            return -EINVAL;
    }
    return 0;
}

/* The piece that holds byte *offset of the run, which becomes the offset in that piece. */
static const struct iovec *find(const struct iovec *iov, size_t *offset)
{
    while (*offset >= iov->iov_len) {
        *offset -= iov->iov_len;
        iov++;
    }
    return iov;
}

static size_t piece_bytes(const struct iovec *iov, size_t offset, size_t wanted)
{
    size_t there = iov->iov_len - offset;
    return wanted < there ? wanted : there;
}

void iov_gather(const struct iovec *iov, size_t offset, void *to, size_t bytes)
{
    uint8_t *at = to;
    while (bytes > 0) {
        iov = find(iov, &offset);
        size_t piece = piece_bytes(iov, offset, bytes);
        memcpy(at, (const uint8_t *)iov->iov_base + offset, piece);
        at += piece;
        offset += piece;
        bytes -= piece;
    }
}

void iov_scatter(const struct iovec *iov, size_t offset, const void *from, size_t bytes)
{
    const uint8_t *at = from;
    while (bytes > 0) {
        iov = find(iov, &offset);
        size_t piece = piece_bytes(iov, offset, bytes);
        memcpy((uint8_t *)iov->iov_base + offset, at, piece);
        at += piece;
        offset += piece;
        bytes -= piece;
    }
}
