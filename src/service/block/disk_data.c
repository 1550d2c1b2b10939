/* SPDX-License-Identifier: MIT */
/* disk_data: how sectors get from a read's buffer to domains and into the cache, and out of it. */
#include <string.h>

#include "service/block/disk_queue_parts.h"

enum { CACHE_LINE_BYTES = 64 };

static const uint8_t *data_of(const struct disk_read *read, const struct pending *p)
{
    return read->buffer + (p->sector - read->first_sector) * BLKIF_SECTOR_SIZE;
}

void disk_queue_expect(const struct disk_queue *q, uint64_t sector)
{
    cache_prefetch(q->cache, sector);
}

bool disk_queue_serve(struct disk_queue *q, struct pending *p)
{
    if (p->sector_count == 1) {
        const void *data = cache_lookup(q->cache, p->sector);
        if (data == NULL)
            return false;
        memcpy(p->segment[0].to, data, BLKIF_SECTOR_SIZE);
        return true;
    }
    for (uint32_t i = 0; i < p->sector_count; i++) {
        if (cache_peek(q->cache, p->sector + i) == NULL)
            return false;
    }
    uint64_t sector = p->sector;
    for (uint32_t i = 0; i < p->nr_segments; i++) {
        for (uint32_t k = 0; k < p->segment[i].sector_count; k++)
            memcpy(p->segment[i].to + (size_t)k * BLKIF_SECTOR_SIZE,
                   cache_lookup(q->cache, sector++), BLKIF_SECTOR_SIZE);
    }
    return true;
}

/* The data comes from where the device put it, far from this CPU, and so does what the cache needs
 * to take it in: all of that is fetched side by side. */
void disk_read_prefetch(const struct disk_read *read)
{
    const struct pending *p = read->waiting.head;
    if (p == NULL || read->stale)
        return;
    const uint8_t *data = data_of(read, p);
    for (size_t i = 0; i < BLKIF_SECTOR_SIZE; i += CACHE_LINE_BYTES)
        __builtin_prefetch(data + i);
    cache_prefetch(read->queue->cache, p->sector);
    cache_prefetch_victim(read->queue->cache);
}

void disk_read_copy(const struct disk_read *read, const struct pending *p)
{
    const uint8_t *data = data_of(read, p);
    for (uint32_t i = 0; i < p->nr_segments; i++) {
        size_t bytes = (size_t)p->segment[i].sector_count * BLKIF_SECTOR_SIZE;
        memcpy(p->segment[i].to, data, bytes);
        data += bytes;
    }
}

void disk_read_keep(const struct disk_read *read, const struct pending *p)
{
    const uint8_t *data = data_of(read, p);
    read->queue->cache_state++;
    for (uint32_t i = 0; i < p->sector_count; i++)
        cache_insert(read->queue->cache, p->sector + i, data + (size_t)i * BLKIF_SECTOR_SIZE);
}
