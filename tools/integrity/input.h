/* SPDX-License-Identifier: MIT */
/* input: a file that is read, by position or line by line, through a buffer of fixed size. */
#ifndef SPLITDOM_INTEGRITY_INPUT_H
#define SPLITDOM_INTEGRITY_INPUT_H

#include <stddef.h>
#include <stdint.h>

enum { INPUT_BUFFER_BYTES = 256 * 1024 };

struct input {
    const char *path; /* the caller's */
    int fd;
    uint64_t size_bytes;
    uint64_t position;   /* in the file, of the byte after the buffer's content */
    size_t next, filled; /* buffer[next..filled) was read but not handed out */
    unsigned char buffer[INPUT_BUFFER_BYTES];
};

/* Opens a regular file or a block device. 0 or -errno (-EISDIR, -ESPIPE: of another kind). */
int input_open(struct input *input, const char *path);
void input_close(struct input *input);

/* Back to the first byte. */
void input_rewind(struct input *input);

/* Copies the next byte_count bytes. Errors: -ENODATA the file ends before; -errno. */
int input_take(struct input *input, void *out, size_t byte_count);

/* Copies byte_count bytes from offset on, not through the buffer. Errors as input_take. */
int input_read_at(const struct input *input, uint64_t offset, void *out, size_t byte_count);

/*
 * Takes the next line as a decimal number. Returns 1, or 0 at the end of the file. Errors: -EINVAL
 * the line is no decimal number below 2^64; -ENODATA the last line has no newline; -errno.
 */
int input_take_number(struct input *input, uint64_t *out);

#endif
