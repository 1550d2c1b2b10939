/* SPDX-License-Identifier: MIT */
/*
 * read_failures: counts the reads, writes and flushes that failed while the run goes on, and tells
 * the user on stderr: the first at once, then at most one line per second. Any thread may add.
 */
#ifndef SPLITDOM_CLIENT_READ_FAILURES_H
#define SPLITDOM_CLIENT_READ_FAILURES_H

#include <pthread.h>
#include <stdint.h>

#include "splitdom/blkfront.h"

struct read_failures {
    pthread_mutex_t lock;
    uint64_t count;
    uint64_t told_count; /* of these, counted in lines on stderr */
    uint64_t told_ns;    /* CLOCK_MONOTONIC of the last line */
};

void read_failures_init(struct read_failures *failures);
void read_failures_destroy(struct read_failures *failures);

/* error: negative errno of an operation on sector_count sectors from sector on. */
void read_failures_add(struct read_failures *failures, enum blkfront_operation operation,
                       uint64_t sector, uint32_t sector_count, int error);

#endif
