/* SPDX-License-Identifier: MIT */
/*
 * fake_disk: a disk engine whose reads end when the test says so, in any order, with any status.
 * Every sector holds its own number, 64 times.
 */
#ifndef SPLITDOM_TESTS_FAKE_DISK_H
#define SPLITDOM_TESTS_FAKE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "service/block/engine/disk.h"

enum { FAKE_DISK_DEPTH_MAX = 128 };

struct fake_disk {
    struct disk base;                             /* first */
    struct disk_io *waiting[FAKE_DISK_DEPTH_MAX]; /* in order of submission */
    uint32_t waiting_count;
    uint32_t submitted; /* ever */
    uint32_t unkicked;  /* submitted since the last kick */
    uint32_t depth;
};

extern const struct disk_ops fake_disk_ops;

/* The one that was created last; NULL after its end. */
struct fake_disk *fake_disk_current(void);

/* Ends the read at this place of the queue; status 0 fills its buffer. */
void fake_disk_complete(struct fake_disk *disk, uint32_t index, int32_t status);
/* Ends all that wait now, oldest first. */
void fake_disk_complete_all(struct fake_disk *disk, int32_t status);

/* Whether these bytes are sector_count sectors from sector on. */
bool fake_disk_holds(const void *bytes, uint64_t sector, uint32_t sector_count);

#endif
