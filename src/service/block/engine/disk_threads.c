/* SPDX-License-Identifier: MIT */
/*
 * disk_threads: a pool of threads that pread and pwrite, for places where io_uring is forbidden.
 * Discards are holes punched by fallocate(2), as in disk_uring.c.
 *
 * Threads: submit, complete and destroy run on the poller's thread; pool_main on the pool's.
 * One mutex guards both lists. An operation belongs to the poller's thread again once it is in the
 * `finished` list; an eventfd tells the poller when that list stops being empty.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/thread.h"
#include "service/block/engine/disk.h"
#include "service/block/engine/disk_span.h"
#include "service/block/engine/image.h"

#define THREADS_MAX 32 /* the device's throughput is flat beyond a queue of that length */

/* First in, first out, through disk_io.next. Bounded by the caller's depth. */
struct io_list {
    struct disk_io *first;
    struct disk_io **last;
};

struct disk_threads {
    struct disk base;
    struct poller *poller;
    struct poller_watch *watch;
    int event_fd;

    pthread_mutex_t mutex;
    pthread_cond_t work;     /* waiting is not empty, or is_stopping */
    struct io_list waiting;  /* under mutex */
    struct io_list finished; /* under mutex */
    bool is_stopping;        /* under mutex */

    uint32_t thread_count;
    pthread_t threads[THREADS_MAX];
};

static struct disk_threads *of_disk(struct disk *disk)
{
    return container_of(disk, struct disk_threads, base);
}

static void list_clear(struct io_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

/* Returns whether the list was empty. */
static bool list_append(struct io_list *list, struct disk_io *io)
{
    bool was_empty = list->first == NULL;
    io->next = NULL;
    *list->last = io;
    list->last = &io->next;
    return was_empty;
}

static struct disk_io *list_take_first(struct io_list *list)
{
    struct disk_io *io = list->first;
    list->first = io->next;
    if (list->first == NULL)
        list->last = &list->first;
    return io;
}

static ssize_t read_image(const struct disk_io *io)
{
    int fd = io->image->fd;
    off_t offset = (off_t)io->offset_bytes;
    return io->iov_count > 0 ? preadv(fd, io->iov, (int)io->iov_count, offset)
                             : pread(fd, io->buffer, io->length_bytes, offset);
}

/* What is left of it. */
static ssize_t write_image(const struct disk_io *io)
{
    int fd = io->image->fd;
    off_t offset = (off_t)(io->offset_bytes + io->ended_bytes);
    return io->iov_count > 0 ? pwritev(fd, io->iov, (int)io->iov_count, offset)
                             : pwrite(fd, (const char *)io->buffer + io->ended_bytes,
                                      io->length_bytes - io->ended_bytes, offset);
}

static ssize_t try_once(const struct disk_io *io)
{
    switch (io->operation) {
    case DISK_READ:
        return read_image(io);
    case DISK_WRITE:
        return write_image(io);
    case DISK_FLUSH:
        return fdatasync(io->image->fd);
    case DISK_DISCARD:
        return fallocate(io->image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         (off_t)io->offset_bytes, io->length_bytes);
    }
    abort(); /* there is no other operation */
}

/* Of the image only what never changes: its size is the poller's thread's. */
static void carry_out(struct disk_io *io)
{
    ssize_t got;
    do {
        do
            got = try_once(io);
        while (got < 0 && errno == EINTR);
    } while (!disk_span_result(io, got < 0 ? -errno : got));
}

static void *pool_main(void *arg)
{
    struct disk_threads *dt = arg;
    pthread_mutex_lock(&dt->mutex);
    for (;;) {
        while (dt->waiting.first == NULL && !dt->is_stopping)
            pthread_cond_wait(&dt->work, &dt->mutex);
        if (dt->waiting.first == NULL)
            break;
        struct disk_io *io = list_take_first(&dt->waiting);
        pthread_mutex_unlock(&dt->mutex);

        carry_out(io);

        pthread_mutex_lock(&dt->mutex);
        if (list_append(&dt->finished, io)) {
            int rc = eventfd_write(dt->event_fd, 1);
            assert(rc == 0); /* 2^64 - 2 lists fit */
            (void)rc;
        }
    }
    pthread_mutex_unlock(&dt->mutex);
    return NULL;
}

static void threads_complete(void *ctx, uint32_t revents)
{
    struct disk_threads *dt = ctx;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(dt->poller, -EIO, "the eventfd of the threads engine");
    /* Each write to the eventfd is an edge: it needs no read. */
    pthread_mutex_lock(&dt->mutex);
    struct disk_io *io = dt->finished.first;
    list_clear(&dt->finished);
    pthread_mutex_unlock(&dt->mutex);
    while (io != NULL) {
        struct disk_io *next = io->next; /* done may submit it again */
        io->done(io);
        io = next;
    }
}

static void threads_submit(struct disk *disk, struct disk_io *io)
{
    struct disk_threads *dt = of_disk(disk);
    disk_span_begin(io);
    pthread_mutex_lock(&dt->mutex);
    list_append(&dt->waiting, io);
    pthread_mutex_unlock(&dt->mutex);
    pthread_cond_signal(&dt->work);
}

static void threads_destroy(struct disk *disk)
{
    if (disk == NULL)
        return;
    struct disk_threads *dt = of_disk(disk);
    pthread_mutex_lock(&dt->mutex);
    dt->is_stopping = true;
    pthread_mutex_unlock(&dt->mutex);
    pthread_cond_broadcast(&dt->work);
    for (uint32_t i = 0; i < dt->thread_count; i++)
        pthread_join(dt->threads[i], NULL);
    assert(dt->waiting.first == NULL && dt->finished.first == NULL);
    poller_remove(dt->poller, dt->watch);
    if (dt->event_fd >= 0)
        close(dt->event_fd);
    pthread_cond_destroy(&dt->work);
    pthread_mutex_destroy(&dt->mutex);
    free(dt);
}

static int start_threads(struct disk_threads *dt, uint32_t wanted)
{
    int rc = 0;
    while (rc == 0 && dt->thread_count < wanted) {
        rc = thread_start(&dt->threads[dt->thread_count], pool_main, dt);
        if (rc == 0)
            dt->thread_count++;
    }
    return rc;
}

static int threads_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    *out = NULL;
    struct disk_threads *dt = calloc(1, sizeof(*dt));
    if (dt == NULL)
        return why_fail(why, -ENOMEM, "threads disk: out of memory");
    dt->base.ops = &disk_threads_ops;
    dt->poller = config->poller;
    list_clear(&dt->waiting);
    list_clear(&dt->finished);
    pthread_mutex_init(&dt->mutex, NULL); /* neither can fail with default attributes */
    pthread_cond_init(&dt->work, NULL);
    const char *what = "can't make an eventfd";
    dt->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = dt->event_fd < 0
                 ? -errno
                 : poller_add(dt->poller, dt->event_fd, POLLIN, threads_complete, dt, &dt->watch);
    if (rc == 0) {
        what = "can't start its threads";
        rc = start_threads(dt, config->depth < THREADS_MAX ? config->depth : THREADS_MAX);
    }
    if (rc < 0) {
        threads_destroy(&dt->base);
        return why_fail_errno(why, rc, "threads disk: %s", what);
    }
    *out = &dt->base;
    return 0;
}

const struct disk_ops disk_threads_ops = {
    .name = "threads",
    .create = threads_create,
    .submit = threads_submit,
    .destroy = threads_destroy,
};
