/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_nbd.h"

#include <errno.h>

const char *disk_nbd_state_name(enum disk_nbd_state state)
{
    switch (state) {
    case DISK_NBD_CONNECTED:
        return "connected";
    case DISK_NBD_AWAY:
        return "away";
    case DISK_NBD_GONE:
        return "gone";
    }
    return "?";
}

#ifdef HAVE_LIBNBD
#include <assert.h>
#include <libnbd.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "service/block/engine/disk_nbd_private.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"

enum {
    LOST = -ENOTCONN, /* a status that no done sees: the connection ended before the answer */
};

static struct disk_nbd *of_disk(struct disk *disk)
{
    return container_of(disk, struct disk_nbd, base);
}

static void clear(struct disk_nbd_list *list)
{
    list->first = NULL;
    list->last = &list->first;
    list->count = 0;
}

static void put(struct disk_nbd_list *list, struct disk_io *io)
{
    io->next = NULL;
    *list->last = io;
    list->last = &io->next;
    list->count++;
}

/* All of them, the list is empty then. */
static struct disk_io *take_all(struct disk_nbd_list *list)
{
    struct disk_io *first = list->first;
    clear(list);
    return first;
}

/* What done submits is not part of this round. */
void disk_nbd_deliver(struct disk_nbd *dn)
{
    struct disk_io *io = take_all(&dn->ended);
    while (io != NULL) {
        struct disk_io *next = io->next;
        io->done(io);
        io = next;
    }
}

void disk_nbd_wake(struct disk_nbd *dn)
{
    (void)eventfd_write(dn->wake_fd, 1);
}

static int32_t status_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case ENOTCONN:  /* libnbd's word for what it had sent, or had not yet */
    case ESHUTDOWN: /* the server's, for what it will not do any more */
        return LOST;
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

static void count_answer(struct disk_nbd *dn, const struct disk_io *io)
{
    nbd_patience_answer(&dn->patience);
    if (io->status != 0)
        return;
    if (io->operation == DISK_WRITE || io->operation == DISK_DISCARD)
        dn->changes++;
    else if (io->operation == DISK_FLUSH)
        dn->flushed = io->ended_bytes;
}

/* It was not at the server, or may have been and was not answered. due.key: since when it waits. */
static void hold(struct disk_nbd *dn, struct disk_io *io)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (io->due.key == 0)
        io->due.key = disk_nbd_silence_lost_ns(dn, now_ns);
    if (disk_nbd_link_waits(dn) && now_ns - io->due.key < dn->patience.limit_ns) {
        put(&dn->held, io);
        return;
    }
    io->status = -EIO;
    put(&dn->ended, io);
}

/* One command of an operation is over. What was lost in part is done again as a whole, unless
 * another part of it has failed for good. */
static void command_ended(struct disk_nbd *dn, struct disk_io *io, int error)
{
    int32_t status = status_of(error);
    assert(io->covers > 0);
    if (io->status == 0 || (io->status == LOST && status != 0))
        io->status = status;
    if (--io->covers > 0)
        return;
    if (io->status == LOST) {
        hold(dn, io);
        return;
    }
    count_answer(dn, io);
    put(&dn->ended, io);
}

/* Within libnbd, which must not be called here: done comes when it has returned. */
static int on_command(void *ctx, int *error)
{
    struct disk_io *io = ctx;
    struct disk_nbd *dn = of_disk(io->disk);
    dn->commands--;
    if (*error == ESHUTDOWN)
        disk_nbd_link_cut(dn);
    command_ended(dn, io, *error);
    return 1;
}

/* A command that libnbd takes ends by on_command, whatever becomes of it. If that has come at once,
 * libnbd has freed the command, and reads there what it returns: any number. */
static void command(struct disk_nbd *dn, struct disk_io *io, void *data, uint64_t offset_bytes,
                    size_t bytes)
{
    const nbd_completion_callback callback = {.callback = on_command, .user_data = io};
    struct nbd_handle *nbd = dn->image->nbd;
    int64_t rc = -1;
    int error = 0;
    const uint32_t commands = ++dn->commands;
    if (!dn->was_asked)
        nbd_patience_ask(&dn->patience, clock_monotonic_ns());
    dn->was_asked = true;
    if (io->operation == DISK_READ)
        rc = nbd_aio_pread(nbd, data, bytes, offset_bytes, callback, 0);
    else if (io->operation == DISK_WRITE)
        rc = nbd_aio_pwrite(nbd, data, bytes, offset_bytes, callback, 0);
    else if (io->operation == DISK_FLUSH &&
             dn->can_flush == 1) /* a dead connection knows nothing */
        rc = nbd_aio_flush(nbd, callback, 0);
    else if (io->operation == DISK_DISCARD && dn->can_trim == 1)
        rc = nbd_aio_trim(nbd, bytes, offset_bytes, callback, 0);
    else
        error = EOPNOTSUPP;
    if (rc >= 0 || dn->commands < commands)
        return;
    dn->commands--;
    if (error == 0)
        error = nbd_aio_is_dead(nbd) == 1 || nbd_aio_is_closed(nbd) == 1 ? ENOTCONN : EIO;
    command_ended(dn, io, error);
}

