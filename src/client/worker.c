/* SPDX-License-Identifier: MIT */
#include "client/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { REAP_MAX = 32 };

static size_t request_bytes(const struct worker *worker)
{
    return (size_t)worker->shared->sectors_per_request * RECORDER_SECTOR_BYTES;
}

int worker_init(struct worker *worker)
{
    uint32_t depth = worker->shared->depth > 0 ? worker->shared->depth : 1;

    lat_stats_init(&worker->latency);
    worker->buffers = aligned_alloc(RECORDER_SECTOR_BYTES, depth * request_bytes(worker));
    worker->idle = calloc(depth, sizeof(*worker->idle));
    if (worker->buffers == NULL || worker->idle == NULL) {
        worker_release(worker);
        return -ENOMEM;
    }
    return 0;
}

void worker_release(struct worker *worker)
{
    free(worker->buffers);
    free(worker->idle);
    worker->buffers = NULL;
    worker->idle = NULL;
}

static bool stopped(const struct worker *worker)
{
    return worker->time_is_up || atomic_load(&worker->shared->stop);
}

/* Before each read: see thread_place.h. */
static inline void follow_place(struct worker *worker)
{
    if (thread_place_moved(&worker->shared->place, worker->moves_seen))
        thread_place_follow(&worker->shared->place, &worker->moves_seen);
}

static void lose_device(struct worker *worker, int error)
{
    worker->device_error = error;
    atomic_store(&worker->shared->stop, true);
}

static void lose_record(struct worker *worker, int error)
{
    worker->record_error = error;
    atomic_store(&worker->shared->stop, true);
}

static void flush_dump(struct worker *worker)
{
    struct worker_shared *shared = worker->shared;
    int rc;

    if (shared->dump == NULL || worker->dump_count == 0)
        return;
    stopwatch_enter(&shared->watch);
    rc = latency_dump_add(shared->dump, worker->dump_ns, worker->dump_count);
    stopwatch_leave(&shared->watch);
    worker->dump_count = 0;
    if (rc < 0)
        lose_record(worker, rc);
}

/* A read was answered with its data. */
static void account(struct worker *worker, uint64_t sector, const void *data, uint64_t latency_ns)
{
    struct worker_shared *shared = worker->shared;

    worker->answered_count++;
    lat_stats_add(&worker->latency, latency_ns);
    if (shared->recorder != NULL) {
        int rc = recorder_add(shared->recorder, &shared->watch, sector, shared->sectors_per_request,
                              data);
        if (rc < 0)
            lose_record(worker, rc);
    }
    if (shared->dump != NULL) {
        worker->dump_ns[worker->dump_count++] = latency_ns;
        if (worker->dump_count == LATENCY_DUMP_BATCH)
            flush_dump(worker);
    }
}

/* Is it an error of this one read, while the device works on? */
static bool is_of_read(int rc)
{
    return rc == -EIO || rc == -EOPNOTSUPP || rc == -EINVAL;
}

static void account_failure(struct worker *worker, uint64_t sector, int error)
{
    worker->answered_count++;
    read_failures_add(&worker->shared->failures, sector, worker->shared->sectors_per_request,
                      error);
}

static void run_blocking(struct worker *worker)
{
    struct worker_shared *shared = worker->shared;

    while (worker->answered_count < worker->request_quota && !stopped(worker)) {
        follow_place(worker);
        uint64_t sector = pattern_next(&worker->pattern);
        uint64_t start_ns = blkfront_now_ns(shared->bf);
        int rc = blkfront_read(shared->bf, sector, shared->sectors_per_request, worker->buffers);
        uint64_t end_ns = blkfront_now_ns(shared->bf);

        if (rc == 0)
            account(worker, sector, worker->buffers, end_ns - start_ns);
        else if (is_of_read(rc))
            account_failure(worker, sector, rc);
        else
            lose_device(worker, rc);
        worker->time_is_up = end_ns >= shared->deadline_ns;
    }
}

