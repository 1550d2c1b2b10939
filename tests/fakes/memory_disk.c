/* SPDX-License-Identifier: MIT */
/*
 * memory_disk: as much of blkfront as a vhost device uses, on an array. A test includes this file:
 * its functions then stand in for the library's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "ring/barrier.h"
#include "splitdom/blkfront.h"

enum {
    MEMORY_DISK_SECTORS = 256,
    MEMORY_DISK_DEPTH = 8,
    MEMORY_DISK_BYTES = MEMORY_DISK_SECTORS * 512
};

struct blkfront {
    uint8_t bytes[MEMORY_DISK_BYTES];
    uint64_t sectors; /* atomic: its size, at most MEMORY_DISK_SECTORS */
    bool read_only;
    uint32_t room; /* submits until -EAGAIN; refilled by a reap */
    bool holds;    /* a reap finds nothing */
    uint32_t flushes, discards;
    int failure;      /* of every call; 0: none */
    bool cancelled;   /* all that is submitted, until that has been reaped */
    uint32_t count;   /* submitted */
    uint32_t unshown; /* of them: since the doorbell was rung */
    struct blkfront_io waiting[MEMORY_DISK_DEPTH];
    int fd;                 /* of blkfront_fd; the test's */
    int geometry_fd;        /* of blkfront_geometry_fd; the test's */
    void (*answered)(void); /* optional: a request is being reaped */
};

static struct blkfront memory_disk;

static void memory_disk_reset(void)
{
    memset(&memory_disk, 0, sizeof(memory_disk));
    for (size_t i = 0; i < sizeof(memory_disk.bytes); i++)
        memory_disk.bytes[i] = (uint8_t)(i / 512 + i % 512);
    memory_disk.room = UINT32_MAX;
    memory_disk.fd = memory_disk.geometry_fd = -1;
    memory_disk.sectors = MEMORY_DISK_SECTORS;
}

int blkfront_geometry(struct blkfront *bf, struct blkfront_geometry *out)
{
    eventfd_t unused;

    if (bf->geometry_fd >= 0)
        (void)eventfd_read(bf->geometry_fd, &unused);
    *out = (struct blkfront_geometry){.last_sector = load_relaxed_u64(&bf->sectors) - 1,
                                      .sector_size = 512,
                                      .physical_sector_size = 4096,
                                      .read_only = bf->read_only,
                                      .flush = true,
                                      .discard = true,
                                      .discard_granularity = 4096};
    return bf->failure == -ENOTCONN ? bf->failure : 0;
}

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out)
{
    (void)bf;
    *out = (struct blkfront_stats){.depth = MEMORY_DISK_DEPTH};
}

const char *blkfront_failure(struct blkfront *bf)
{
    (void)bf;
    return "the disk is dead";
}

int blkfront_fd(struct blkfront *bf)
{
    return bf->fd;
}

int blkfront_geometry_fd(struct blkfront *bf)
{
    return bf->geometry_fd;
}

int blkfront_submit_io(struct blkfront *bf, const struct blkfront_io *io)
{
    if (bf->failure != 0)
        return bf->failure;
    if (bf->room == 0 || bf->count == MEMORY_DISK_DEPTH)
        return -EAGAIN;
    if (io->operation != BLKFRONT_FLUSH && io->sector < MEMORY_DISK_SECTORS &&
        io->sector + io->sector_count > load_relaxed_u64(&bf->sectors))
        return -EINVAL; /* it has become smaller */
    bf->room--;
    bf->unshown++;
    bf->waiting[bf->count++] = *io;
    return 0;
}

static int perform(struct blkfront *bf, const struct blkfront_io *io)
{
    if (io->operation == BLKFRONT_FLUSH) {
        bf->flushes++;
        return 0;
    }
    if (io->sector + io->sector_count > MEMORY_DISK_SECTORS)
        abort(); /* who judges requests has let this one pass */
    uint8_t *at = bf->bytes + io->sector * 512;
    bf->discards += io->operation == BLKFRONT_DISCARD;
    for (uint32_t i = 0; i < io->iov_count; i++) {
        if (io->operation == BLKFRONT_READ)
            memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
        else
            memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
        at += io->iov[i].iov_len;
    }
    return 0;
}

int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min)
{
    uint32_t count = 0;

    (void)min;
    bf->unshown = 0;
    while (count < max && bf->count > 0 && !bf->holds) {
        const struct blkfront_io io = bf->waiting[--bf->count];
        out[count++] = (struct blkfront_completion){
            .operation = io.operation,
            .status = bf->failure != 0 ? bf->failure
                      : bf->cancelled  ? -ECANCELED
                                       : perform(bf, &io),
            .cookie = io.cookie,
        };
        if (bf->answered != NULL)
            bf->answered();
    }
    if (count > 0)
        bf->room = UINT32_MAX;
    bf->cancelled = bf->cancelled && bf->count > 0;
    return count == 0 && bf->failure != 0 ? bf->failure : (int)count;
}

int blkfront_kick(struct blkfront *bf)
{
    bf->unshown = 0;
    return bf->failure;
}

int blkfront_cancel(struct blkfront *bf, void *cookie)
{
    (void)cookie;
    bf->holds = false;
    bf->cancelled = bf->count > 0;
    return 0;
}
