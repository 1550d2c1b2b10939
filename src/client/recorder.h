/* SPDX-License-Identifier: MIT */
/*
 * recorder: writes down what a client read, as sectors.PID (one decimal sector number a line) and
 * read.PID (the 512-byte sectors, raw), both in the order in which the reads completed.
 *
 * Records wait in a bounded queue (4 MiB, more if more are in flight at once) and are written in
 * chunks of RECORDER_CHUNK. The writer is
 * - the thread whose record completes a chunk, after its own read, so outside of every measured
 *   latency; or
 * - with writer_thread, a thread of the recorder, so that the one thread of an asynchronous client
 *   never leaves finished reads waiting.
 * While one thread writes, others add records; a thread that finds the queue full waits. The
 * stopwatch is told of writing and of waiting.
 *
 * After the client's end the two files hold the same records, also after an error: a chunk that
 * could not be written completely is removed from both files.
 *
 * Threads: recorder_add, recorder_has_room and recorder_wait_room from any number of threads; open,
 * close and discard when no other call runs.
 */
#ifndef SPLITDOM_CLIENT_RECORDER_H
#define SPLITDOM_CLIENT_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/why.h"
#include "client/stopwatch.h"

enum {
    RECORDER_SECTOR_BYTES = 512,
    RECORDER_CHUNK = 1024,
    RECORDER_CAPACITY_MIN = 8 * RECORDER_CHUNK,
};

#define RECORDER_COUNT_UNKNOWN UINT64_MAX

struct recorder;

struct recorder_options {
    const char *directory; /* where the files go */
    pid_t pid;             /* their suffix */
    uint32_t room;         /* largest sector_count that recorder_has_room will be asked for */
    bool writer_thread;
};

/*
 * Creates both files, or empties them if they exist. Refuses a symbolic link. -EBUSY: another
 * process writes them. On failure every file created here is removed, and why says what failed and
 * what to do.
 */
int recorder_open(const struct recorder_options *options, struct recorder **out, struct why *why);

/*
 * Adds sector_count (at most RECORDER_CHUNK) records: first_sector, first_sector + 1, ..., with
 * sector_count * 512 bytes of data. May write or wait, and tells watch.
 * Errors: -errno of the first failed write; nothing is recorded from then on.
 */
int recorder_add(struct recorder *recorder, struct stopwatch *watch, uint64_t first_sector,
                 uint32_t sector_count, const void *data);

/* True if sector_count records fit in without waiting. */
bool recorder_has_room(struct recorder *recorder, uint32_t sector_count);

/* Waits until recorder_has_room. Needs the writer thread. Errors as recorder_add. */
int recorder_wait_room(struct recorder *recorder, struct stopwatch *watch, uint32_t sector_count);

/*
 * Writes what is left, closes the files, frees the recorder (NULL allowed).
 * *record_count gets the number of records in both files; RECORDER_COUNT_UNKNOWN after a failure
 * that left the files' ends in doubt: they may differ, and end within a record. Errors: -errno of
 * the first failed write, with why as in recorder_open.
 */
int recorder_close(struct recorder *recorder, uint64_t *record_count, struct why *why);

/* Closes and removes the files: there was never anything to record. NULL allowed. */
void recorder_discard(struct recorder *recorder);

#endif
