/* SPDX-License-Identifier: MIT */
/*
 * thread_place: on which CPUs the reading threads of a client run.
 *
 *   the client ...                             its threads run ...
 *   is not alone, or Dom0's CPU is unknown     anywhere: the system's scheduler divides the CPUs
 *   reads asynchronously (--depth)             anywhere: its one thread is woken once for many
 * reads has 5 or more threads                      on all CPUs but Dom0's: Dom0 need not wait for
 * them has up to 4, and the disk answers          on Dom0's CPU: a wake-up interrupts no other CPU
 *   has up to 4, and the cache answers         on all but Dom0's: both sides spin, each on its CPU
 *
 * Why a rule and no trial of both places: the rates of the places differ by no more than noise, so
 * a trial measures noise. What the rule saves is processor time, which Dom0 spends for the most
 * part, so a client can't measure the gain. Only hits differ much: there, the common CPU would be
 * many times slower. The rate tells hits from reads of a disk, but only apart from Dom0: so few
 * threads are apart for the first 20 ms, and for 20 ms after each 200 ms on Dom0's CPU.
 *
 * Threads stay on the CPUs that the process was started with (taskset). If that is one CPU, or does
 * not contain Dom0's, the threads run anywhere on them.
 *
 * Pure arithmetic on what the caller passes; the caller moves the threads. One thread.
 */
#ifndef SPLITDOM_CLIENT_THREAD_PLACE_H
#define SPLITDOM_CLIENT_THREAD_PLACE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

enum place {
    PLACE_ANYWHERE,
    PLACE_WITH_DOM0,    /* on Dom0's CPU */
    PLACE_WITHOUT_DOM0, /* on any but Dom0's */
};

/* All but the time are hints of Dom0: any value is safe. */
struct place_sample {
    uint64_t now_ns;         /* CLOCK_MONOTONIC */
    uint64_t answered_count; /* reads so far */
    uint32_t dom0_cpu;       /* on which Dom0 served this domain; UINT32_MAX: unknown */
    bool alone;              /* no other domain has requests */
};

struct thread_place {
    cpu_set_t allowed;                  /* constant: of the process */
    cpu_set_t cpus;                     /* where the threads shall run; at first the allowed ones */
    enum place place;                   /* the same as a name */
    uint32_t looks_with_dom0;           /* in a row */
    bool few_threads;                   /* constant: up to 4 */
    uint64_t answered_count, looked_ns; /* at the last step */
    uint64_t due_ns;                    /* CLOCK_MONOTONIC: of the next step; UINT64_MAX: never */
};

/* "anywhere", "with dom0", "without dom0". */
const char *place_name(enum place place);

/* any_cpu: the threads are never placed. */
void thread_place_init(struct thread_place *place, uint32_t thread_count, bool any_cpu,
                       uint64_t now_ns);

/* At due_ns or later; sets due_ns. Returns whether place->cpus changed. */
bool thread_place_step(struct thread_place *place, const struct place_sample *sample);

#endif
