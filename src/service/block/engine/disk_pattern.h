/* SPDX-License-Identifier: MIT */
/*
 * disk_pattern: the contents of a disk that isn't there (engines null and model). Every sector
 * begins with its own number, 8 bytes little-endian, and is zero otherwise, so that a reader can
 * tell whether it got the sector that it asked for.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_PATTERN_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_PATTERN_H

#include <stdint.h>

struct disk_io;

/* offset_bytes: multiple of 512, the place on the disk. A part sector at the end is filled, too. */
void disk_pattern_fill(void *buffer, uint64_t offset_bytes, uint32_t length_bytes);
/* All of a read's memory. */
void disk_pattern_answer(const struct disk_io *io);

#endif
