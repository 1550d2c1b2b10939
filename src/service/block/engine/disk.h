/* SPDX-License-Identifier: MIT */
/*
 * disk: the seam between Dom0's block logic and what really reads.
 *
 * Engines, one file each: disk_uring.c (O_DIRECT reads on the poller's io_uring, registered file
 * and buffers), disk_threads.c (a pool of preading threads, results handed over by an eventfd),
 * disk_null.c (no disk: answers at once, the ceiling), disk_model.c (a model of a disk: service
 * time, queue, caps, errors; seeded).
 *
 * All functions run on the poller's thread.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/why.h"
#include "service/loop/poller.h"

struct image;
struct disk;
struct disk_model_clock;

/* One read. The caller owns it and fills the first block; done must not be NULL. */
struct disk_io {
    const struct image *image; /* attached, where the engine has attach */
    uint64_t offset_bytes;     /* multiple of the image's block_size_bytes */
    uint32_t length_bytes;     /* likewise */
    void *buffer; /* inside the memory given as `pool` to the engine, aligned likewise */
    void (*done)(struct disk_io *io);

    uint64_t arrival_ns; /* disk_model: when it was sent, if not only now; 0: now */

    int32_t status; /* engine: 0 or -errno (short read: -EIO); valid in done */

    struct disk_io *next;    /* engine's private use between submit and done */
    struct heap_node due;    /* engine's private use */
    uint64_t due_ns;         /* disk_model: when it was over; valid in done */
    uint32_t expected_bytes; /* engine's private use: how much of length_bytes exists */
    struct poller_op op;     /* engine's private use */
};

struct disk_config {
    struct poller *poller;
    void *pool; /* the memory that every disk_io.buffer lies in */
    size_t pool_bytes;
    uint32_t depth;    /* reads in flight at most: the caller keeps to it */
    const char *model; /* disk_model's parameters ("mean=200us,cv=0.25,..."), else NULL */
    const struct disk_model_clock
        *clock; /* disk_model's, if the caller owns time; NULL: real time */
};

struct disk_ops {
    const char *name;
    /* Required. Errors: -errno with a line for people in why. */
    int (*create)(const struct disk_config *config, struct disk **out, struct why *why);
    /* Required. Takes the read; done comes later, from poller_run, never from inside submit. */
    void (*submit)(struct disk *disk, struct disk_io *io);
    /* Optional. Makes sure that submitted reads have reached the device. */
    void (*kick)(struct disk *disk);
    /* Optional. Before the first read of an image, which outlives its attachment; it may note
     * something in image->registered. */
    void (*attach)(struct disk *disk, struct image *image);
    /* Optional. After the last read of it. */
    void (*detach)(struct disk *disk, struct image *image);
    /* Required. No read may be in flight. NULL disk allowed. */
    void (*destroy)(struct disk *disk);
};

/* Every engine starts with this. */
struct disk {
    const struct disk_ops *ops;
};

extern const struct disk_ops disk_uring_ops; /* create gives -ENOSYS in a build without liburing */
extern const struct disk_ops disk_threads_ops;
extern const struct disk_ops disk_null_ops;
extern const struct disk_ops disk_model_ops;

#endif
