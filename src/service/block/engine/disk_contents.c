/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_contents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "base/list.h"
#include "base/prng.h"
#include "service/block/engine/disk_memory.h"
#include "service/block/engine/sector.h"

/* One that is in the volatile cache. */
struct change {
    struct list_node node;
    uint64_t number;
    const struct image *image;
    uint64_t offset_bytes;
    size_t bytes;
    bool is_zeros;
    unsigned char data[];
};

struct disk_contents {
    struct disk_memory *now;    /* what is read */
    struct disk_memory *stable; /* NULL: there is no volatile cache */
    struct list cached;         /* changes, oldest first */
    uint32_t cached_count;
    uint64_t change_count;
};

int disk_contents_create(bool has_volatile_cache, struct disk_contents **out)
{
    struct disk_contents *contents = calloc(1, sizeof(*contents));
    *out = NULL;
    if (contents == NULL)
        return -ENOMEM;
    int rc = disk_memory_create(&contents->now);
    if (rc == 0 && has_volatile_cache)
        rc = disk_memory_create(&contents->stable);
    if (rc < 0) {
        disk_contents_destroy(contents);
        return rc;
    }
    *out = contents;
    return 0;
}

static void drop(struct disk_contents *contents, struct change *change)
{
    list_remove(&change->node);
    contents->cached_count--;
    free(change);
}

static struct change *oldest(const struct disk_contents *contents)
{
    return container_or_null(list_first(&contents->cached), struct change, node);
}

void disk_contents_destroy(struct disk_contents *contents)
{
    struct change *change;
    if (contents == NULL)
        return;
    while ((change = oldest(contents)) != NULL)
        drop(contents, change);
    disk_memory_destroy(contents->now);
    disk_memory_destroy(contents->stable);
    free(contents);
}

static int put(struct disk_memory *memory, const struct image *image, uint64_t offset_bytes,
               const void *data, size_t bytes)
{
    return data != NULL ? disk_memory_write(memory, image, offset_bytes, data, bytes)
                        : disk_memory_discard(memory, image, offset_bytes, bytes);
}

/* Puts a part of a cached change on stable storage. */
static int save(struct disk_contents *contents, const struct change *change, size_t from,
                size_t bytes)
{
    return put(contents->stable, change->image, change->offset_bytes + from,
               change->is_zeros ? NULL : change->data + from, bytes);
}

static int save_oldest(struct disk_contents *contents)
{
    struct change *change = oldest(contents);
    int rc = save(contents, change, 0, change->bytes);
    drop(contents, change);
    return rc;
}

static int cache(struct disk_contents *contents, const struct image *image, uint64_t offset_bytes,
                 const void *data, size_t bytes)
{
    struct change *change = malloc(sizeof(*change) + (data != NULL ? bytes : 0));
    if (change == NULL)
        return -ENOSPC;
    *change = (struct change){.number = contents->change_count,
                              .image = image,
                              .offset_bytes = offset_bytes,
                              .bytes = bytes,
                              .is_zeros = data == NULL};
    if (data != NULL)
        memcpy(change->data, data, bytes);
    list_push_back(&contents->cached, &change->node);
    return ++contents->cached_count > DISK_CONTENTS_CACHED_MAX ? save_oldest(contents) : 0;
}

int disk_contents_write(struct disk_contents *contents, const struct image *image,
                        uint64_t offset_bytes, const void *data, size_t bytes)
{
    int rc = put(contents->now, image, offset_bytes, data, bytes);
    if (rc == 0 && contents->stable != NULL)
        rc = cache(contents, image, offset_bytes, data, bytes);
    contents->change_count++;
    return rc;
}

void disk_contents_read(const struct disk_contents *contents, const struct image *image,
                        uint64_t offset_bytes, void *data, size_t bytes)
{
    disk_memory_read(contents->now, image, offset_bytes, data, bytes);
}

uint64_t disk_contents_changes(const struct disk_contents *contents)
{
    return contents->change_count;
}

int disk_contents_flush(struct disk_contents *contents, const struct image *image, uint64_t changes)
{
    int rc = 0;
    for (struct list_node *node = list_first(&contents->cached), *next; node != NULL && rc == 0;
         node = next) {
        struct change *change = container_of(node, struct change, node);
        next = list_next(&contents->cached, node);
        if (change->image != image || change->number >= changes)
            continue;
        rc = save(contents, change, 0, change->bytes);
        drop(contents, change);
    }
    return rc;
}

/* For each of a change's sectors by chance whether it had left the cache. A later one's may have,
 * and an earlier one's not. */
static int save_some(struct disk_contents *contents, const struct change *change, struct prng *prng)
{
    int rc = 0;
    for (size_t at = 0; at < change->bytes && rc == 0; at += BLOCK_SECTOR_BYTES)
        if (prng_below(prng, 2) == 0)
            rc = save(contents, change, at, BLOCK_SECTOR_BYTES);
    return rc;
}

int disk_contents_lose_power(struct disk_contents *contents, struct prng *prng)
{
    struct disk_memory *copy;
    struct change *change;
    int rc = 0;
    if (contents->stable == NULL)
        return 0;
    while ((change = oldest(contents)) != NULL) {
        if (rc == 0)
            rc = save_some(contents, change, prng);
        drop(contents, change);
    }
    if (rc == 0)
        rc = disk_memory_copy(contents->stable, &copy);
    if (rc < 0)
        return rc;
    disk_memory_destroy(contents->now);
    contents->now = copy;
    return 0;
}

void disk_contents_forget(struct disk_contents *contents, const struct image *image)
{
    disk_memory_forget(contents->now, image);
    if (contents->stable == NULL)
        return;
    (void)disk_contents_flush(contents, image, UINT64_MAX);
    disk_memory_forget(contents->stable, image);
}
