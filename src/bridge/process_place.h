/* SPDX-License-Identifier: MIT */
/*
 * process_place: lets all threads of a bridge's process run where place_trial.h found the best
 * place: anywhere, or on Dom0's CPU, where a wake-up needs no interrupt of another one. Threads
 * stay on the CPUs that the process was started with (taskset). If that is one CPU, nothing is
 * done. A process of which several disks are busy is left anywhere.
 *
 * A place is tried only while requests are answered: an idle process is not woken for it.
 */
#ifndef SPLITDOM_BRIDGE_PROCESS_PLACE_H
#define SPLITDOM_BRIDGE_PROCESS_PLACE_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/place_trial.h"
#include "splitdom/blkfront.h"

struct process_place {
    pthread_mutex_t lock; /* guards what follows; who finds it taken leaves it to the other */
    struct place_trial trial;
    cpu_set_t allowed;         /* constant: of the process */
    cpu_set_t cpus;            /* where its threads run */
    uint32_t dom0_cpu;         /* what cpus was made with */
    const struct blkfront *bf; /* the disk whose answers are counted */
    uint64_t answered;         /* of that disk, at the last step */
};

void process_place_init(struct process_place *place);
void process_place_fini(struct process_place *place);

/* After a request of the disk was answered. Any thread; never waits. Moves the threads of the
 * process, those of libraries too, when that is due. */
void process_place_look(struct process_place *place, struct blkfront *bf);

/* The same when it is due, with what the disk's statistics say. Its hints come from Dom0, which may
 * have made them up. The caller has the lock, or is alone. */
void process_place_step(struct process_place *place, const struct blkfront *bf,
                        const struct blkfront_stats *stats, uint64_t now_ns);

#endif
