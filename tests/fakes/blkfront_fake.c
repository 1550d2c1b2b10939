/* SPDX-License-Identifier: MIT */
/*
 * blkfront_fake: the blkfront API straight on an image file, without ring and service. The client
 * program links against it in place of the library where a test is about the program alone.
 *
 * Steered by the environment:
 *   FAKE_IMAGE       the image; unset: connecting fails as if no service ran
 *   FAKE_DIE_AFTER   every call fails with -ENOTCONN after so many answers, reads in flight too
 *   FAKE_EIO_EVERY   every so-manieth answer is -EIO
 *   FAKE_READ_ONLY   set: the disk is
 *   FAKE_DELAY_NS    how long an answer takes
 *   FAKE_LOSE_EVERY  every so-manieth write is answered and not done
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "splitdom/blkfront.h"

enum { DEPTH_MAX = 512 };

struct blkfront {
    int fd;
    bool read_only; /* as the image is */
    uint64_t last_sector;
    uint64_t die_after, eio_every, lose_every; /* 0: never */
    uint64_t delay_ns;
    int ready_fd; /* always readable */
    uint64_t writes;
    pthread_mutex_t lock;
    struct blkfront_stats stats;
    struct blkfront_completion waiting[DEPTH_MAX]; /* submitted, not reaped */
    uint32_t waiting_count;
};

static uint64_t number_from(const char *variable)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

int blkfront_connect(const struct blkfront_options *options, struct blkfront **out,
                     struct blkfront_error *why)
{
    const char *image = getenv("FAKE_IMAGE");
    struct blkfront *bf = calloc(1, sizeof(*bf));
    struct stat st;

    *out = NULL;
    assert(options->depth <= DEPTH_MAX);
    if (bf != NULL)
        bf->read_only = getenv("FAKE_READ_ONLY") != NULL;
    if (bf == NULL || image == NULL ||
        (bf->fd = open(image, (bf->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC)) < 0 ||
        fstat(bf->fd, &st) != 0) {
        snprintf(why->text, sizeof(why->text), "no service here: start it with service start");
        free(bf);
        return -ENOENT;
    }
    bf->last_sector = (uint64_t)st.st_size / 512 - 1;
    bf->die_after = number_from("FAKE_DIE_AFTER");
    bf->eio_every = number_from("FAKE_EIO_EVERY");
    bf->delay_ns = number_from("FAKE_DELAY_NS");
    bf->ready_fd = eventfd(1, EFD_CLOEXEC);
    bf->lose_every = number_from("FAKE_LOSE_EVERY");
    bf->stats.ring_entries = DEPTH_MAX;
    bf->stats.depth = options->depth;
    pthread_mutex_init(&bf->lock, NULL);
    *out = bf;
    return 0;
}

int blkfront_geometry(struct blkfront *bf, struct blkfront_geometry *out)
{
    *out = (struct blkfront_geometry){.last_sector = bf->last_sector,
                                      .sector_size = 512,
                                      .physical_sector_size = 4096,
                                      .read_only = bf->read_only,
                                      .flush = true};
    return 0;
}

static bool is_dead(const struct blkfront *bf)
{
    return bf->die_after > 0 && bf->stats.responses >= bf->die_after;
}

static int answer(struct blkfront *bf)
{
    const struct timespec delay = clock_timespec(bf->delay_ns);
    int rc = 0;

    if (bf->delay_ns > 0)
        nanosleep(&delay, NULL);

    pthread_mutex_lock(&bf->lock);
    if (is_dead(bf))
        rc = -ENOTCONN;
    else if (++bf->stats.responses, bf->eio_every > 0 && bf->stats.responses % bf->eio_every == 0)
        rc = -EIO;
    pthread_mutex_unlock(&bf->lock);
    return rc;
}

int blkfront_read(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer)
{
    const size_t bytes = (size_t)sector_count * 512;
    const int rc = answer(bf);

    if (rc == 0 && pread(bf->fd, buffer, bytes, (off_t)(sector * 512)) != (ssize_t)bytes)
        return -EINVAL;
    return rc;
}

int blkfront_write(struct blkfront *bf, uint64_t sector, uint32_t sector_count, const void *buffer)
{
    const size_t bytes = (size_t)sector_count * 512;
    const int rc = bf->read_only ? -EROFS : answer(bf);

    if (rc < 0 || (bf->lose_every > 0 && ++bf->writes % bf->lose_every == 0))
        return rc;
    return pwrite(bf->fd, buffer, bytes, (off_t)(sector * 512)) == (ssize_t)bytes ? 0 : -EINVAL;
}

int blkfront_flush(struct blkfront *bf)
{
    return answer(bf);
}

int blkfront_submit_io(struct blkfront *bf, const struct blkfront_io *io)
{
    if (is_dead(bf))
        return -ENOTCONN;
    if (bf->waiting_count == DEPTH_MAX)
        return -EAGAIN;
    bf->waiting[bf->waiting_count++] = (struct blkfront_completion){
        .sector = io->sector,
        .sector_count = io->sector_count,
        .operation = io->operation,
        .buffer = io->buffer,
        .cookie = io->cookie,
        .submitted_ns = blkfront_now_ns(bf),
    };
    return 0;
}

int blkfront_submit_many(struct blkfront *bf, const struct blkfront_io *ios, uint32_t count)
{
    uint32_t done = 0;
    int rc = 0;
    while (done < count && (rc = blkfront_submit_io(bf, &ios[done])) == 0)
        done++;
    return done > 0 ? (int)done : rc;
}

int blkfront_submit(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer,
                    void *cookie)
{
    return blkfront_submit_io(bf, &(struct blkfront_io){.operation = BLKFRONT_READ,
                                                        .sector = sector,
                                                        .sector_count = sector_count,
                                                        .buffer = buffer,
                                                        .cookie = cookie});
}

int blkfront_fd(struct blkfront *bf)
{
    return bf->ready_fd;
}

int blkfront_kick(struct blkfront *bf)
{
    (void)bf;
    return 0;
}

static int perform(struct blkfront *bf, const struct blkfront_completion *io)
{
    if (io->operation == BLKFRONT_FLUSH)
        return blkfront_flush(bf);
    if (io->operation == BLKFRONT_WRITE)
        return blkfront_write(bf, io->sector, (uint32_t)io->sector_count, io->buffer);
    return blkfront_read(bf, io->sector, (uint32_t)io->sector_count, io->buffer);
}

/* The latest first: answers come in any order. */
int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min)
{
    uint32_t count = 0;

    (void)min;
    if (is_dead(bf) && bf->waiting_count == 0)
        return -ENOTCONN;
    while (count < max && bf->waiting_count > 0) {
        struct blkfront_completion *done = &bf->waiting[--bf->waiting_count];
        done->status = perform(bf, done);
        done->completed_ns = blkfront_now_ns(bf);
        out[count++] = *done;
    }
    return (int)count;
}

uint64_t blkfront_now_ns(struct blkfront *bf)
{
    (void)bf;
    return clock_monotonic_ns();
}

uint64_t blkfront_begin_ns(struct blkfront *bf)
{
    (void)bf;
    return clock_monotonic_ns();
}

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out)
{
    pthread_mutex_lock(&bf->lock);
    *out = bf->stats;
    pthread_mutex_unlock(&bf->lock);
}

const char *blkfront_failure(struct blkfront *bf)
{
    (void)bf;
    return "Dom0 is gone";
}

void blkfront_close(struct blkfront *bf)
{
    if (bf == NULL)
        return;
    close(bf->fd);
    close(bf->ready_fd);
    pthread_mutex_destroy(&bf->lock);
    free(bf);
}
