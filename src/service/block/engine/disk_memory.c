/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "service/block/engine/sector.h"

enum {
    PAGE_SECTORS = 8,
    PAGE_BYTES = PAGE_SECTORS * BLOCK_SECTOR_BYTES,
    BUCKETS_MIN = 1024,
};

struct page {
    struct page *next; /* of its bucket */
    const struct image *image;
    uint64_t number;
    uint8_t held;        /* a bit for each sector that was written or discarded */
    unsigned char *data; /* NULL: zeros */
};

/* A chained hash table that doubles with its pages. */
struct disk_memory {
    struct page **bucket;
    size_t bucket_count; /* a power of two */
    size_t page_count;
};

int disk_memory_create(struct disk_memory **out)
{
    struct disk_memory *memory = calloc(1, sizeof(*memory));
    *out = NULL;
    if (memory == NULL)
        return -ENOMEM;
    memory->bucket_count = BUCKETS_MIN;
    memory->bucket = calloc(memory->bucket_count, sizeof(*memory->bucket));
    if (memory->bucket == NULL) {
        free(memory);
        return -ENOMEM;
    }
    *out = memory;
    return 0;
}

static void free_page(struct page *page)
{
    free(page->data);
    free(page);
}

void disk_memory_destroy(struct disk_memory *memory)
{
    if (memory == NULL)
        return;
    for (size_t i = 0; i < memory->bucket_count; i++) {
        while (memory->bucket[i] != NULL) {
            struct page *page = memory->bucket[i];
            memory->bucket[i] = page->next;
            free_page(page);
        }
    }
    free(memory->bucket);
    free(memory);
}

static struct page **bucket_of(const struct disk_memory *memory, const struct image *image,
                               uint64_t number)
{
    uint64_t hash = (number ^ (uint64_t)(uintptr_t)image) * UINT64_C(0x9e3779b97f4a7c15);
    return &memory->bucket[(hash >> 32) & (memory->bucket_count - 1)];
}

static struct page *find(const struct disk_memory *memory, const struct image *image,
                         uint64_t number)
{
    struct page *page = *bucket_of(memory, image, number);
    while (page != NULL && (page->number != number || page->image != image))
        page = page->next;
    return page;
}

/* Without memory the chains become longer. */
static void grow(struct disk_memory *memory)
{
    struct disk_memory larger = {.bucket_count = 2 * memory->bucket_count,
                                 .page_count = memory->page_count};
    larger.bucket = calloc(larger.bucket_count, sizeof(*larger.bucket));
    if (larger.bucket == NULL)
        return;
    for (size_t i = 0; i < memory->bucket_count; i++) {
        while (memory->bucket[i] != NULL) {
            struct page *page = memory->bucket[i];
            memory->bucket[i] = page->next;
            struct page **bucket = bucket_of(&larger, page->image, page->number);
            page->next = *bucket;
            *bucket = page;
        }
    }
    free(memory->bucket);
    *memory = larger;
}

static struct page *find_or_make(struct disk_memory *memory, const struct image *image,
                                 uint64_t number)
{
    struct page *page = find(memory, image, number);
    if (page != NULL)
        return page;
    page = calloc(1, sizeof(*page));
    if (page == NULL)
        return NULL;
    if (memory->page_count == memory->bucket_count)
        grow(memory);
    struct page **bucket = bucket_of(memory, image, number);
    *page = (struct page){.next = *bucket, .image = image, .number = number};
    *bucket = page;
    memory->page_count++;
    return page;
}

/* The part of a span that lies in one page. */
struct part {
    uint64_t page_number;
    uint32_t first, end; /* sectors of the page */
};

static struct part first_part(uint64_t offset_bytes, size_t bytes)
{
    uint64_t sector = offset_bytes / BLOCK_SECTOR_BYTES;
    size_t sectors = bytes / BLOCK_SECTOR_BYTES;
    struct part part = {.page_number = sector / PAGE_SECTORS,
                        .first = (uint32_t)(sector % PAGE_SECTORS)};
    assert(((offset_bytes | bytes) & (BLOCK_SECTOR_BYTES - 1)) == 0 && bytes > 0);
    part.end = sectors < PAGE_SECTORS - part.first ? part.first + (uint32_t)sectors : PAGE_SECTORS;
    return part;
}

