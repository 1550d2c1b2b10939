/* SPDX-License-Identifier: MIT */
/*
 * worker_private: what the files of a worker share:
 *   worker.c          its memory, and the blocking mode
 *   worker_async.c    the asynchronous mode
 *   worker_request.c  a request from its choice to its end
 */
#ifndef SPLITDOM_CLIENT_WORKER_PRIVATE_H
#define SPLITDOM_CLIENT_WORKER_PRIVATE_H

#include "client/worker.h"

static inline bool worker_stopped(const struct worker *worker)
{
    return worker->time_is_up || atomic_load(&worker->shared->stop);
}

/* Before each request: see thread_place.h. */
static inline void worker_follow_place(struct worker *worker)
{
    if (thread_place_moved(&worker->shared->place, worker->moves_seen))
        thread_place_follow(&worker->shared->place, &worker->moves_seen);
}

/* worker.c */
/* Until the next request is due. Returns false when there is to be none any more. */
bool worker_wait_due(struct worker *worker);

/* worker_async.c */
void worker_run_asynchronous(struct worker *worker);

/* worker_request.c */
void worker_lose_device(struct worker *worker, int error);
void worker_lose_record(struct worker *worker, int error);
void worker_flush_dump(struct worker *worker);
/* When the next request is due. 0: there is no rate. */
uint64_t worker_next_due_ns(const struct worker *worker);
/* Chooses the next request, and makes its data. Errors: -ENOMEM to remember what is written: there
 * is no request then, and the run ends. */
int worker_choose(struct worker *worker, struct worker_request *request);
/* Is it time for a flush? Then that is to be the next one. */
bool worker_must_flush(const struct worker *worker);
void worker_choose_flush(struct worker *worker, struct worker_request *request);
/* The end of a request, whatever it was. */
void worker_conclude(struct worker *worker, const struct worker_request *request, int rc,
                     uint64_t latency_ns);

#endif
