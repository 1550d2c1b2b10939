/* SPDX-License-Identifier: MIT */
/*
 * The queue: records head..tail-1 (free-running) are in the slots index % capacity. Slots
 * are filled under the lock, so the order of the lock is the order of the files, and all of
 * head..tail-1 is complete. The one thread that has set `writing` reads the chunk at head without
 * the lock: nobody else writes to these slots before head has moved past them.
 */
#include "client/recorder.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"
#include "client/output_file.h"
#include "client/text_sink.h"

enum recorder_file {
    FILE_SECTORS,
    FILE_READ,
    FILE_COUNT,
};

static const char *const file_prefix[FILE_COUNT] = {"sectors", "read"};

struct output {
    char *path;
    int fd;
    uint64_t good_bytes; /* length up to the last whole chunk */
};

struct recorder {
    struct output outputs[FILE_COUNT];
    pthread_mutex_t lock;    /* guards everything below but the slots of a chunk being written */
    pthread_cond_t has_room; /* head moved, or error */
    pthread_cond_t has_work; /* a chunk is complete, or closing: for the writer thread */
    uint64_t head;           /* records in the files */
    uint64_t tail;           /* records added */
    bool writing;
    bool closing;
    bool has_writer;
    int error;                   /* first failure, negative */
    enum recorder_file error_at; /* where */
    pthread_t writer;
    char text[RECORDER_CHUNK * TEXT_SINK_LINE_MAX]; /* of the thread that has set writing */
    uint32_t capacity; /* records, a multiple of RECORDER_CHUNK; constant */
    uint64_t *sectors; /* capacity of them */
    unsigned char (*data)[RECORDER_SECTOR_BYTES]; /* capacity of them */
};

/* Writes count records from slot on to both files. Returns 0, or -errno and the file at fault. */
static int write_chunk(struct recorder *r, uint32_t slot, uint32_t count, enum recorder_file *at)
{
    size_t text_bytes = 0;
    int rc;

    *at = FILE_READ;
    rc = text_sink_write(r->outputs[FILE_READ].fd, r->data[slot],
                         (size_t)count * RECORDER_SECTOR_BYTES);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        text_bytes += text_sink_format(r->text + text_bytes, r->sectors[slot + i]);
    *at = FILE_SECTORS;
    rc = text_sink_write(r->outputs[FILE_SECTORS].fd, r->text, text_bytes);
    if (rc < 0)
        return rc;
    r->outputs[FILE_READ].good_bytes += (uint64_t)count * RECORDER_SECTOR_BYTES;
    r->outputs[FILE_SECTORS].good_bytes += text_bytes;
    return 0;
}

/* Lock held on entry and exit, released while writing. Writes the oldest chunk, which may be
 * incomplete. Nobody else may be writing. */
static void write_oldest(struct recorder *r)
{
    uint64_t waiting = r->tail - r->head;
    uint32_t count = waiting < RECORDER_CHUNK ? (uint32_t)waiting : RECORDER_CHUNK;
    uint32_t slot = (uint32_t)(r->head % r->capacity);
    enum recorder_file at;
    int rc;

    assert(!r->writing);
    r->writing = true;
    pthread_mutex_unlock(&r->lock);
    rc = write_chunk(r, slot, count, &at);
    pthread_mutex_lock(&r->lock);
    if (rc == 0) {
        r->head += count;
    } else {
        r->error = rc;
        r->error_at = at;
    }
    r->writing = false;
    pthread_cond_broadcast(&r->has_room);
}

static bool has_chunk(const struct recorder *r)
{
    return r->error == 0 && !r->writing && r->tail - r->head >= RECORDER_CHUNK;
}

