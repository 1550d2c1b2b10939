/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_model.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/prng.h"
#include "service/block/engine/disk_contents.h"
#include "service/block/engine/disk_model_config.h"
#include "service/block/engine/disk_model_law.h"
#include "service/block/engine/disk_pattern.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"
#include "service/block/engine/sector.h"

struct disk_model {
    struct disk base;
    enum disk_model_data data;
    struct disk_model_clock clock;
    struct disk_model_law *law;
    struct disk_contents *contents;
    struct heap due;       /* what ends at known times */
    uint64_t arrived_ns;   /* the last one */
    struct disk_io *stuck; /* for destroy only */
    bool is_expiring;      /* the timer is set when all of the round are done */

    /* Real time only, else -1 and NULL. */
    int timer_fd;
    uint64_t armed_ns; /* what the timer is set to; UINT64_MAX: nothing */
    struct poller *poller;
    struct poller_watch *watch;
};

static struct disk_model *of_disk(struct disk *disk)
{
    return container_of(disk, struct disk_model, base);
}

static struct disk_io *first_due(const struct disk_model *dm)
{
    return container_or_null(heap_first(&dm->due), struct disk_io, due);
}

uint64_t disk_model_next_due_ns(const struct disk *disk)
{
    const struct disk_io *first = first_due(container_of(disk, const struct disk_model, base));
    return first != NULL ? first->due_ns : UINT64_MAX;
}

/*
 * Sets the timer to the first completion. Setting it makes a new edge when that time comes, also if
 * it is past; the expiry count need not be read for that.
 */