static void send_parts(struct disk_nbd *dn, struct disk_io *io)
{
    uint64_t offset_bytes = io->offset_bytes;
    io->covers = io->iov_count;
    for (uint32_t i = 0, count = io->iov_count; i < count; i++) {
        size_t bytes = io->iov[i].iov_len;
        command(dn, io, io->iov[i].iov_base, offset_bytes, bytes);
        offset_bytes += bytes;
    }
}

static void send_io(struct disk_nbd *dn, struct disk_io *io)
{
    io->status = 0;
    io->covers = 1;
    if (io->operation == DISK_FLUSH)
        io->ended_bytes = dn->changes;
    if (dn->state != DISK_NBD_CONNECTED)
        command_ended(dn, io, ENOTCONN);
    else if (io->iov_count > 0)
        send_parts(dn, io);
    else
        command(dn, io, io->buffer, io->offset_bytes, io->length_bytes);
}

static void nbd_submit(struct disk *disk, struct disk_io *io)
{
    struct disk_nbd *dn = of_disk(disk);
    disk_span_begin(io);
    io->disk = disk;
    io->due.key = 0;
    if (io->operation != DISK_FLUSH && io->expected_bytes < io->length_bytes) {
        io->status = -EIO;
        put(&dn->ended, io);
    } else {
        send_io(dn, io);
    }
    disk_nbd_link_look(dn);
    disk_nbd_silence_expect(dn);
    if (dn->ended.first != NULL)
        disk_nbd_wake(dn);
}

void disk_nbd_send_held(struct disk_nbd *dn)
{
    struct disk_io *io = take_all(&dn->held);
    while (io != NULL) {
        struct disk_io *next = io->next;
        send_io(dn, io);
        io = next;
    }
    disk_nbd_silence_expect(dn);
    disk_nbd_wake(dn);
}

void disk_nbd_fail_held(struct disk_nbd *dn)
{
    struct disk_io *io = take_all(&dn->held);
    while (io != NULL) {
        struct disk_io *next = io->next;
        hold(dn, io);
        io = next;
    }
    disk_nbd_wake(dn);
}

static void on_wake(void *ctx, uint32_t revents)
{
    struct disk_nbd *dn = ctx;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(dn->poller, -EIO, "the eventfd of the nbd engine");
    disk_nbd_link_step(dn);
    disk_nbd_deliver(dn);
}

static void nbd_attach(struct disk *disk, struct image *image)
{
    struct disk_nbd *dn = of_disk(disk);
    assert(dn->image == NULL && image->nbd != NULL);
    dn->image = image;
    disk_nbd_link_begin(dn);
}

static void nbd_detach(struct disk *disk, struct image *image)
{
    struct disk_nbd *dn = of_disk(disk);
    assert(image == dn->image && dn->held.first == NULL);
    disk_nbd_link_end(dn);
    dn->image = NULL;
}

static void nbd_destroy(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct disk_nbd *dn = of_disk(disk);
    assert(dn->ended.first == NULL && dn->held.first == NULL);
    disk_nbd_link_fini(dn);
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
    if (config->nbd != NULL)
        dn->options = *config->nbd;
    clear(&dn->ended);
    clear(&dn->held);
    int rc = disk_nbd_link_init(dn);
    dn->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (rc == 0)
        rc = dn->wake_fd < 0
                 ? -errno
                 : poller_add(dn->poller, dn->wake_fd, POLLIN, on_wake, dn, &dn->wake_watch);
    if (rc < 0) {
        nbd_destroy(&dn->base);
        return why_fail_errno(why, rc, "nbd disk: can't make an eventfd or a timer");
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
    return container_of(disk, const struct disk_nbd, base)->state == DISK_NBD_GONE;
}

struct disk_nbd_report disk_nbd_report(const struct disk *disk)
{
    const struct disk_nbd *dn = container_of(disk, const struct disk_nbd, base);
    return (struct disk_nbd_report){.state = dn->state,
                                    .held = dn->held.count,
                                    .reconnections = dn->reconnections,
                                    .reconnect_ms = dn->options.reconnect_ms};
}

void disk_nbd_give_up(struct disk *disk)
{
    struct disk_nbd *dn = of_disk(disk);
    disk_nbd_link_give_up(dn);
    if (dn->state != DISK_NBD_AWAY)
        return;
    dn->state = DISK_NBD_GONE;
    disk_nbd_fail_held(dn);
}

#else /* !HAVE_LIBNBD */

static int nbd_engine_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    (void)config;
    *out = NULL;
    return why_fail(why, -ENOTSUP, "nbd disk: built without libnbd");
}

/* There is never a disk that these could be called with. */
bool disk_nbd_is_dead(const struct disk *disk)
{
    (void)disk;
    return true;
}

struct disk_nbd_report disk_nbd_report(const struct disk *disk)
{
    (void)disk;
    return (struct disk_nbd_report){.state = DISK_NBD_GONE};
}

void disk_nbd_give_up(struct disk *disk)
{
    (void)disk;
}

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
