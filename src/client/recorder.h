/* SPDX-License-Identifier: MIT */
/*
 * recorder: writes down what a client read, as sectors.PID (one decimal sector number a line) and
 * read.PID (the 512-byte sectors, raw), both in the order in which the reads completed.
 *
 * Records wait in a bounded queue (4 MiB, more if more are in flight at once) and go to the files
 * in chunks of RECORDER_CHUNK. Who writes: the thread whose record completes a chunk, after its own
 * read and so outside of every measured latency; or, with writer_thread, a thread of the recorder's
 * own, so that the one thread of an asynchronous client never leaves finished reads waiting.
 * While one writes, others go on adding; who finds the queue full waits. Both are told to the
 * stopwatch.
 *
 * The two files hold the same records whenever the client is gone, also after an error: a chunk
 * that could not be written whole is cut off again from both.
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

struct recorder;

struct recorder_options {
    const char *directory; /* where the files go */
    pid_t pid;             /* their suffix */
    uint32_t room;         /* largest sector_count that recorder_has_room will be asked for */
    bool writer_thread;
};

/*
 * Creates both files, or empties them if they exist (a symbolic link is refused, and -EBUSY while
 * another process writes them). On failure no file that was created is left behind, and why says
 * what failed and what to do.
 */
int recorder_open(const struct recorder_options *options, struct recorder **out, struct why *why);

/*
 * Adds sector_count (at most RECORDER_CHUNK) records: first_sector, first_sector + 1, ..., with
 * sector_count * 512 bytes of data. May write or wait; watch hears of it.
 * Errors: -errno of the first failed write; nothing is recorded from then on.
 */
int recorder_add(struct recorder *recorder, struct stopwatch *watch, uint64_t first_sector,
                 uint32_t sector_count, const void *data);

/* True if sector_count records fit in without waiting. */
bool recorder_has_room(struct recorder *recorder, uint32_t sector_count);

/* Waits for that. Needs the writer thread. Errors as recorder_add. */
int recorder_wait_room(struct recorder *recorder, struct stopwatch *watch, uint32_t sector_count);

/*
 * Writes what is left, closes the files, frees the recorder (NULL allowed).
 * *record_count gets the number of records in both files. Errors: -errno of the first failed write,
 * with why as in recorder_open.
 */
int recorder_close(struct recorder *recorder, uint64_t *record_count, struct why *why);

/* Closes and removes the files: there was never anything to record. NULL allowed. */
void recorder_discard(struct recorder *recorder);

#endif
