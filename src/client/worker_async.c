/* SPDX-License-Identifier: MIT */
/* worker_async: the asynchronous mode of a worker: one thread, up to depth requests in flight. */
#include <poll.h>

#include "base/clock.h"
#include "client/worker_private.h"

enum { REAP_MAX = 32, SUBMIT_MAX = 32 };

/* The state of an asynchronous run. */
struct flight {
    uint64_t submitted_count; /* reads and writes */
    uint32_t in_flight;
};

/* What is submitted next, together; it counts as in flight. */
struct batch {
    struct blkfront_io io[SUBMIT_MAX];
    uint32_t count;
};

/* The stack of idle requests: those in flight have left it from its end. */
static struct worker_request *next_idle(const struct worker *worker, const struct flight *flight)
{
    return &worker->requests[worker->idle[worker->shared->depth - flight->in_flight - 1]];
}

static void put_back(struct worker *worker, const struct worker_request *request,
                     struct flight *flight)
{
    flight->in_flight--;
    worker->idle[worker->shared->depth - flight->in_flight - 1] =
        (uint32_t)(request - worker->requests);
}

static void submit(struct worker *worker, struct flight *flight, struct batch *batch)
{
    for (uint32_t done = 0; done < batch->count;) {
        int rc = blkfront_submit_many(worker->shared->bf, &batch->io[done], batch->count - done);
        if (rc > 0) {
            done += (uint32_t)rc;
            continue;
        }
        struct worker_request *request = batch->io[done++].cookie;
        put_back(worker, request, flight);
        worker_conclude(worker, request, rc, 0);
    }
    batch->count = 0;
}

static void add(struct worker *worker, struct flight *flight, struct worker_request *request,
                struct batch *batch)
{
    batch->io[batch->count++] =
        (struct blkfront_io){.operation = request->operation,
                             .sector = request->sector,
                             .sector_count = worker->shared->sectors_per_request,
                             .buffer = request->data,
                             .cookie = request};
    if (request->operation != BLKFRONT_FLUSH)
        flight->submitted_count++;
    flight->in_flight++;
    if (batch->count == SUBMIT_MAX)
        submit(worker, flight, batch);
}

/* May another request be started now? */
static bool may_start(struct worker *worker, const struct flight *flight)
{
    struct worker_shared *shared = worker->shared;

    if (flight->in_flight == shared->depth || worker_stopped(worker))
        return false;
    if (worker_must_flush(worker))
        return true;
    if (flight->submitted_count == worker->request_quota)
        return false;
    if (shared->pace.rate > 0 && blkfront_now_ns(shared->bf) < worker_next_due_ns(worker))
        return false;
    return shared->recorder == NULL ||
           recorder_has_room(shared->recorder,
                             (flight->in_flight + 1) * shared->sectors_per_request);
}

/*
 * Starts requests while there are quota, idle ones and room in the recorder for all reads in
 * flight. So an answer never waits for a full recorder: if it is full, the thread first takes the
 * answers of all reads in flight, and waits for room after that.
 */
static void submit_some(struct worker *worker, struct flight *flight)
{
    struct batch batch;

    batch.count = 0;
    while (may_start(worker, flight)) {
        struct worker_request *request = next_idle(worker, flight);
        if (worker_must_flush(worker))
            worker_choose_flush(worker, request);
        else if (worker_choose(worker, request) < 0)
            break;
        add(worker, flight, request, &batch);
    }
    submit(worker, flight, &batch);
}

static void take(struct worker *worker, const struct blkfront_completion *done,
                 struct flight *flight)
{
    struct worker_request *request = done->cookie;
    uint64_t start_ns = request->due_ns != 0 ? request->due_ns : done->submitted_ns;

    worker_conclude(worker, request, done->status, done->completed_ns - start_ns);
    if (done->completed_ns >= worker->shared->deadline_ns)
        worker->time_is_up = true;
    put_back(worker, request, flight);
}

/* Nothing is in flight, nothing could be started, and yet there is more to do: the recorder is
 * full, or nothing is due. */
static void wait_to_start(struct worker *worker)
{
    struct worker_shared *shared = worker->shared;

    if (shared->pace.rate > 0)
        (void)worker_wait_due(worker);
    if (shared->recorder == NULL)
        return;
    int rc = recorder_wait_room(shared->recorder, &shared->watch, shared->sectors_per_request);
    if (rc < 0)
        worker_lose_record(worker, rc);
}

/* Until an answer is there, or the next request is due. Returns how many answers must be waited
 * for. */
static uint32_t wait_paced(struct worker *worker, const struct flight *flight)
{
    struct worker_shared *shared = worker->shared;
    struct pollfd ready = {.fd = -1, .events = POLLIN};
    uint64_t due_ns = worker_next_due_ns(worker), now_ns;

    if (shared->pace.rate == 0 || flight->in_flight == shared->depth ||
        flight->submitted_count == worker->request_quota || worker_stopped(worker))
        return 1;
    (void)blkfront_kick(shared->bf);
    ready.fd = blkfront_fd(shared->bf);
    if (ready.fd < 0)
        return 1;
    while (!worker_stopped(worker) && (now_ns = blkfront_now_ns(shared->bf)) < due_ns) {
        struct timespec span = clock_timespec(pace_sleep_ns(&shared->pace, due_ns - now_ns));
        if (ppoll(&ready, 1, &span, NULL) > 0)
            break;
    }
    return 0;
}

void worker_run_asynchronous(struct worker *worker)
{
    struct worker_shared *shared = worker->shared;
    struct blkfront_completion done[REAP_MAX];
    struct flight flight = {0};

    for (uint32_t i = 0; i < shared->depth; i++)
        worker->idle[i] = i;
    for (;;) {
        submit_some(worker, &flight);
        if (flight.in_flight == 0) {
            if (flight.submitted_count == worker->request_quota || worker_stopped(worker))
                break;
            wait_to_start(worker);
            continue;
        }
        worker_follow_place(worker);
        int count = blkfront_reap(shared->bf, done, REAP_MAX, wait_paced(worker, &flight));
        if (count < 0) {
            worker_lose_device(worker, count);
            break;
        }
        for (int i = 0; i < count; i++)
            take(worker, &done[i], &flight);
    }
}
