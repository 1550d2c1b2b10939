/* SPDX-License-Identifier: MIT */
#include "client/text_sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int text_sink_write(int fd, const void *data, size_t byte_count)
{
    const char *next = data;

    while (byte_count > 0) {
        ssize_t written = write(fd, next, byte_count);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (written == 0)
            return -ENOSPC; /* POSIX allows it; going on would loop for ever */
        next += written;
        byte_count -= (size_t)written;
    }
    return 0;
}

size_t text_sink_format(char *out, uint64_t value)
{
    char digits[TEXT_SINK_LINE_MAX];
    size_t at = sizeof(digits);

    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}
