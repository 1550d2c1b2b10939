/* SPDX-License-Identifier: MIT */
/* worker_request: a request of a worker, from its choice to its end, and what is counted of it. */
#include <errno.h>
#include <string.h>

#include "client/worker_private.h"

void worker_lose_device(struct worker *worker, int error)
{
    worker->device_error = error;
    atomic_store(&worker->shared->stop, true);
}

void worker_lose_record(struct worker *worker, int error)
{
    worker->record_error = error;
    atomic_store(&worker->shared->stop, true);
}

void worker_flush_dump(struct worker *worker)
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
        worker_lose_record(worker, rc);
}

static void lose_verify(struct worker *worker, int error)
{
    worker->verify_error = error;
    atomic_store(&worker->shared->stop, true);
}

/* Records and judges what a read has brought. */
static void take_data(struct worker *worker, const struct worker_request *request)
{
    struct worker_shared *shared = worker->shared;
    uint32_t sectors = shared->sectors_per_request;
    int rc = 0;

    if (shared->verifier != NULL &&
        verifier_end_read(shared->verifier, request->sector, sectors, request->before,
                          request->data, &worker->mismatch) < 0)
        lose_verify(worker, -EILSEQ);
    if (shared->recorder != NULL)
        rc =
            recorder_add(shared->recorder, &shared->watch, request->sector, sectors, request->data);
    if (rc < 0)
        worker_lose_record(worker, rc);
}

static void count_operation(struct worker_counts *counts, enum blkfront_operation operation,
                            uint64_t latency_ns)
{
    if (operation == BLKFRONT_READ)
        lat_stats_add(&counts->read, latency_ns);
    else if (operation == BLKFRONT_WRITE)
        lat_stats_add(&counts->write, latency_ns);
    else
        lat_stats_add(&counts->flush, latency_ns);
}

/* A request was done. */
static void account(struct worker *worker, const struct worker_request *request,
                    uint64_t latency_ns)
{
    struct worker_shared *shared = worker->shared;

    if (worker->counts != NULL)
        count_operation(worker->counts, request->operation, latency_ns);
    if (request->operation == BLKFRONT_FLUSH)
        return;
    worker->answered_count++;
    lat_stats_add(&worker->latency, latency_ns);
    if (request->operation == BLKFRONT_READ)
        take_data(worker, request);
    if (shared->dump != NULL) {
        worker->dump_ns[worker->dump_count++] = latency_ns;
        if (worker->dump_count == LATENCY_DUMP_BATCH)
            worker_flush_dump(worker);
    }
}

/* Is it an error of this one request, while the device works on? */
static bool is_of_request(int rc)
{
    return rc == -EIO || rc == -EOPNOTSUPP || rc == -EINVAL || rc == -EROFS;
}

static void account_failure(struct worker *worker, const struct worker_request *request, int error)
{
    if (request->operation != BLKFRONT_FLUSH)
        worker->answered_count++;
    read_failures_add(&worker->shared->failures, request->operation, request->sector,
                      worker->shared->sectors_per_request, error);
}

void worker_conclude(struct worker *worker, const struct worker_request *request, int rc,
                     uint64_t latency_ns)
{
    struct worker_shared *shared = worker->shared;

    if (request->operation == BLKFRONT_WRITE && shared->verifier != NULL)
        verifier_end_write(shared->verifier, request->sector, shared->sectors_per_request, rc == 0);
    if (rc == 0)
        account(worker, request, latency_ns);
    else if (is_of_request(rc))
        account_failure(worker, request, rc);
    else
        worker_lose_device(worker, rc);
}

uint64_t worker_next_due_ns(const struct worker *worker)
{
    const struct worker_shared *shared = worker->shared;

    if (shared->pace.rate == 0)
        return 0;
    return pace_due_ns(&shared->pace, worker->chosen_count * shared->thread_count + worker->index);
}

/* Where nothing is verified, each sector begins with its own number and the write's. What earlier
 * runs have written with a pattern, and a read has brought into this memory, is no pattern then. */
static void stamp(const struct worker *worker, const struct worker_request *request)
{
    for (uint32_t i = 0; i < worker->shared->sectors_per_request; i++) {
        const uint64_t head[] = {request->sector + i, worker->chosen_count};
        memcpy(request->data + (size_t)i * RECORDER_SECTOR_BYTES, head, sizeof(head));
    }
}

int worker_choose(struct worker *worker, struct worker_request *request)
{
    struct worker_shared *shared = worker->shared;
    int rc = 0;

    request->due_ns = worker_next_due_ns(worker);
    request->operation = BLKFRONT_READ;
    request->sector = pattern_next(&worker->pattern);
    worker->chosen_count++;
    if (shared->write_percent > 0 && prng_below(&worker->choice, 100) < shared->write_percent) {
        request->operation = BLKFRONT_WRITE;
        worker->unflushed_count++;
    }
    if (shared->verifier == NULL && request->operation == BLKFRONT_WRITE)
        stamp(worker, request);
    if (shared->verifier == NULL)
        return 0;
    if (request->operation == BLKFRONT_READ)
        verifier_begin_read(shared->verifier, request->sector, shared->sectors_per_request,
                            request->before);
    else
        rc = verifier_begin_write(shared->verifier, request->sector, shared->sectors_per_request,
                                  request->data);
    if (rc < 0)
        lose_verify(worker, rc);
    return rc;
}

bool worker_must_flush(const struct worker *worker)
{
    uint64_t every = worker->shared->flush_every;
    return every > 0 && worker->unflushed_count >= every;
}

void worker_choose_flush(struct worker *worker, struct worker_request *request)
{
    request->operation = BLKFRONT_FLUSH;
    request->sector = 0;
    request->due_ns = 0;
    worker->unflushed_count = 0;
}
