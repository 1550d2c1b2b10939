/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_due_queue.h"

#include <errno.h>
#include <stdlib.h>

static bool is_before(const struct disk_due_entry *a, const struct disk_due_entry *b)
{
    if (a->io->due_ns != b->io->due_ns)
        return a->io->due_ns < b->io->due_ns;
    return a->arrival < b->arrival;
}

int disk_due_queue_open(struct disk_due_queue *queue, uint32_t capacity)
{
    *queue = (struct disk_due_queue){.capacity = capacity};
    queue->entries = calloc(capacity, sizeof(*queue->entries));
    return queue->entries ? 0 : -ENOMEM;
}

void disk_due_queue_close(struct disk_due_queue *queue)
{
    free(queue->entries);
    *queue = (struct disk_due_queue){0};
}

bool disk_due_queue_push(struct disk_due_queue *queue, struct disk_io *io)
{
    struct disk_due_entry entry = {.arrival = queue->arrivals, .io = io};
    uint32_t at = queue->count;

    if (queue->count == queue->capacity)
        return false;
    queue->arrivals++;
    queue->count++;
    while (at > 0 && is_before(&entry, &queue->entries[(at - 1) / 2])) {
        queue->entries[at] = queue->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->entries[at] = entry;
    return true;
}

struct disk_io *disk_due_queue_first(const struct disk_due_queue *queue)
{
    return queue->count > 0 ? queue->entries[0].io : NULL;
}

struct disk_io *disk_due_queue_pop(struct disk_due_queue *queue)
{
    struct disk_io *first = disk_due_queue_first(queue);
    struct disk_due_entry entry;
    uint32_t at = 0;

    if (!first)
        return NULL;
    /* The last entry sinks from the top to where it belongs. */
    entry = queue->entries[--queue->count];
    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child + 1 < queue->count &&
            is_before(&queue->entries[child + 1], &queue->entries[child]))
            child++;
        if (child >= queue->count || is_before(&entry, &queue->entries[child]))
            break;
        queue->entries[at] = queue->entries[child];
        at = child;
    }
    queue->entries[at] = entry;
    return first;
}
