/* SPDX-License-Identifier: MIT */
/*
 * fake_disk: a disk engine whose operations end when the test says so, in any order, with any
 * status. Every sector holds its own number, 64 times, whatever is written; or the disk is given
 * contents, which it reads and writes.
 */
#ifndef SPLITDOM_TESTS_FAKE_DISK_H
#define SPLITDOM_TESTS_FAKE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "service/block/engine/disk.h"

enum { FAKE_DISK_DEPTH_MAX = 128 };

struct fake_disk {
    struct disk base;                             /* first */
    struct disk_io *waiting[FAKE_DISK_DEPTH_MAX]; /* in order of submission */
    uint32_t waiting_count;
    uint32_t submitted; /* ever */
    uint32_t unkicked;  /* submitted since the last kick */
    uint32_t depth;
    /* The test's. NULL: sectors hold their numbers. */
    uint8_t *content;
    /* Not NULL: when between its submission and its end an operation has its effect on contents,
     * and how much of it one has that fails. Else: when it ends without an error. */
    struct prng *chance;
    uint64_t clock;         /* counts submissions and ends */
    uint64_t write_ended;   /* when the last write or discard did */
    uint64_t flush_covered; /* when the latest flush that has succeeded was submitted */
    /* Not NULL: hears of each write that has ended without an error, before its caller does. */
    void (*wrote)(void *ctx, const struct disk_io *io);
    void *ctx;
};

extern const struct disk_ops fake_disk_ops;

/* The one that was created last; NULL after its end. */
struct fake_disk *fake_disk_current(void);

/* Ends the operation at this place of the queue; a read with status 0 fills its memory. */
void fake_disk_complete(struct fake_disk *disk, uint32_t index, int32_t status);
/* Ends all that wait now, oldest first. */
void fake_disk_complete_all(struct fake_disk *disk, int32_t status);

/* Whether these bytes are sector_count sectors from sector on. */
bool fake_disk_holds(const void *bytes, uint64_t sector, uint32_t sector_count);

#endif