static void *writer_main(void *argument)
{
    struct recorder *r = argument;

    pthread_mutex_lock(&r->lock);
    while (!r->closing) {
        if (has_chunk(r))
            write_oldest(r);
        else
            pthread_cond_wait(&r->has_work, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static bool has_room(const struct recorder *r, uint32_t sector_count)
{
    return r->tail - r->head + sector_count <= r->capacity;
}

/* Lock held on entry and exit. A full queue holds a whole chunk. If nobody writes it, this thread
 * does: so the threads can't all wait for each other. */
static void wait_room(struct recorder *r, struct stopwatch *watch, uint32_t sector_count)
{
    stopwatch_enter(watch);
    while (r->error == 0 && !has_room(r, sector_count)) {
        if (!r->has_writer && has_chunk(r))
            write_oldest(r);
        else
            pthread_cond_wait(&r->has_room, &r->lock);
    }
    stopwatch_leave(watch);
}

int recorder_add(struct recorder *r, struct stopwatch *watch, uint64_t first_sector,
                 uint32_t sector_count, const void *data)
{
    const unsigned char *next = data;
    int rc;

    assert(sector_count <= RECORDER_CHUNK);
    pthread_mutex_lock(&r->lock);
    if (r->error == 0 && !has_room(r, sector_count))
        wait_room(r, watch, sector_count);
    rc = r->error;
    if (rc < 0)
        goto out;
    for (uint32_t i = 0; i < sector_count; i++) {
        uint32_t slot = (uint32_t)((r->tail + i) % r->capacity);
        r->sectors[slot] = first_sector + i;
        memcpy(r->data[slot], next, RECORDER_SECTOR_BYTES);
        next += RECORDER_SECTOR_BYTES;
    }
    r->tail += sector_count;
    if (!has_chunk(r))
        goto out;
    if (r->has_writer) {
        pthread_cond_signal(&r->has_work);
        goto out;
    }
    stopwatch_enter(watch);
    write_oldest(r);
    stopwatch_leave(watch);
    rc = r->error;
out:
    pthread_mutex_unlock(&r->lock);
    return rc;
}

bool recorder_has_room(struct recorder *r, uint32_t sector_count)
{
    bool yes;

    pthread_mutex_lock(&r->lock);
    yes = has_room(r, sector_count) || r->error != 0;
    pthread_mutex_unlock(&r->lock);
    return yes;
}

int recorder_wait_room(struct recorder *r, struct stopwatch *watch, uint32_t sector_count)
{
    int rc;

    assert(r->has_writer && sector_count <= RECORDER_CHUNK);
    pthread_mutex_lock(&r->lock);
    wait_room(r, watch, sector_count);
    rc = r->error;
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static int explain(const struct output *output, int error, const char *verb, struct why *why)
{
    const char *advice = "choose another current directory, or --no-record";

    if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG)
        advice = "make room or raise the limit, or use --no-record";
    if (error == -EBUSY)
        advice =
            "a client with the same process number writes there: choose another current directory";
    return why_fail(why, error, "cannot %s %s: %s: %s", verb, output->path, strerror(-error),
                    advice);
}

/* After a failure: cuts both files back to the chunks that are whole in both. Could it? */
static bool cut_back(struct recorder *r)
{
    bool done = true;
    for (int i = 0; i < FILE_COUNT; i++) {
        const struct output *output = &r->outputs[i];
        done &= ftruncate(output->fd, (off_t)output->good_bytes) == 0;
    }
    return done;
}

static void release(struct recorder *r)
{
    for (int i = 0; i < FILE_COUNT; i++) {
        if (r->outputs[i].fd >= 0)
            close(r->outputs[i].fd);
        free(r->outputs[i].path);
    }
    free(r->sectors);
    free(r->data);
    pthread_cond_destroy(&r->has_work);
    pthread_cond_destroy(&r->has_room);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static int open_output(struct output *output, const char *prefix,
                       const struct recorder_options *options)
{
    if (asprintf(&output->path, "%s/%s.%ld", options->directory, prefix, (long)options->pid) < 0) {
        output->path = NULL;
        return -ENOMEM;
    }
    int fd = output_file_open(output->path, false);
    if (fd >= 0)
        output->fd = fd;
    return fd < 0 ? fd : 0;
}

/* The queue holds `room` records beside a chunk that is on its way to the files. */
static int allocate_queue(struct recorder *r, uint32_t room)
{
    uint32_t chunks = (room + RECORDER_CHUNK - 1) / RECORDER_CHUNK + 1;

    r->capacity = chunks * RECORDER_CHUNK;
    if (r->capacity < RECORDER_CAPACITY_MIN)
        r->capacity = RECORDER_CAPACITY_MIN;
    r->sectors = calloc(r->capacity, sizeof(*r->sectors));
    r->data = calloc(r->capacity, sizeof(*r->data));
    return r->sectors == NULL || r->data == NULL ? -ENOMEM : 0;
}

static int open_outputs(struct recorder *r, const struct recorder_options *options, struct why *why)
{
    for (int i = 0; i < FILE_COUNT; i++) {
        int rc = open_output(&r->outputs[i], file_prefix[i], options);
        if (rc < 0 && r->outputs[i].path == NULL)
            return why_fail(why, rc, "no memory for the recorder");
        if (rc < 0)
            return explain(&r->outputs[i], rc, "create", why);
    }
    return 0;
}

int recorder_open(const struct recorder_options *options, struct recorder **out, struct why *why)
{
    struct recorder *r = calloc(1, sizeof(*r));
    int rc;

    *out = NULL;
    if (r == NULL)
        return why_fail(why, -ENOMEM, "no memory for the recorder");
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->has_room, NULL);
    pthread_cond_init(&r->has_work, NULL);
    r->outputs[FILE_SECTORS].fd = r->outputs[FILE_READ].fd = -1;
    rc = allocate_queue(r, options->room);
    if (rc < 0)
        why_fail(why, rc, "no memory for the recorder");
    else
        rc = open_outputs(r, options, why);
    if (rc == 0 && options->writer_thread) {
        rc = thread_start(&r->writer, writer_main, r);
        r->has_writer = rc == 0;
        if (rc < 0)
            why_fail_errno(why, rc, "cannot start the recorder's thread");
    }
    if (rc < 0) {
        recorder_discard(r);
        return rc;
    }
    *out = r;
    return 0;
}

static void stop_writer(struct recorder *r)
{
    if (!r->has_writer)
        return;
    pthread_mutex_lock(&r->lock);
    r->closing = true;
    pthread_cond_signal(&r->has_work);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->writer, NULL);
}

int recorder_close(struct recorder *r, uint64_t *record_count, struct why *why)
{
    int rc;

    *record_count = 0;
    if (r == NULL)
        return 0;
    stop_writer(r);
    pthread_mutex_lock(&r->lock);
    while (r->error == 0 && r->head != r->tail)
        write_oldest(r);
    pthread_mutex_unlock(&r->lock);
    bool ends_known = r->error == 0 || cut_back(r);
    for (int i = 0; i < FILE_COUNT; i++) {
        /* Some file systems report a failed write only here. */
        int closed = close(r->outputs[i].fd);
        r->outputs[i].fd = -1;
        if (closed == 0)
            continue;
        ends_known = false;
        if (r->error == 0) {
            r->error = -errno;
            r->error_at = (enum recorder_file)i;
        }
    }
    rc = r->error;
    if (rc < 0)
        explain(&r->outputs[r->error_at], rc, "write", why);
    *record_count = ends_known ? r->head : RECORDER_COUNT_UNKNOWN;
    release(r);
    return rc;
}

void recorder_discard(struct recorder *r)
{
    if (r == NULL)
        return;
    stop_writer(r);
    for (int i = 0; i < FILE_COUNT; i++) {
        if (r->outputs[i].fd >= 0)
            output_file_remove(r->outputs[i].path, r->outputs[i].fd);
    }
    release(r);
}
