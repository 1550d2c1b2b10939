/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/pieces.h"

#include <assert.h>
#include <string.h>

size_t pieces_bytes(const struct iovec *pieces, uint32_t count)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += pieces[i].iov_len;
    return bytes;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void pieces_copy_out(const struct iovec *pieces, uint32_t count, void *to, size_t bytes)
{
    char *at = to;

    for (uint32_t i = 0; i < count && bytes > 0; i++) {
        size_t part = smaller(bytes, pieces[i].iov_len);
        memcpy(at, pieces[i].iov_base, part);
        at += part;
        bytes -= part;
    }
    assert(bytes == 0);
}

void pieces_copy_in(const struct iovec *pieces, uint32_t count, const void *from, size_t bytes)
{
    const char *at = from;

    for (uint32_t i = 0; i < count && bytes > 0; i++) {
        size_t part = smaller(bytes, pieces[i].iov_len);
        memcpy(pieces[i].iov_base, at, part);
        at += part;
        bytes -= part;
    }
    assert(bytes == 0);
}

uint32_t pieces_skip(struct iovec **pieces, uint32_t count, size_t bytes)
{
    while (count > 0 && bytes >= (*pieces)[0].iov_len) {
        bytes -= (*pieces)[0].iov_len;
        (*pieces)++;
        count--;
    }
    if (bytes > 0) {
        assert(count > 0);
        (*pieces)[0].iov_base = (char *)(*pieces)[0].iov_base + bytes;
        (*pieces)[0].iov_len -= bytes;
    }
    return count;
}

uint8_t *pieces_cut_byte(struct iovec *pieces, uint32_t *count)
{
    assert(*count > 0 && pieces[*count - 1].iov_len > 0);
    struct iovec *last = &pieces[*count - 1];
    last->iov_len--;
    uint8_t *byte = (uint8_t *)last->iov_base + last->iov_len;
    if (last->iov_len == 0)
        (*count)--;
    return byte;
}
