/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_nbd.h"

#include <errno.h>

#ifdef HAVE_LIBNBD
#include <assert.h>
#include <fcntl.h>
#include <libnbd.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/container_of.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"

enum {
    STEPS_MAX = 256, /* of the protocol, between two looks at everything else */
};

struct disk_nbd {
    struct disk base;
    struct poller *poller;
    struct nbd_handle *nbd; /* the image's; NULL: none is attached */
    int fd;                 /* of the connection, a duplicate: libnbd closes its own by itself */
    struct poller_watch *watch;
    int wake_fd; /* for what ends without an event of the connection's */
    struct poller_watch *wake_watch;
    struct disk_io *ended, **ended_last; /* done is to be called */
    bool is_dead;
};

static struct disk_nbd *of_disk(struct disk *disk)
{
    return container_of(disk, struct disk_nbd, base);
}

static void put_ended(struct disk_nbd *dn, struct disk_io *io)
{
    io->next = NULL;
    *dn->ended_last = io;
    dn->ended_last = &io->next;
}

/* What done submits is not part of this round. */
static void deliver(struct disk_nbd *dn)
{
    struct disk_io *io = dn->ended;
    dn->ended = NULL;
    dn->ended_last = &dn->ended;
    while (io != NULL) {
        struct disk_io *next = io->next;
        io->done(io);
        io = next;
    }
}

static void wake(struct disk_nbd *dn)
{
    (void)eventfd_write(dn->wake_fd, 1);
}

static void stop_watching(struct disk_nbd *dn)
{
    if (dn->watch != NULL)
        poller_remove(dn->poller, dn->watch);
    dn->watch = NULL;
    if (dn->fd >= 0)
        close(dn->fd);
    dn->fd = -1;
}

static int32_t status_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case ENOSPC:
    case EROFS:
    case EOPNOTSUPP:
        return -error;
    case EPERM: /* how a server refuses a write to what is read-only */
        return -EROFS;
    default:
        return -EIO;
    }
}

/* One command of an operation is over. */
static void command_ended(struct disk_nbd *dn, struct disk_io *io, int error)
{
    assert(io->covers > 0);
    if (io->status == 0)
        io->status = status_of(error);
    if (--io->covers == 0)
        put_ended(dn, io);
}

/* Within libnbd, which must not be called here: done comes when it has returned. */
static int on_command(void *ctx, int *error)
{
    struct disk_io *io = ctx;
    command_ended(of_disk(io->disk), io, *error);
    return 1;
}

