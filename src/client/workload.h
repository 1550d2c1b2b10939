/* SPDX-License-Identifier: MIT */
/*
 * workload: the threads of a client and their shares of the requests. Of N requests each of T
 * threads gets N / T, and the first N % T threads get one more. A thread without a share does not
 * read. A run with a duration may end earlier: each thread ends after the read in which the
 * duration, counted from the start of all threads, ran out.
 *
 * One thread starts, stops and joins; the reading threads are the workload's own.
 */
#ifndef SPLITDOM_CLIENT_WORKLOAD_H
#define SPLITDOM_CLIENT_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/place_trial.h"
#include "client/lat_stats.h"
#include "client/latency_dump.h"
#include "client/pattern.h"
#include "client/recorder.h"
#include "client/worker.h"
#include "splitdom/blkfront.h"

struct workload;

struct workload_plan {
    struct blkfront *bf;
    struct recorder *recorder; /* NULL: nothing is recorded */
    struct latency_dump *dump; /* NULL: no dump */
    uint32_t thread_count;
    uint64_t request_count;
    uint64_t duration_ns; /* domain's clock: nobody starts a read later; 0: no limit */
    uint32_t sectors_per_request;
    uint32_t depth; /* 0: blocking; else thread_count is 1 */
    bool any_cpu;   /* threads run where the system puts them: no placement is tried */
    uint32_t write_percent;
    uint64_t flush_every; /* writes of a thread; 0: never */
    bool verify;
    uint64_t rate; /* requests per second of the domain's clock, all threads'; 0: none */
    uint64_t tdf_num, tdf_den; /* of the domain, as far as is known; with a rate */
    const struct pattern_spec *pattern;
    uint64_t seed;
    uint64_t first_sector, last_sector;
};

struct workload_result {
    struct lat_stats latency;    /* of the reads and writes that succeeded, in the domain's clock */
    struct worker_counts counts; /* by operation; only if there were writes */
    uint64_t answered_count;     /* reads and writes with an answer */
    uint64_t failed_count;       /* of these and of the flushes, answered with an error */
    uint64_t verified_count;     /* sectors that were read again at the end, and are right */
    uint64_t running_ns;         /* domain's clock, first to last request, see stopwatch.h */
    uint64_t standstill_ns;      /* domain's clock, left out of running_ns: all threads recorded */
    uint64_t real_ns;            /* CLOCK_MONOTONIC, both together */
    enum place place;            /* where the threads were in the end */
    int device_error;            /* 0, or -errno: the device was lost */
    int record_error;            /* 0, or -errno: the recorder or the dump failed */
    int verify_error;            /* 0; -EILSEQ: the disk does not hold what was written; -ENOMEM */
    struct verifier_mismatch mismatch;
};

/* The share of thread index. */
uint64_t workload_share(uint64_t request_count, uint32_t thread_count, uint32_t index);

/*
 * Creates all threads, then lets them read. The plan is copied. What the plan points to, except
 * pattern, must outlive the workload. Errors: -EAGAIN or -ENOMEM: no more threads or memory;
 * -EINVAL: the range is too small for one request.
 */
int workload_start(const struct workload_plan *plan, struct workload **out);

/* When workload_place is to be called next: CLOCK_MONOTONIC in ns; UINT64_MAX: never. */
uint64_t workload_place_due_ns(const struct workload *workload);
/* Tries where the threads run best (thread_place.h). For the thread that waits for the others. */
void workload_place(struct workload *workload);

/* A descriptor that becomes readable when all threads are done. */
int workload_done_fd(const struct workload *workload);

/* Asks the threads to end after the read that they are in. */
void workload_stop(struct workload *workload);

/* Waits for the threads. Once. With verify, and if nothing went wrong so far, all sectors that were
 * written are read again then. */
void workload_join(struct workload *workload, struct workload_result *result);

/* After workload_join and blkfront_close. NULL allowed. */
void workload_free(struct workload *workload);

#endif
