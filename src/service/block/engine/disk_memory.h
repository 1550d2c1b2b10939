/* SPDX-License-Identifier: MIT */
/*
 * disk_memory: what was written to images whose bytes lie nowhere else (engine model), in memory.
 *
 * Sparse: it costs as much memory as was written, and for what was discarded a few bytes for each
 * 4 KiB. Offsets and lengths are multiples of a sector. Single-threaded.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MEMORY_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct image;
struct disk_memory;

/* Errors: -ENOMEM. */
int disk_memory_create(struct disk_memory **out);
void disk_memory_destroy(struct disk_memory *memory); /* NULL allowed */

/* Errors: -ENOSPC no memory is left; the first part may have been written. */
int disk_memory_write(struct disk_memory *memory, const struct image *image, uint64_t offset_bytes,
                      const void *data, size_t bytes);
/* Reads as zeros from now on. Errors: as above. */
int disk_memory_discard(struct disk_memory *memory, const struct image *image,
                        uint64_t offset_bytes, size_t bytes);
/* Lays what was written or discarded over data, which is what the span held before that. */
void disk_memory_read(const struct disk_memory *memory, const struct image *image,
                      uint64_t offset_bytes, void *data, size_t bytes);
/* Another one with the same contents. Errors: -ENOSPC. */
int disk_memory_copy(const struct disk_memory *memory, struct disk_memory **out);
/* The image goes: what was written to it is forgotten. */
void disk_memory_forget(struct disk_memory *memory, const struct image *image);

#endif
