/* SPDX-License-Identifier: MIT */
#include "client/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "client/worker_private.h"

static size_t request_bytes(const struct worker *worker)
{
    return (size_t)worker->shared->sectors_per_request * RECORDER_SECTOR_BYTES;
}

static uint32_t request_count(const struct worker *worker)
{
    return worker->shared->depth > 0 ? worker->shared->depth : 1;
}

/* What is written where nothing is verified: bytes that differ from sector to sector. */
static void fill_buffers(struct worker *worker)
{
    struct prng prng;
    size_t bytes = request_count(worker) * request_bytes(worker);

    prng_init(&prng, worker->index, bytes);
    for (size_t i = 0; i < bytes; i++)
        worker->buffers[i] = (unsigned char)prng_next(&prng);
}

static int init_counts(struct worker *worker)
{
    if (worker->shared->write_percent == 0)
        return 0;
    worker->counts = calloc(1, sizeof(*worker->counts));
    if (worker->counts == NULL)
        return -ENOMEM;
    lat_stats_init(&worker->counts->read);
    lat_stats_init(&worker->counts->write);
    lat_stats_init(&worker->counts->flush);
    fill_buffers(worker);
    return 0;
}

int worker_init(struct worker *worker)
{
    const struct worker_shared *shared = worker->shared;
    uint32_t count = request_count(worker), sectors = shared->sectors_per_request;
    bool verifies = shared->verifier != NULL;

    lat_stats_init(&worker->latency);
    worker->buffers = aligned_alloc(RECORDER_SECTOR_BYTES, count * request_bytes(worker));
    worker->idle = calloc(count, sizeof(*worker->idle));
    worker->requests = calloc(count, sizeof(*worker->requests));
    worker->before = verifies ? calloc((size_t)count * sectors, sizeof(*worker->before)) : NULL;
    if (worker->buffers == NULL || worker->idle == NULL || worker->requests == NULL ||
        (verifies && worker->before == NULL) || init_counts(worker) < 0) {
        worker_release(worker);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        worker->requests[i].data = worker->buffers + i * request_bytes(worker);
        worker->requests[i].before = verifies ? worker->before + (size_t)i * sectors : NULL;
    }
    return 0;
}

void worker_release(struct worker *worker)
{
    free(worker->buffers);
    free(worker->idle);
    free(worker->requests);
    free(worker->before);
    free(worker->counts);
    worker->buffers = NULL;
    worker->idle = NULL;
    worker->requests = NULL;
    worker->before = NULL;
    worker->counts = NULL;
}

static int perform(struct worker *worker, const struct worker_request *request)
{
    struct worker_shared *shared = worker->shared;
    uint32_t sectors = shared->sectors_per_request;

    if (request->operation == BLKFRONT_FLUSH)
        return blkfront_flush(shared->bf);
    if (request->operation == BLKFRONT_WRITE)
        return blkfront_write(shared->bf, request->sector, sectors, request->data);
    return blkfront_read(shared->bf, request->sector, sectors, request->data);
}

bool worker_wait_due(struct worker *worker)
{
    const struct worker_shared *shared = worker->shared;
    uint64_t due_ns = worker_next_due_ns(worker), now_ns;

    if (due_ns >= shared->deadline_ns)
        worker->time_is_up = true;
    while (!worker_stopped(worker) && (now_ns = blkfront_now_ns(shared->bf)) < due_ns)
        pace_sleep(pace_sleep_ns(&shared->pace, due_ns - now_ns));
    return !worker_stopped(worker);
}

static void do_one(struct worker *worker, struct worker_request *request)
{
    struct worker_shared *shared = worker->shared;
    uint64_t start_ns = request->due_ns != 0 ? request->due_ns : blkfront_begin_ns(shared->bf);
    int rc = perform(worker, request);
    uint64_t end_ns = blkfront_now_ns(shared->bf);

    worker_conclude(worker, request, rc, end_ns - start_ns);
    courtesy_step(&worker->courtesy);
    worker->time_is_up = end_ns >= shared->deadline_ns;
}

static void run_blocking(struct worker *worker)
{
    struct worker_request *request = &worker->requests[0];
    bool paced = worker->shared->pace.rate > 0;

    while (worker->answered_count < worker->request_quota && !worker_stopped(worker)) {
        worker_follow_place(worker);
        if (paced && !worker_wait_due(worker))
            break;
        if (worker_choose(worker, request) < 0)
            break;
        do_one(worker, request);
        if (worker_must_flush(worker) && worker->device_error == 0) {
            worker_choose_flush(worker, request);
            do_one(worker, request);
        }
    }
}

void worker_run(struct worker *worker)
{
    courtesy_begin(&worker->courtesy, &worker->shared->courtesy, worker->shared->thread_count);
    if (worker->shared->pace.rate > 0)
        pace_sharpen();
    if (worker->shared->depth > 0)
        worker_run_asynchronous(worker);
    else
        run_blocking(worker);
    worker_flush_dump(worker);
    stopwatch_retire(&worker->shared->watch);
}
