/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int input_open(struct input *input, const char *path)
{
    struct stat st;
    off_t end;

    input->path = path;
    input_rewind(input);
    input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (input->fd < 0)
        return -errno;
    if (fstat(input->fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return -ESPIPE;
    end = lseek(input->fd, 0, SEEK_END);
    if (end < 0)
        return -errno;
    input->size_bytes = (uint64_t)end;
    return 0;
}

void input_close(struct input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
}

void input_rewind(struct input *input)
{
    input->position = 0;
    input->next = input->filled = 0;
}

int input_read_at(const struct input *input, uint64_t offset, void *out, size_t byte_count)
{
    unsigned char *next = out;

    while (byte_count > 0) {
        ssize_t count = pread(input->fd, next, byte_count, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? -errno : -ENODATA;
        next += count;
        offset += (uint64_t)count;
        byte_count -= (size_t)count;
    }
    return 0;
}

/* Returns 1, 0 at the end of the file, or -errno. */
static int refill(struct input *input)
{
    ssize_t count;

    do
        count = pread(input->fd, input->buffer, sizeof(input->buffer), (off_t)input->position);
    while (count < 0 && errno == EINTR);
    if (count <= 0)
        return count < 0 ? -errno : 0;
    input->position += (uint64_t)count;
    input->next = 0;
    input->filled = (size_t)count;
    return 1;
}

int input_take(struct input *input, void *out, size_t byte_count)
{
    unsigned char *to = out;

    while (byte_count > 0) {
        if (input->next == input->filled) {
            int rc = refill(input);
            if (rc <= 0)
                return rc < 0 ? rc : -ENODATA;
        }
        size_t chunk = input->filled - input->next;
        if (chunk > byte_count)
            chunk = byte_count;
        memcpy(to, input->buffer + input->next, chunk);
        input->next += chunk;
        to += chunk;
        byte_count -= chunk;
    }
    return 0;
}

int input_take_number(struct input *input, uint64_t *out)
{
    bool digits = false;

    *out = 0;
    for (;;) {
        if (input->next == input->filled) {
            int rc = refill(input);
            if (rc < 0)
                return rc;
            if (rc == 0)
                return digits ? -ENODATA : 0;
        }
        const unsigned char byte = input->buffer[input->next++];
        if (byte == '\n')
            return digits ? 1 : -EINVAL;
        if (byte < '0' || byte > '9' || __builtin_mul_overflow(*out, 10U, out) ||
            __builtin_add_overflow(*out, (uint64_t)(byte - '0'), out))
            return -EINVAL;
        digits = true;
    }
}