static void arm_timer(struct disk_model *dm)
{
    uint64_t next_ns = disk_model_next_due_ns(&dm->base);
    struct itimerspec when = {0};
    if (dm->timer_fd < 0 || next_ns == dm->armed_ns)
        return;
    dm->armed_ns = next_ns;
    if (next_ns != UINT64_MAX) {
        if (next_ns == 0)
            next_ns = 1; /* 0 would switch the timer off */
        when.it_value = clock_timespec(next_ns);
    }
    int rc = timerfd_settime(dm->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(rc == 0);
    (void)rc;
}

/* Reads a part of the image. Returns 0 or -errno; what is beyond the end stays as it is. */
static int32_t read_image(const struct disk_io *io, uint64_t offset_bytes, void *to, size_t bytes)
{
    ssize_t got;
    do
        got = pread(io->image->fd, to, bytes, (off_t)offset_bytes);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    uint64_t end_bytes = io->offset_bytes + io->expected_bytes;
    size_t wanted = end_bytes < offset_bytes           ? 0
                    : end_bytes - offset_bytes < bytes ? (size_t)(end_bytes - offset_bytes)
                                                       : bytes;
    return (size_t)got >= wanted ? 0 : -EIO;
}

/* Carries out a part of a read or write that lies in one piece of memory. */
static int32_t move(const struct disk_model *dm, const struct disk_io *io, uint64_t offset_bytes,
                    void *data, size_t bytes)
{
    int32_t rc = 0;
    if (io->operation == DISK_WRITE)
        return disk_contents_write(dm->contents, io->image, offset_bytes, data, bytes);
    if (dm->data == DISK_MODEL_IMAGE)
        rc = read_image(io, offset_bytes, data, bytes);
    else
        disk_pattern_fill(data, offset_bytes, (uint32_t)bytes);
    if (rc == 0)
        disk_contents_read(dm->contents, io->image, offset_bytes, data, bytes);
    return rc;
}

/* The first bytes of the operation. */
static int32_t carry_out(const struct disk_model *dm, const struct disk_io *io, uint32_t bytes)
{
    uint64_t offset_bytes = io->offset_bytes;
    int32_t rc = 0;
    if (io->operation == DISK_FLUSH)
        return disk_contents_flush(dm->contents, io->image, io->covers);
    if (io->expected_bytes == 0)
        return -EIO; /* beyond the end */
    if (io->operation == DISK_DISCARD)
        return disk_contents_write(dm->contents, io->image, offset_bytes, NULL, bytes);
    if (io->iov_count == 0)
        return move(dm, io, offset_bytes, io->buffer, bytes);
    for (uint32_t i = 0; i < io->iov_count && bytes > 0 && rc == 0; i++) {
        uint32_t part = io->iov[i].iov_len < bytes ? (uint32_t)io->iov[i].iov_len : bytes;
        rc = move(dm, io, offset_bytes, io->iov[i].iov_base, part);
        offset_bytes += part;
        bytes -= part;
    }
    return rc;
}

/* In whole sectors. A short read leaves the rest of its memory to chance: here, where that is a
 * buffer, to a value that nobody takes for data. */
static int32_t carry_out_half(const struct disk_model *dm, const struct disk_io *io)
{
    uint32_t half_bytes = io->length_bytes / 2 & ~(BLOCK_SECTOR_BYTES - 1u);
    if (half_bytes > 0)
        (void)carry_out(dm, io, half_bytes);
    if (io->operation == DISK_READ && io->iov_count == 0)
        memset((char *)io->buffer + half_bytes, 0xdb, io->length_bytes - half_bytes);
    return -EIO;
}

/* Until an operation is over its status holds its fate. */
static void finish(const struct disk_model *dm, struct disk_io *io)
{
    switch ((enum disk_model_fate)io->status) {
    case DISK_MODEL_SERVED:
        io->status = carry_out(dm, io, io->length_bytes);
        break;
    case DISK_MODEL_SHORT:
        io->status = carry_out_half(dm, io);
        break;
    case DISK_MODEL_ERROR:
    case DISK_MODEL_STUCK: /* not in the due queue */
        io->status = -EIO;
        break;
    }
    io->done(io);
}

/*
 * First takes out what is due, then finishes it: what done submits is never part of this round, so
 * that a model without service time can't keep the loop here for ever.
 */
uint32_t disk_model_expire(struct disk *disk)
{
    struct disk_model *dm = of_disk(disk);
    uint64_t now_ns = dm->clock.now_ns(dm->clock.ctx);
    struct disk_io *due = NULL, **last = &due, *io;
    uint32_t finished = 0;
    while ((io = first_due(dm)) != NULL && io->due_ns <= now_ns) {
        heap_remove(&dm->due, &io->due);
        io->next = NULL;
        *last = io;
        last = &io->next;
    }
    dm->is_expiring = true;
    while ((io = due) != NULL) {
        due = io->next;
        finish(dm, io);
        finished++;
    }
    dm->is_expiring = false;
    arm_timer(dm);
    return finished;
}

static void on_timer(void *ctx, uint32_t revents)
{
    struct disk_model *dm = ctx;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(dm->poller, -EIO, "the timer of the model engine");
    dm->armed_ns = UINT64_MAX;
    disk_model_expire(&dm->base);
}

static void model_submit(struct disk *disk, struct disk_io *io)
{
    struct disk_model *dm = of_disk(disk);
    uint64_t now_ns = dm->clock.now_ns(dm->clock.ctx);
    if (io->arrival_ns != 0)
        now_ns = io->arrival_ns;
    if (now_ns > dm->arrived_ns)
        dm->arrived_ns = now_ns;
    struct disk_model_outcome outcome =
        disk_model_law_arrive(dm->law, dm->arrived_ns, io->operation, io->offset_bytes,
                              io->operation == DISK_DISCARD ? 0 : io->length_bytes);
    disk_span_begin(io);
    io->covers = disk_contents_changes(dm->contents);
    io->due_ns = outcome.due_ns;
    io->status = (int32_t)outcome.fate;
    if (outcome.fate == DISK_MODEL_STUCK) {
        io->next = dm->stuck;
        dm->stuck = io;
        return;
    }
    heap_insert(&dm->due, &io->due, io->due_ns);
    if (!dm->is_expiring)
        arm_timer(dm);
}

static void cancel(struct disk_io *io, int32_t status)
{
    io->status = status;
    io->done(io);
}

/* Takes out one that is at the disk; NULL: none is. */
static struct disk_io *take_any(struct disk_model *dm)
{
    struct disk_io *io = first_due(dm);
    if (io != NULL) {
        heap_remove(&dm->due, &io->due);
    } else if (dm->stuck != NULL) {
        io = dm->stuck;
        dm->stuck = io->next;
    }
    return io;
}

int disk_model_add_volatile_cache(struct disk *disk)
{
    struct disk_model *dm = of_disk(disk);
    struct disk_contents *contents;
    int rc = disk_contents_create(true, &contents);
    if (rc < 0)
        return rc;
    assert(disk_contents_changes(dm->contents) == 0);
    disk_contents_destroy(dm->contents);
    dm->contents = contents;
    return 0;
}

int disk_model_lose_power(struct disk *disk, uint64_t seed)
{
    struct disk_model *dm = of_disk(disk);
    struct prng prng;
    struct disk_io *lost = NULL, *io;
    int rc = 0;
    prng_init(&prng, seed, 0);
    while ((io = take_any(dm)) != NULL) {
        uint32_t sectors = io->length_bytes / BLOCK_SECTOR_BYTES;
        uint32_t bytes = (uint32_t)prng_below(&prng, sectors + 1) * BLOCK_SECTOR_BYTES;
        if (io->operation == DISK_WRITE && bytes > 0 && io->status != DISK_MODEL_STUCK)
            (void)carry_out(dm, io, bytes);
        io->next = lost;
        lost = io;
    }
    rc = disk_contents_lose_power(dm->contents, &prng);
    while ((io = lost) != NULL) {
        lost = io->next;
        cancel(io, -EIO);
    }
    arm_timer(dm);
    return rc;
}

static void model_destroy(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct disk_model *dm = of_disk(disk);
    poller_remove(dm->poller, dm->watch);
    if (dm->timer_fd >= 0)
        close(dm->timer_fd);
    struct disk_io *io;
    while ((io = take_any(dm)) != NULL)
        cancel(io, -ECANCELED);
    disk_model_law_destroy(dm->law);
    disk_contents_destroy(dm->contents);
    free(dm);
}

int disk_model_create(const struct disk_config *config, const struct disk_model_clock *clock,
                      struct disk **out, struct why *why)
{
    struct disk_model_config model;
    *out = NULL;
    int rc = disk_model_config_parse(config->model, &model, why);
    if (rc < 0)
        return rc;
    struct disk_model *dm = calloc(1, sizeof(*dm));
    if (dm == NULL)
        return why_fail(why, -ENOMEM, "model disk: out of memory");
    dm->base.ops = &disk_model_ops;
    dm->data = model.data;
    dm->clock = *clock;
    dm->timer_fd = -1;
    dm->armed_ns = UINT64_MAX;
    rc = disk_model_law_create(&model, &dm->law);
    if (rc == 0)
        rc = disk_contents_create(false, &dm->contents);
    if (rc < 0) {
        model_destroy(&dm->base);
        return why_fail_errno(why, rc, "model disk");
    }
    *out = &dm->base;
    return 0;
}

static int model_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    const struct disk_model_clock real = {.now_ns = clock_monotonic_fn};
    int rc = disk_model_create(config, config->clock != NULL ? config->clock : &real, out, why);
    if (rc < 0 || config->clock != NULL)
        return rc;
    struct disk_model *dm = of_disk(*out);
    dm->poller = config->poller;
    dm->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    rc = dm->timer_fd < 0 ? -errno
                          : poller_add(dm->poller, dm->timer_fd, POLLIN, on_timer, dm, &dm->watch);
    if (rc == 0)
        return 0;
    model_destroy(*out);
    *out = NULL;
    return why_fail_errno(why, rc, "model disk: can't make its timer");
}

static void model_detach(struct disk *disk, struct image *image)
{
    disk_contents_forget(of_disk(disk)->contents, image);
}

const struct disk_ops disk_model_ops = {
    .name = "model",
    .create = model_create,
    .submit = model_submit,
    .detach = model_detach,
    .destroy = model_destroy,
};
