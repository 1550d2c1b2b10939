/* SPDX-License-Identifier: MIT */
/*
 * worker: one reading thread of the client, in either of two modes. Blocking: one read at a time,
 * timed from just before blkfront_read to just after it. Asynchronous: up to `depth` reads in
 * flight, timed by the library from submission to the answer. What happens to an answer afterwards
 * (statistics, recorder, dump) is outside of every measured latency.
 */
#ifndef SPLITDOM_CLIENT_WORKER_H
#define SPLITDOM_CLIENT_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/lat_stats.h"
#include "client/latency_dump.h"
#include "client/pattern.h"
#include "client/read_failures.h"
#include "client/recorder.h"
#include "client/stopwatch.h"
#include "client/thread_place.h"
#include "splitdom/blkfront.h"

/* What the threads of a run share. Constant while they run, except stop and what has a lock. */
struct worker_shared {
    struct blkfront *bf;
    struct recorder *recorder; /* NULL: nothing is recorded */
    struct latency_dump *dump; /* NULL: no dump */
    uint32_t sectors_per_request;
    uint32_t depth;        /* 0: blocking */
    uint32_t thread_count; /* of the run */
    uint64_t
        deadline_ns; /* domain's clock: a thread that finds it passed ends; UINT64_MAX: never */
    struct stopwatch watch;
    struct read_failures failures;
    struct thread_place place;
    atomic_bool stop; /* set by anybody: no thread starts another read */
};

struct worker {
    struct worker_shared *shared;
    struct pattern pattern;
    uint64_t request_quota;
    bool time_is_up; /* an answer came at or after the deadline */
    uint32_t moves_seen;

    /* Results, the thread's own until it has been joined. */
    struct lat_stats latency; /* of the reads that succeeded */
    uint64_t answered_count;  /* reads with an answer, failed ones included */
    int device_error;         /* 0, or the -errno with which the device was lost */
    int record_error;         /* 0, or the -errno of the recorder or the dump */

    unsigned char *buffers; /* one read's worth of bytes for each read in flight */
    uint32_t *idle;         /* asynchronous: stack of the buffers that are not in flight */
    uint32_t dump_count;
    uint64_t dump_ns[LATENCY_DUMP_BATCH];
};

/* Allocates the buffers; the other inputs are set. -ENOMEM on failure. */
int worker_init(struct worker *worker);
/* Only after the device was closed: until then the library may use the buffers. */
void worker_release(struct worker *worker);

/* Runs until the quota or the deadline is reached, stop is set or something is lost; sets stop in
 * the last case. */
void worker_run(struct worker *worker);

#endif