/*
 * Starts reads while there are quota, idle buffers and room in the recorder for all reads in
 * flight. So an answer never waits for a full recorder: if it is full, the thread first takes the
 * answers of all reads in flight, and waits for room after that. Returns false when the device is
 * lost.
 */
static bool submit_some(struct worker *worker, uint64_t *submitted_count, uint32_t *in_flight)
{
    struct worker_shared *shared = worker->shared;
    uint32_t sectors = shared->sectors_per_request;

    while (*submitted_count < worker->request_quota && *in_flight < shared->depth &&
           !stopped(worker)) {
        if (shared->recorder != NULL &&
            !recorder_has_room(shared->recorder, (*in_flight + 1) * sectors))
            return true;
        uint32_t slot = worker->idle[shared->depth - *in_flight - 1];
        unsigned char *buffer = worker->buffers + slot * request_bytes(worker);
        uint64_t sector = pattern_next(&worker->pattern);
        int rc = blkfront_submit(shared->bf, sector, sectors, buffer, NULL);

        (*submitted_count)++;
        if (is_of_read(rc)) {
            account_failure(worker, sector, rc);
        } else if (rc < 0) {
            lose_device(worker, rc);
            return false;
        } else {
            (*in_flight)++;
        }
    }
    return true;
}

static void take(struct worker *worker, const struct blkfront_completion *done, uint32_t *in_flight)
{
    size_t offset = (size_t)((unsigned char *)done->buffer - worker->buffers);

    if (done->status == 0)
        account(worker, done->sector, done->buffer, done->completed_ns - done->submitted_ns);
    else if (is_of_read(done->status))
        account_failure(worker, done->sector, done->status);
    else
        lose_device(worker, done->status);
    if (done->completed_ns >= worker->shared->deadline_ns)
        worker->time_is_up = true;
    (*in_flight)--;
    worker->idle[worker->shared->depth - *in_flight - 1] =
        (uint32_t)(offset / request_bytes(worker));
}

static void run_asynchronous(struct worker *worker)
{
    struct worker_shared *shared = worker->shared;
    struct blkfront_completion done[REAP_MAX];
    uint64_t submitted_count = 0;
    uint32_t in_flight = 0;

    for (uint32_t i = 0; i < shared->depth; i++)
        worker->idle[i] = i;
    while (submit_some(worker, &submitted_count, &in_flight)) {
        if (in_flight == 0) {
            if (submitted_count == worker->request_quota || stopped(worker))
                break;
            /* Nothing could be started: the recorder is full. */
            int rc =
                recorder_wait_room(shared->recorder, &shared->watch, shared->sectors_per_request);
            if (rc < 0)
                lose_record(worker, rc);
            continue;
        }
        follow_place(worker);
        int count = blkfront_reap(shared->bf, done, REAP_MAX, 1);
        if (count < 0) {
            lose_device(worker, count);
            break;
        }
        for (int i = 0; i < count; i++)
            take(worker, &done[i], &in_flight);
    }
}

/*
 * Threads that are answered together wake each other in turn (blkfront_wait.c). If each woken
 * thread preempts the thread that woke it, or Dom0, then all of them run before Dom0 can send the
 * first of their next requests to the disk, and the disk idles until then. Under SCHED_BATCH a
 * woken thread does not preempt; nothing else changes. A single thread must preempt: Dom0 can only
 * wait for that thread. With many threads the disk has enough requests anyway.
 */
static void yield_to_others(const struct worker *worker)
{
    enum { THREADS_MIN = 3, THREADS_MAX = 32 };
    const struct sched_param none = {0};
    struct sched_param param;
    int policy;

    if (worker->shared->thread_count < THREADS_MIN || worker->shared->thread_count > THREADS_MAX)
        return;
    if (pthread_getschedparam(pthread_self(), &policy, &param) == 0 && policy == SCHED_OTHER)
        (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none); /* a matter of speed */
}

void worker_run(struct worker *worker)
{
    yield_to_others(worker);
    if (worker->shared->depth > 0)
        run_asynchronous(worker);
    else
        run_blocking(worker);
    flush_dump(worker);
    stopwatch_retire(&worker->shared->watch);
}