static size_t part_bytes(struct part part)
{
    return (size_t)(part.end - part.first) * BLOCK_SECTOR_BYTES;
}

/* data NULL: zeros. */
static int put(struct disk_memory *memory, const struct image *image, struct part part,
               const unsigned char *data)
{
    struct page *page = find_or_make(memory, image, part.page_number);
    if (page == NULL)
        return -ENOSPC;
    if (data != NULL && page->data == NULL)
        page->data = calloc(1, PAGE_BYTES);
    if (data != NULL && page->data == NULL)
        return -ENOSPC;
    for (uint32_t i = part.first; i < part.end; i++)
        page->held |= (uint8_t)(1u << i);
    if (data != NULL)
        memcpy(page->data + (size_t)part.first * BLOCK_SECTOR_BYTES, data, part_bytes(part));
    else if (part.end - part.first == PAGE_SECTORS) {
        free(page->data);
        page->data = NULL;
    } else if (page->data != NULL)
        memset(page->data + (size_t)part.first * BLOCK_SECTOR_BYTES, 0, part_bytes(part));
    return 0;
}

int disk_memory_write(struct disk_memory *memory, const struct image *image, uint64_t offset_bytes,
                      const void *data, size_t bytes)
{
    const unsigned char *from = data;
    int rc = 0;
    while (bytes > 0 && rc == 0) {
        struct part part = first_part(offset_bytes, bytes);
        rc = put(memory, image, part, from);
        from += part_bytes(part);
        offset_bytes += part_bytes(part);
        bytes -= part_bytes(part);
    }
    return rc;
}

int disk_memory_discard(struct disk_memory *memory, const struct image *image,
                        uint64_t offset_bytes, size_t bytes)
{
    int rc = 0;
    while (bytes > 0 && rc == 0) {
        struct part part = first_part(offset_bytes, bytes);
        rc = put(memory, image, part, NULL);
        offset_bytes += part_bytes(part);
        bytes -= part_bytes(part);
    }
    return rc;
}

void disk_memory_read(const struct disk_memory *memory, const struct image *image,
                      uint64_t offset_bytes, void *data, size_t bytes)
{
    unsigned char *to = data;
    while (bytes > 0 && memory->page_count > 0) {
        struct part part = first_part(offset_bytes, bytes);
        const struct page *page = find(memory, image, part.page_number);
        for (uint32_t i = part.first; page != NULL && i < part.end; i++) {
            unsigned char *sector = to + (size_t)(i - part.first) * BLOCK_SECTOR_BYTES;
            if ((page->held & 1u << i) == 0)
                continue;
            if (page->data != NULL)
                memcpy(sector, page->data + (size_t)i * BLOCK_SECTOR_BYTES, BLOCK_SECTOR_BYTES);
            else
                memset(sector, 0, BLOCK_SECTOR_BYTES);
        }
        to += part_bytes(part);
        offset_bytes += part_bytes(part);
        bytes -= part_bytes(part);
    }
}

static int copy_page(struct disk_memory *to, const struct page *page)
{
    struct page *copy = find_or_make(to, page->image, page->number);
    if (copy == NULL)
        return -ENOSPC;
    copy->held = page->held;
    if (page->data == NULL)
        return 0;
    copy->data = malloc(PAGE_BYTES);
    if (copy->data == NULL)
        return -ENOSPC;
    memcpy(copy->data, page->data, PAGE_BYTES);
    return 0;
}

int disk_memory_copy(const struct disk_memory *memory, struct disk_memory **out)
{
    struct disk_memory *copy;
    int rc = disk_memory_create(&copy) < 0 ? -ENOSPC : 0;
    *out = NULL;
    for (size_t i = 0; rc == 0 && i < memory->bucket_count; i++)
        for (struct page *page = memory->bucket[i]; rc == 0 && page != NULL; page = page->next)
            rc = copy_page(copy, page);
    if (rc < 0)
        disk_memory_destroy(copy);
    else
        *out = copy;
    return rc;
}

void disk_memory_forget(struct disk_memory *memory, const struct image *image)
{
    for (size_t i = 0; i < memory->bucket_count; i++) {
        for (struct page **link = &memory->bucket[i]; *link != NULL;) {
            struct page *page = *link;
            if (page->image != image) {
                link = &page->next;
                continue;
            }
            *link = page->next;
            free_page(page);
            memory->page_count--;
        }
    }
}