/* One step of the protocol, if the connection is ready for it. */
static bool step(struct disk_nbd *dn)
{
    unsigned direction = nbd_aio_get_direction(dn->nbd);
    bool reads = (direction & LIBNBD_AIO_DIRECTION_READ) != 0;
    bool writes = (direction & LIBNBD_AIO_DIRECTION_WRITE) != 0;
    struct pollfd now = {.fd = dn->fd,
                         .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0))};
    if (poll(&now, 1, 0) <= 0)
        return false;
    if (reads && (now.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        (void)nbd_aio_notify_read(dn->nbd);
    else if (writes && (now.revents & POLLOUT) != 0)
        (void)nbd_aio_notify_write(dn->nbd);
    else
        return false;
    return true;
}

static void look_if_dead(struct disk_nbd *dn)
{
    if (dn->is_dead || (nbd_aio_is_dead(dn->nbd) != 1 && nbd_aio_is_closed(dn->nbd) != 1))
        return;
    dn->is_dead = true;
    stop_watching(dn);
}

static void on_event(void *ctx, uint32_t revents)
{
    struct disk_nbd *dn = ctx;
    int steps = 0;
    (void)revents;
    while (!dn->is_dead && steps < STEPS_MAX && step(dn)) {
        steps++;
        look_if_dead(dn);
    }
    if (steps == STEPS_MAX) /* an edge is told once */
        wake(dn);
    deliver(dn);
}

static void on_wake(void *ctx, uint32_t revents)
{
    struct disk_nbd *dn = ctx;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(dn->poller, -EIO, "the eventfd of the nbd engine");
    if (dn->nbd != NULL)
        on_event(dn, 0);
}

/* A command that libnbd takes ends by on_command, whatever becomes of it. */
static void command(struct disk_nbd *dn, struct disk_io *io, void *data, uint64_t offset_bytes,
                    size_t bytes)
{
    const nbd_completion_callback callback = {.callback = on_command, .user_data = io};
    int64_t rc = -1;
    int error = EIO;
    if (io->operation == DISK_READ)
        rc = nbd_aio_pread(dn->nbd, data, bytes, offset_bytes, callback, 0);
    else if (io->operation == DISK_WRITE)
        rc = nbd_aio_pwrite(dn->nbd, data, bytes, offset_bytes, callback, 0);
    else if (io->operation == DISK_FLUSH && nbd_can_flush(dn->nbd) == 1)
        rc = nbd_aio_flush(dn->nbd, callback, 0);
    else if (io->operation == DISK_DISCARD && nbd_can_trim(dn->nbd) == 1)
        rc = nbd_aio_trim(dn->nbd, bytes, offset_bytes, callback, 0);
    else
        error = EOPNOTSUPP;
    if (rc < 0)
        command_ended(dn, io, error);
}

static void submit_parts(struct disk_nbd *dn, struct disk_io *io)
{
    uint64_t offset_bytes = io->offset_bytes;
    io->covers = io->iov_count;
    for (uint32_t i = 0, count = io->iov_count; i < count; i++) {
        size_t bytes = io->iov[i].iov_len;
        command(dn, io, io->iov[i].iov_base, offset_bytes, bytes);
        offset_bytes += bytes;
    }
}

static void nbd_submit(struct disk *disk, struct disk_io *io)
{
    struct disk_nbd *dn = of_disk(disk);
    disk_span_begin(io);
    io->disk = disk;
    io->status = 0;
    io->covers = 1;
    bool beyond = io->operation != DISK_FLUSH && io->expected_bytes < io->length_bytes;
    if (dn->is_dead || beyond)
        command_ended(dn, io, EIO);
    else if (io->iov_count > 0)
        submit_parts(dn, io);
    else
        command(dn, io, io->buffer, io->offset_bytes, io->length_bytes);
    look_if_dead(dn);
    if (dn->ended != NULL)
        wake(dn);
}

/* Without memory for that the disk is one whose server has gone. */
static void nbd_attach(struct disk *disk, struct image *image)
{
    struct disk_nbd *dn = of_disk(disk);
    assert(dn->nbd == NULL && image->nbd != NULL);
    dn->nbd = image->nbd;
    int fd = nbd_aio_get_fd(dn->nbd);
    dn->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    dn->is_dead = dn->fd < 0 ||
                  poller_add(dn->poller, dn->fd, POLLIN | POLLOUT, on_event, dn, &dn->watch) < 0;
    if (dn->is_dead)
        stop_watching(dn);
}

static void nbd_detach(struct disk *disk, struct image *image)
{
    struct disk_nbd *dn = of_disk(disk);
    assert(image->nbd == dn->nbd);
    stop_watching(dn);
    dn->nbd = NULL;
}

static void nbd_destroy(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct disk_nbd *dn = of_disk(disk);
    assert(dn->ended == NULL);
    stop_watching(dn);
    if (dn->wake_watch != NULL)
        poller_remove(dn->poller, dn->wake_watch);
    if (dn->wake_fd >= 0)
        close(dn->wake_fd);
    free(dn);
}

static int nbd_engine_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    *out = NULL;
    struct disk_nbd *dn = calloc(1, sizeof(*dn));
    if (dn == NULL)
        return why_fail(why, -ENOMEM, "nbd disk: out of memory");
    dn->base.ops = &disk_nbd_ops;
    dn->poller = config->poller;
    dn->fd = -1;
    dn->ended_last = &dn->ended;
    dn->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = dn->wake_fd < 0
                 ? -errno
                 : poller_add(dn->poller, dn->wake_fd, POLLIN, on_wake, dn, &dn->wake_watch);
    if (rc < 0) {
        nbd_destroy(&dn->base);
        return why_fail_errno(why, rc, "nbd disk: can't make an eventfd");
    }
    *out = &dn->base;
    return 0;
}

const struct disk_ops disk_nbd_ops = {
    .name = "nbd",
    .create = nbd_engine_create,
    .submit = nbd_submit,
    .attach = nbd_attach,
    .detach = nbd_detach,
    .destroy = nbd_destroy,
};

bool disk_nbd_is_dead(const struct disk *disk)
{
    return container_of(disk, const struct disk_nbd, base)->is_dead;
}

#else /* !HAVE_LIBNBD */

static int nbd_engine_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    (void)config;
    *out = NULL;
    return why_fail(why, -ENOTSUP, "nbd disk: built without libnbd");
}

bool disk_nbd_is_dead(const struct disk *disk)
{
    (void)disk;
    return true;
}

/* There is never a disk that these two could be called with. */
static void nbd_submit(struct disk *disk, struct disk_io *io)
{
    (void)disk;
    (void)io;
}

static void nbd_destroy(struct disk *disk)
{
    (void)disk;
}

const struct disk_ops disk_nbd_ops = {
    .name = "nbd",
    .create = nbd_engine_create,
    .submit = nbd_submit,
    .destroy = nbd_destroy,
};

#endif
