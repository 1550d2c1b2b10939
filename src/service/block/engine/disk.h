/* SPDX-License-Identifier: MIT */
/*
 * disk: the seam between Dom0's block logic and what really reads and writes.
 *
 * Engines, one file each: disk_uring.c (O_DIRECT on the poller's io_uring, registered file and
 * buffers), disk_threads.c (a pool of threads that pread and pwrite, results handed over by an
 * eventfd),
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
#include "service/block/engine/disk_operation.h"
#include "service/loop/poller.h"

struct image;
struct iovec;
struct disk;
struct disk_model_clock;
struct disk_nbd_options;

/*
 * One operation. The caller owns it and fills the first block; done must not be NULL. Those on
 * overlapping spans that are under way at the same time end in any order.
 */
struct disk_io {
    const struct image *image; /* attached, where the engine has attach; writable unless READ */
    uint64_t offset_bytes;     /* multiple of the image's block_size_bytes; FLUSH: 0 */
    uint32_t length_bytes;     /* likewise; else at least a block */
    enum disk_operation operation;
    /* READ, WRITE: inside the memory given as `pool` to the engine, aligned likewise. */
    void *buffer;
    /* READ, WRITE: not 0: instead of buffer any memory, in so many parts, whose lengths are
     * multiples of block_size_bytes and sum up to length_bytes and whose addresses are multiples of
     * memory_align_bytes. The engine may change the vector. */
    uint32_t iov_count;
    struct iovec *iov;
    void (*done)(struct disk_io *io);

    uint64_t arrival_ns; /* disk_model: when it was sent, if not only now; 0: now */

    /* engine: 0 or -errno, valid in done. A short read: -EIO. A short write is gone on with; what
     * can't be gone on with: -EIO. What can't be done at all: -EOPNOTSUPP. */
    int32_t status;

    struct disk_io *next;    /* engine's private use between submit and done */
    struct heap_node due;    /* engine's private use */
    uint64_t due_ns;         /* disk_model: when it was over; valid in done */
    uint32_t expected_bytes; /* engine's private use: how much of length_bytes exists */
    uint32_t ended_bytes;    /* engine's private use: how much of a write has ended */
    uint64_t covers;         /* engine's private use: how much of what was written a flush covers */
    struct disk *disk;       /* engine's private use */
    struct poller_op op;     /* engine's private use */
};

struct disk_config {
    struct poller *poller;
    void *pool; /* the memory that every disk_io.buffer lies in; its beginning is used most */
    size_t pool_bytes;
    uint32_t depth;    /* operations in flight at most: the caller keeps to it */
    const char *model; /* disk_model's parameters ("mean=200us,cv=0.25,..."), else NULL */
    const struct disk_model_clock
        *clock; /* disk_model's, if the caller owns time; NULL: real time */
    const struct disk_nbd_options
        *nbd; /* disk_nbd's; copied; NULL: a server that has gone has gone for good */
};

struct disk_ops {
    const char *name;
    /* Required. Errors: -errno with a line for people in why. */
    int (*create)(const struct disk_config *config, struct disk **out, struct why *why);
    /* Required. Takes the operation; done comes later, from poller_run, never from inside submit.
     */
    void (*submit)(struct disk *disk, struct disk_io *io);
    /* Optional. Makes sure that what was submitted has reached the device. */
    void (*kick)(struct disk *disk);
    /* Optional. Before the first use of an image, which outlives its attachment; it may note
     * something in image->registered. */
    void (*attach)(struct disk *disk, struct image *image);
    /* Optional. After the last use of it. */
    void (*detach)(struct disk *disk, struct image *image);
    /* Required. Nothing may be in flight. NULL disk allowed. */
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
