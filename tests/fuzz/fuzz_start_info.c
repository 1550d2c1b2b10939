/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for segment_attach: the file that a domain gets as its memory holds anything.
 * Byte 0: size of the file (bit 7: the one that start_info tells), then the file's first bytes,
 * over a good start_info if bit 6 of byte 0 is set. The file is sealed, or nothing else would be
 * looked at. What is accepted must describe areas inside the file.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "fuzz/input.h"
#include "ring/segment.h"

static void check(const struct segment *segment, uint64_t file_pages)
{
    uint8_t *end = segment->base + ((size_t)segment->nr_pages << XEN_PAGE_SHIFT);
    require(segment->nr_pages == file_pages);
    require((uint64_t)segment->free_pfn + segment->nr_free_pages == segment->nr_pages);
    require((uint8_t *)(segment->gnttab + segment->nr_grant_entries) <= end);
    require((uint8_t *)(segment->shared_info + 1) <= end);
    require((uint8_t *)(segment->store + 1) <= end);
    /* All of it is there. */
    ((volatile uint8_t *)segment->gnttab)[0] |= 1;
    ((volatile uint8_t *)end)[-1] |= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment good, segment;
    struct start_info si;
    int fd;
    if (size < 1)
        return 0;
    uint32_t pages = SEGMENT_PAGES_MIN + (data[0] & 0x3f);
    if (segment_create(pages, 3, &good, &fd) < 0)
        return 0;
    memcpy(&si, good.start_info, sizeof(si));
    segment_detach(&good);
    close(fd);
    if ((data[0] & 0x40) == 0)
        memset(&si, 0, sizeof(si));
    memcpy(&si, data + 1, size - 1 < sizeof(si) ? size - 1 : sizeof(si));
    if ((data[0] & 0x80) != 0 && si.nr_pages <= 2 * SEGMENT_PAGES_MAX)
        pages = si.nr_pages;
    fd = memory_file_create("fuzz");
    if (fd < 0)
        return 0;
    require(pwrite(fd, &si, sizeof(si), 0) == (ssize_t)sizeof(si));
    struct hints hints = {.version = HINTS_VERSION};
    require(pwrite(fd, &hints, sizeof(hints), HINTS_OFFSET) == (ssize_t)sizeof(hints));
    require(ftruncate(fd, (off_t)pages << XEN_PAGE_SHIFT) == 0);
    require(memory_file_seal(fd, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
    if (segment_attach(fd, &segment) == 0)
        check(&segment, pages);
    segment_detach(&segment);
    close(fd);
    return 0;
}
