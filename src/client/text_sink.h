/* SPDX-License-Identifier: MIT */
/* text_sink: whole writes to a descriptor, and decimal numbers as lines of text. */
#ifndef SPLITDOM_CLIENT_TEXT_SINK_H
#define SPLITDOM_CLIENT_TEXT_SINK_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the longest line that text_sink_format writes: 20 digits and the newline. */
enum { TEXT_SINK_LINE_MAX = 21 };

/* Writes all of data, however many calls that takes. 0, or -errno (-ENOSPC, -EFBIG, ...). */
int text_sink_write(int fd, const void *data, size_t byte_count);

/* Formats value and a newline to out (TEXT_SINK_LINE_MAX bytes free, no NUL); returns the length.
 */
size_t text_sink_format(char *out, uint64_t value);

#endif
