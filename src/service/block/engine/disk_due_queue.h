/* SPDX-License-Identifier: MIT */
/*
 * disk_due_queue: reads that end at known times, earliest first, in order of arrival where times
 * are equal. A binary heap of fixed capacity.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_DUE_QUEUE_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_DUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "service/block/engine/disk.h"

struct disk_due_entry {
    uint64_t arrival; /* breaks ties */
    struct disk_io *io;
};

struct disk_due_queue {
    struct disk_due_entry *entries; /* entries[i] is due no later than [2i + 1] and [2i + 2] */
    uint32_t count;
    uint32_t capacity;
    uint64_t arrivals;
};

/* Errors: -ENOMEM. */
int disk_due_queue_open(struct disk_due_queue *queue, uint32_t capacity);
void disk_due_queue_close(struct disk_due_queue *queue); /* all zero allowed */

/* Sorted by io->due_ns, which stays as it is while the read is in. False: full. */
bool disk_due_queue_push(struct disk_due_queue *queue, struct disk_io *io);
struct disk_io *disk_due_queue_first(const struct disk_due_queue *queue); /* NULL: empty */
struct disk_io *disk_due_queue_pop(struct disk_due_queue *queue);         /* NULL: empty */

#endif
