/* SPDX-License-Identifier: MIT */
/*
 * worker: one thread of the client's requests, in either of two modes. Blocking: one request at a
 * time, timed from just before the call to just after it. Asynchronous: up to `depth` requests in
 * flight, timed by the library from submission to the answer. With a rate both count from when the
 * request was due. What happens to an answer afterwards (statistics, recorder, dump), and before a
 * write (its data), is outside of every measured latency.
 *
 * Requests are reads and writes; a flush comes in addition, after so many writes of the thread.
 */
#ifndef SPLITDOM_CLIENT_WORKER_H
#define SPLITDOM_CLIENT_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/courtesy.h"
#include "client/lat_stats.h"
#include "client/latency_dump.h"
#include "client/pace.h"
#include "client/pattern.h"
#include "client/read_failures.h"
#include "client/recorder.h"
#include "client/stopwatch.h"
#include "client/thread_place.h"
#include "client/verifier.h"
#include "splitdom/blkfront.h"

/* What the threads of a run share. Constant while they run, except stop and what has a lock. */
struct worker_shared {
    struct blkfront *bf;
    struct recorder *recorder; /* NULL: nothing is recorded */
    struct latency_dump *dump; /* NULL: no dump */
    uint32_t sectors_per_request;
    struct verifier *verifier; /* NULL: nothing is verified */
    uint32_t depth;            /* 0: blocking */
    uint32_t thread_count;     /* of the run */
    uint32_t write_percent;
    uint64_t flush_every; /* writes of a thread; 0: never */
    struct pace pace;
    uint64_t deadline_ns; /* domain's clock: threads end when it has passed; UINT64_MAX: never */
    struct stopwatch watch;
    struct read_failures failures;
    struct thread_place place;
    struct courtesy_shared courtesy; /* zeroed */
    atomic_bool stop;                /* set by anybody: no thread starts another request */
};

/* A request, with memory of its own. */
struct worker_request {
    enum blkfront_operation operation;
    uint64_t sector;
    uint64_t due_ns; /* domain's clock; 0: it counts from when it begins */
    unsigned char *data;
    struct verifier_before *before; /* of verifier_begin_read */
};

/* What was done, by operation. */
struct worker_counts {
    struct lat_stats read, write, flush; /* of those that succeeded */
};

struct worker {
    struct worker_shared *shared;
    struct pattern pattern;
    uint64_t request_quota;
    bool time_is_up; /* an answer came at or after the deadline */
    uint32_t moves_seen;
    struct courtesy courtesy;

    /* Results, the thread's own until it has been joined. */
    struct lat_stats latency;     /* of the reads and writes that succeeded */
    struct worker_counts *counts; /* NULL: all are reads */
    uint64_t answered_count;      /* reads and writes with an answer, failed ones included */
    int device_error;             /* 0, or the -errno with which the device was lost */
    int record_error;             /* 0, or the -errno of the recorder or the dump */
    int verify_error;             /* 0; -EILSEQ: the disk does not hold what was written; -ENOMEM */
    struct verifier_mismatch mismatch;

    struct prng choice;       /* read or write */
    uint32_t index;           /* of the thread */
    uint64_t chosen_count;    /* requests */
    uint64_t unflushed_count; /* writes since the last flush was asked for */
    unsigned char *buffers;   /* one request's worth of bytes for each in flight */
    struct verifier_before *before;
    struct worker_request *requests; /* one for each in flight */
    uint32_t *idle; /* asynchronous: stack of the requests that are not in flight */
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
