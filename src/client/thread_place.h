/* SPDX-License-Identifier: MIT */
/*
 * thread_place: lets the reading threads of a client run where place_trial.h found the best place:
 * anywhere, or (up to 4 threads) on Dom0's CPU, or (5 and more) on all other CPUs. Threads stay on
 * the CPUs that the process was started with (taskset). If that is one CPU, nothing is done.
 *
 * The main thread calls thread_place_step when thread_place_due_ns has come; the reading threads
 * call thread_place_follow before each read and move themselves.
 */
#ifndef SPLITDOM_CLIENT_THREAD_PLACE_H
#define SPLITDOM_CLIENT_THREAD_PLACE_H

#include <pthread.h>
#include <sched.h>

#include "base/place_trial.h"
#include "ring/barrier.h"

struct thread_place {
    struct place_trial trial; /* the main thread's */
    cpu_set_t allowed;        /* constant: of the process */
    uint32_t dom0_cpu;        /* the main thread's: what `cpus` was made with */
    pthread_mutex_t lock;     /* guards cpus */
    cpu_set_t cpus;           /* where the threads shall run */
    uint32_t moves;           /* main thread writes: how often cpus has changed */
};

/* free_choice: never place threads. A thread starts on the CPUs that its caller may use. */
void thread_place_init(struct thread_place *place, uint32_t thread_count, bool free_choice);
void thread_place_fini(struct thread_place *place);

/* CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t thread_place_due_ns(const struct thread_place *place);

/* answered_count: reads so far; alone: no other domain has requests; both hints come from
 * blkfront_stats, where a hostile Dom0 may have made them up. */
void thread_place_step(struct thread_place *place, uint64_t answered_count, uint32_t dom0_cpu,
                       bool alone);

/* Moves the calling thread; *seen is its own and begins with 0. */
static inline bool thread_place_moved(struct thread_place *place, uint32_t seen)
{
    return load_relaxed_u32(&place->moves) != seen;
}
void thread_place_follow(struct thread_place *place, uint32_t *seen);

#endif
