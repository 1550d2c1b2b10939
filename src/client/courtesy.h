/* SPDX-License-Identifier: MIT */
/*
 * courtesy: whether a client's thread that is woken lets those who run go on.
 *
 * Dom0 wakes threads that are answered together one after the other. If each woken thread preempts
 * Dom0, then all of them run before Dom0 can send the first of their next requests to the disk, and
 * the disk idles until then. Under SCHED_BATCH a woken thread does not preempt. A single thread
 * must preempt: Dom0 can only wait for that thread. With many threads the disk has enough requests
 * anyway.
 *
 * But where other processes want the CPUs, too, a thread that lets them go on waits for the end of
 * their time slice: milliseconds for what the disk does in a tenth of one. So threads look at how
 * long their requests take. If that is long, all threads are as impatient as any other for a while;
 * each time twice as long, until all has been well for as long. (A slow disk makes requests long,
 * and a client that asks seldom seems to: there it does not matter who goes first.) No call of the
 * kernel is made for that, but to change the policy.
 */
#ifndef SPLITDOM_CLIENT_COURTESY_H
#define SPLITDOM_CLIENT_COURTESY_H

#include <stdbool.h>
#include <stdint.h>

enum { COURTESY_LOOK_REQUESTS = 32 }; /* between two looks of a thread */

/* Of a client's threads, all of them; zeroed. Atomic: any thread writes, any reads. */
struct courtesy_shared {
    uint64_t until_ns; /* nobody is courteous before that; by the coarse clock */
    uint64_t pause_ns; /* how long the last such time was */
};

/* A thread's own. */
struct courtesy {
    struct courtesy_shared *shared;
    bool on;           /* it lets others go on */
    uint32_t left;     /* so many requests until the next look; 0: never */
    uint64_t begin_ns; /* the last look */
};

/* For the calling thread, one of thread_count, that asks for one request after the other. Where
 * somebody has chosen another policy for the thread, nothing is done. */
void courtesy_begin(struct courtesy *courtesy, struct courtesy_shared *shared,
                    uint32_t thread_count);

/* At now_ns COURTESY_LOOK_REQUESTS have ended since the last look. */
void courtesy_judge(struct courtesy *courtesy, uint64_t now_ns);
/* Shall threads let others go on? */
bool courtesy_is_due(const struct courtesy_shared *shared, uint64_t now_ns);

/* For courtesy_step: it is time for a look. */
void courtesy_look(struct courtesy *courtesy);
/* A request has ended. Mostly that is all. */
static inline void courtesy_step(struct courtesy *courtesy)
{
    if (courtesy->left > 0 && --courtesy->left == 0)
        courtesy_look(courtesy);
}

#endif
