/* SPDX-License-Identifier: MIT */
/*
 * stopwatch: how long a run of several threads took, without the time in which no thread could read
 * because all were recording results.
 *
 * A thread that records (writes a chunk of sectors.PID / read.PID, waits for room, writes the
 * latency dump) is "standing". The watch stops only while *every* live thread stands. As long as
 * one thread can read, the disk may work for that thread, and without that time the rate would be
 * too high. So the rate is never too high; with one thread it is exact.
 *
 * Threads: stopwatch_init and the result functions only while no other call runs; all other
 * functions from any thread. The clock is a parameter, for tests.
 */
#ifndef SPLITDOM_CLIENT_STOPWATCH_H
#define SPLITDOM_CLIENT_STOPWATCH_H

#include <pthread.h>
#include <stdint.h>

struct stopwatch {
    pthread_mutex_t lock;
    uint64_t (*now_ns)(void *clock);
    void *clock;
    uint32_t live;     /* threads that have not retired */
    uint32_t standing; /* of these, threads that record */
    uint64_t started_ns;
    uint64_t ended_ns;            /* when the last thread retired */
    uint64_t standstill_since_ns; /* valid while live > 0 and all of them stand */
    uint64_t standstill_ns;       /* sum of the past standstills */
};

void stopwatch_init(struct stopwatch *watch, uint64_t (*now_ns)(void *clock), void *clock);
void stopwatch_destroy(struct stopwatch *watch);

/* The run begins with thread_count threads. */
void stopwatch_start(struct stopwatch *watch, uint32_t thread_count);
/* The calling thread begins to record, or stops recording. */
void stopwatch_enter(struct stopwatch *watch);
void stopwatch_leave(struct stopwatch *watch);
/* The calling thread has done its last read; the run ends with the last of them. */
void stopwatch_retire(struct stopwatch *watch);

/* After the last thread retired: the time that counts, and the time left out. */
uint64_t stopwatch_running_ns(const struct stopwatch *watch);
uint64_t stopwatch_standstill_ns(const struct stopwatch *watch);

#endif
