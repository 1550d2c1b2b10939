/* SPDX-License-Identifier: MIT */
/*
 * disk_uring: the poller's io_uring. Images are registered files and the pool one registered
 * buffer: that saves a quarter of the CPU time of a read. Locked memory may be limited
 * (RLIMIT_MEMLOCK), there are REGISTERED_MAX places for files, and a ring has one such table, which
 * is its first engine's; then it goes without. Of a pool for which the limit is too small its
 * beginning is registered: those are the buffers that are used most (disk.h). Discards are holes
 * punched by fallocate(2), also on block devices, where the kernel makes them discards that read as
 * zeros.
 */
#include <errno.h>

#include "service/block/engine/disk.h"

#ifdef HAVE_LIBURING

#include <assert.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"

enum {
    REGISTERED_MAX = 64,
    REGISTERED_BYTES_MIN = 65536, /* of a pool: less is not worth it */
};

struct disk_uring {
    struct disk base;
    struct poller *poller;
    struct io_uring *ring;
    bool has_registered_files; /* the table of them */
    const char *pool;
    size_t registered_bytes; /* of the pool, from its begin */
    bool place_used[REGISTERED_MAX];
    /* Found no SQE because the kernel was out of memory; tried again by the next submit or kick. */
    struct disk_io *backlog;
    struct disk_io **backlog_last;
};

static struct disk_uring *of_disk(struct disk *disk)
{
    return container_of(disk, struct disk_uring, base);
}

static bool has_registered_buffer(const struct disk_uring *du, const struct disk_io *io)
{
    size_t begin = (uintptr_t)io->buffer - (uintptr_t)du->pool;
    return begin < du->registered_bytes && io->length_bytes <= du->registered_bytes - begin;
}

static void prepare_read(const struct disk_uring *du, struct io_uring_sqe *sqe, int fd,
                         const struct disk_io *io)
{
    if (io->iov_count > 0)
        io_uring_prep_readv(sqe, fd, io->iov, io->iov_count, io->offset_bytes);
    else if (has_registered_buffer(du, io))
        io_uring_prep_read_fixed(sqe, fd, io->buffer, io->length_bytes, io->offset_bytes, 0);
    else
        io_uring_prep_read(sqe, fd, io->buffer, io->length_bytes, io->offset_bytes);
}

/* What is left of it. */
static void prepare_write(const struct disk_uring *du, struct io_uring_sqe *sqe, int fd,
                          const struct disk_io *io)
{
    const char *from = (const char *)io->buffer + io->ended_bytes;
    uint32_t bytes = io->length_bytes - io->ended_bytes;
    uint64_t offset_bytes = io->offset_bytes + io->ended_bytes;
    if (io->iov_count > 0)
        io_uring_prep_writev(sqe, fd, io->iov, io->iov_count, offset_bytes);
    else if (has_registered_buffer(du, io))
        io_uring_prep_write_fixed(sqe, fd, from, bytes, offset_bytes, 0);
    else
        io_uring_prep_write(sqe, fd, from, bytes, offset_bytes);
}

/* Puts the operation on the ring. False: no room. */
static bool enqueue(struct disk_uring *du, struct disk_io *io)
{
    struct io_uring_sqe *sqe = poller_uring_sqe(du->poller, &io->op);
    if (sqe == NULL)
        return false;
    /* image->registered is a place's number plus 1. */
    bool is_registered = io->image->registered != 0;
    int fd = is_registered ? (int)io->image->registered - 1 : io->image->fd;
    switch (io->operation) {
    case DISK_READ:
        prepare_read(du, sqe, fd, io);
        break;
    case DISK_WRITE:
        prepare_write(du, sqe, fd, io);
        break;
    case DISK_FLUSH:
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        break;
    case DISK_DISCARD:
        io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)io->offset_bytes, io->length_bytes);
        break;
    }
    if (is_registered)
        sqe->flags |= IOSQE_FIXED_FILE;
    return true;
}

static void work_off_backlog(struct disk_uring *du)
{
    while (du->backlog != NULL) {
        struct disk_io *io = du->backlog;
        if (!enqueue(du, io))
            return;
        du->backlog = io->next;
        if (du->backlog == NULL)
            du->backlog_last = &du->backlog;
    }
}

/* After all that waits. */
static void give(struct disk_uring *du, struct disk_io *io)
{
    io->next = NULL;
    work_off_backlog(du);
    if (du->backlog == NULL && enqueue(du, io))
        return;
    *du->backlog_last = io;
    du->backlog_last = &io->next;
}

static void uring_complete(struct poller_op *op, int32_t result)
{
    struct disk_io *io = container_of(op, struct disk_io, op);
    if (disk_span_result(io, result))
        io->done(io);
    else
        give(of_disk(io->disk), io);
}

