/* SPDX-License-Identifier: MIT */
/*
 * disk_null: no disk at all. Every read is answered with disk_pattern's sectors in the next
 * poller_run, whatever was written; all else is accepted, and nothing comes of it. What is left is
 * the cost of everything above the disk, the ceiling for a service.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/container_of.h"
#include "service/block/engine/disk.h"
#include "service/block/engine/disk_pattern.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"

struct disk_null {
    struct disk base;
    struct poller *poller;
    struct poller_watch *watch;
    int event_fd;
    struct disk_io *first; /* submitted, in order */
    struct disk_io **last;
};

static struct disk_null *of_disk(struct disk *disk)
{
    return container_of(disk, struct disk_null, base);
}

static void null_complete(void *ctx, uint32_t revents)
{
    struct disk_null *dn = ctx;
    struct disk_io *io = dn->first;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(dn->poller, -EIO, "the eventfd of the null engine");
    /* Each write to the eventfd is an edge: it needs no read. */
    /* done may submit: that begins a new list, with an edge of its own */
    dn->first = NULL;
    dn->last = &dn->first;
    while (io != NULL) {
        struct disk_io *next = io->next;
        io->done(io);
        io = next;
    }
}

static void answer_read(struct disk_io *io)
{
    io->expected_bytes = disk_span_expected_bytes(io);
    io->status = disk_span_status(io, io->length_bytes);
    if (io->iov_count == 0)
        disk_pattern_fill(io->buffer, io->offset_bytes, io->length_bytes);
    else
        disk_pattern_answer(io);
}

static void null_submit(struct disk *disk, struct disk_io *io)
{
    struct disk_null *dn = of_disk(disk);
    io->status = 0;
    if (io->operation == DISK_READ)
        answer_read(io);
    io->next = NULL;
    if (dn->first == NULL) {
        int rc = eventfd_write(dn->event_fd, 1);
        assert(rc == 0); /* 2^64 - 2 lists fit */
        (void)rc;
    }
    *dn->last = io;
    dn->last = &io->next;
}

static void null_destroy(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct disk_null *dn = of_disk(disk);
    assert(dn->first == NULL);
    poller_remove(dn->poller, dn->watch);
    if (dn->event_fd >= 0)
        close(dn->event_fd);
    free(dn);
}

static int null_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    *out = NULL;
    struct disk_null *dn = calloc(1, sizeof(*dn));
    if (dn == NULL)
        return why_fail(why, -ENOMEM, "null disk: out of memory");
    dn->base.ops = &disk_null_ops;
    dn->poller = config->poller;
    dn->last = &dn->first;
    dn->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = dn->event_fd < 0
                 ? -errno
                 : poller_add(dn->poller, dn->event_fd, POLLIN, null_complete, dn, &dn->watch);
    if (rc < 0) {
        null_destroy(&dn->base);
        return why_fail_errno(why, rc, "null disk: can't make an eventfd");
    }
    *out = &dn->base;
    return 0;
}

const struct disk_ops disk_null_ops = {
    .name = "null",
    .create = null_create,
    .submit = null_submit,
    .destroy = null_destroy,
};
