/* SPDX-License-Identifier: MIT */
/*
 * latency_dump: every latency of a run as text, one decimal number of nanoseconds a line. Each
 * thread adds its latencies in batches: the lines of one thread are in order, but the batches of
 * several threads are mixed.
 */
#ifndef SPLITDOM_CLIENT_LATENCY_DUMP_H
#define SPLITDOM_CLIENT_LATENCY_DUMP_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { LATENCY_DUMP_BATCH = 512 };

struct latency_dump {
    pthread_mutex_t lock; /* guards error and the order of writes */
    const char *path;     /* the caller's */
    int fd;
    int error; /* first failure, negative */
};

/* Creates or empties the file; path must outlive the dump. Returns 0 or -errno; -EBUSY: another
 * process writes this file. */
int latency_dump_open(struct latency_dump *dump, const char *path);

/* Any thread. count is at most LATENCY_DUMP_BATCH. Errors: -errno of the first failed write. */
int latency_dump_add(struct latency_dump *dump, const uint64_t *latencies_ns, uint32_t count);

/* Errors: -errno of the first failed write. */
int latency_dump_close(struct latency_dump *dump);

#endif