static void uring_submit(struct disk *disk, struct disk_io *io)
{
    disk_span_begin(io);
    io->disk = disk;
    io->op.complete = uring_complete;
    give(of_disk(disk), io);
}

static void uring_kick(struct disk *disk)
{
    struct disk_uring *du = of_disk(disk);
    work_off_backlog(du);
    /* What can't be given over now stays queued: the next poller_run tries again and reports. */
    (void)poller_uring_submit(du->poller);
}

/* An image that finds no place, or that the kernel does not take, is read by its descriptor. */
static void uring_attach(struct disk *disk, struct image *image)
{
    struct disk_uring *du = of_disk(disk);
    uint32_t place = 0;
    image->registered = 0;
    while (place < REGISTERED_MAX && du->place_used[place])
        place++;
    if (!du->has_registered_files || place == REGISTERED_MAX ||
        io_uring_register_files_update(du->ring, place, &image->fd, 1) != 1)
        return;
    du->place_used[place] = true;
    image->registered = place + 1;
}

static void uring_detach(struct disk *disk, struct image *image)
{
    struct disk_uring *du = of_disk(disk);
    int no_file = -1;
    if (image->registered == 0)
        return;
    assert(du->place_used[image->registered - 1]);
    (void)io_uring_register_files_update(du->ring, image->registered - 1, &no_file, 1);
    du->place_used[image->registered - 1] = false;
    image->registered = 0;
}

static void uring_destroy(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct disk_uring *du = of_disk(disk);
    if (du->registered_bytes > 0)
        io_uring_unregister_buffers(du->ring);
    if (du->has_registered_files)
        io_uring_unregister_files(du->ring);
    free(du);
}

/*
 * Registration is a matter of speed. So not being allowed to lock memory, or memory of a kind that
 * can't be locked, is no error.
 */
static int register_pool(struct disk_uring *du, const struct disk_config *config)
{
    struct iovec pool = {.iov_base = config->pool, .iov_len = config->pool_bytes};
    int rc = io_uring_register_buffers(du->ring, &pool, 1);
    while (rc == -ENOMEM && pool.iov_len / 2 >= REGISTERED_BYTES_MIN) {
        pool.iov_len /= 2;
        rc = io_uring_register_buffers(du->ring, &pool, 1);
    }
    du->pool = config->pool;
    du->registered_bytes = rc == 0 ? pool.iov_len : 0;
    return rc == -ENOMEM || rc == -EPERM || rc == -EOPNOTSUPP || rc == -EBUSY ? 0 : rc;
}

static int register_places(struct disk_uring *du)
{
    int no_file[REGISTERED_MAX];
    memset(no_file, -1, sizeof(no_file));
    int rc = io_uring_register_files(du->ring, no_file, REGISTERED_MAX);
    du->has_registered_files = rc == 0;
    return rc == -EBUSY ? 0 : rc;
}

static int uring_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    struct io_uring *ring = poller_uring(config->poller);
    *out = NULL;
    if (ring == NULL)
        return why_fail(why, -EINVAL,
                        "uring disk: the poller has no io_uring; use the threads engine");
    struct disk_uring *du = calloc(1, sizeof(*du));
    if (du == NULL)
        return why_fail(why, -ENOMEM, "uring disk: out of memory");
    du->base.ops = &disk_uring_ops;
    du->poller = config->poller;
    du->ring = ring;
    du->backlog_last = &du->backlog;
    const char *what = "can't make places for files";
    int rc = register_places(du);
    if (rc == 0) {
        what = "can't register the buffers";
        rc = register_pool(du, config);
    }
    if (rc < 0) {
        uring_destroy(&du->base);
        return why_fail_errno(why, rc, "uring disk: %s", what);
    }
    *out = &du->base;
    return 0;
}

const struct disk_ops disk_uring_ops = {
    .name = "uring",
    .create = uring_create,
    .submit = uring_submit,
    .kick = uring_kick,
    .attach = uring_attach,
    .detach = uring_detach,
    .destroy = uring_destroy,
};

#else /* !HAVE_LIBURING */

static int uring_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    (void)config;
    *out = NULL;
    return why_fail(why, -ENOSYS, "uring disk: built without liburing; use the threads engine");
}

/* There is never a disk that these two could be called with. */
static void uring_submit(struct disk *disk, struct disk_io *io)
{
    (void)disk;
    (void)io;
}

static void uring_destroy(struct disk *disk)
{
    (void)disk;
}

const struct disk_ops disk_uring_ops = {
    .name = "uring",
    .create = uring_create,
    .submit = uring_submit,
    .destroy = uring_destroy,
};

#endif
