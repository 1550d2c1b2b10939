/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for tools/integrity: image, sectors and read hold anything. The verdict must be
 * that of a second, simple reading of the same bytes.
 *
 * The input: a byte each for the size of the image, of the read file (both in sectors, with 1 bit
 * for some bytes more), and how read is made: as the sectors file says, then damaged, or raw. The
 * image's sectors are made from their numbers; the rest is the sectors file.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/integrity/compare.h"
#include "fuzz/input.h"

enum { SECTORS_MAX = 64, RECORDS_MAX = 64, SECTOR = COMPARE_SECTOR_BYTES, HEAD = 4 };

struct files {
    uint8_t image[SECTORS_MAX * SECTOR + 1], read[(RECORDS_MAX + 1) * SECTOR];
    size_t image_bytes, read_bytes;
    const uint8_t *sectors;
    size_t sectors_bytes;
};

/* The numbers of the sectors file, or -1: its form is wrong. */
static int parse(const struct files *f, uint64_t *numbers, int max)
{
    int count = 0;
    size_t i = 0;
    while (i < f->sectors_bytes) {
        unsigned __int128 number = 0;
        size_t begin = i;
        for (; i < f->sectors_bytes && f->sectors[i] != '\n'; i++) {
            if (f->sectors[i] < '0' || f->sectors[i] > '9')
                return -1;
            number = number * 10 + (f->sectors[i] - '0');
            if (number > UINT64_MAX)
                return -1;
        }
        if (i == f->sectors_bytes || i == begin || count == max)
            return -1;
        numbers[count++] = (uint64_t)number;
        i++;
    }
    return count;
}

static enum compare_result expected(const struct files *f)
{
    uint64_t numbers[RECORDS_MAX + 1];
    int count = parse(f, numbers, RECORDS_MAX + 1);
    if (count <= 0 || f->image_bytes < SECTOR || f->read_bytes != (size_t)count * SECTOR)
        return COMPARE_BAD_INPUT;
    for (int i = 0; i < count; i++) {
        if (numbers[i] >= f->image_bytes / SECTOR)
            return COMPARE_BAD_INPUT;
    }
    for (int i = 0; i < count; i++) {
        if (memcmp(f->image + numbers[i] * SECTOR, f->read + i * SECTOR, SECTOR) != 0)
            return COMPARE_MISMATCH;
    }
    return COMPARE_MATCH;
}

/* What an honest client would have written for these sectors, as far as they exist. */
static void fill_read(struct files *f)
{
    uint64_t numbers[RECORDS_MAX + 1];
    int count = parse(f, numbers, RECORDS_MAX + 1);
    f->read_bytes = 0;
    for (int i = 0; i < count; i++) {
        if (numbers[i] < f->image_bytes / SECTOR)
            memcpy(f->read + f->read_bytes, f->image + numbers[i] * SECTOR, SECTOR);
        f->read_bytes += SECTOR;
    }
}

static int file_of(const void *bytes, size_t byte_count, char *path, size_t path_bytes)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, bytes, byte_count) == (ssize_t)byte_count);
    snprintf(path, path_bytes, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct files f; /* too large for the stack */
    char path[3][32], text[512];
    if (size < HEAD || size > 2048)
        return 0;
    f.sectors = data + HEAD;
    f.sectors_bytes = size - HEAD;
    f.image_bytes = (size_t)(data[0] >> 1) % (SECTORS_MAX + 1) * SECTOR + (data[0] & 1);
    for (size_t i = 0; i < f.image_bytes; i++)
        f.image[i] = (uint8_t)(i / SECTOR * 7 + i % 3);
    memset(f.read, data[3], sizeof(f.read));
    fill_read(&f);
    if (data[1] & 1)
        f.read_bytes = (size_t)data[1] * 2 % sizeof(f.read);
    if (data[2] & 1 && f.read_bytes > 0)
        f.read[(size_t)data[3] * 131 % f.read_bytes] ^= (uint8_t)(data[2] >> 1);
    const int fd[3] = {file_of(f.image, f.image_bytes, path[0], sizeof(path[0])),
                       file_of(f.sectors, f.sectors_bytes, path[1], sizeof(path[1])),
                       file_of(f.read, f.read_bytes, path[2], sizeof(path[2]))};
    const struct compare_files files = {.image = path[0], .sectors = path[1], .read = path[2]};
    memset(text, 'x', sizeof(text));
    require(compare_run(&files, text, sizeof(text)) == expected(&f));
    require(memchr(text, '\0', sizeof(text)) != NULL && text[0] != '\0');
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    return 0;
}
