/* SPDX-License-Identifier: MIT */
/*
 * domu_private: struct domu, for the files that implement splitdom/domu.h and for the domain's
 * devices:
 *   domu.c       open, close, clock, what became of the domain; claims
 *   domu_link.c  the thread that follows the domain: events, Dom0's death, the next life
 */
#ifndef SPLITDOM_DOMU_DOMU_PRIVATE_H
#define SPLITDOM_DOMU_DOMU_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rundir.h"
#include "domu/domain_clock.h"
#include "domu/domu_events.h"
#include "domu/domu_trace.h"
#include "domu/extents.h"
#include "domu/grants.h"
#include "domu/life.h"
#include "domu/pages.h"
#include "domu/patience.h"
#include "domu/ports.h"
#include "domu/xenbus_front.h"
#include "splitdom/domu.h"

struct domu {
    struct domu_options options;
    struct rundir rundir;
    struct tdf tdf;
    struct domain_clock clock; /* the link thread's to change, anybody's to read */

    /* For everything down to the next remark. The link thread holds it but while it waits for
     * claims to end; others get it by domu_claim. */
    pthread_mutex_t lock;
    pthread_cond_t claim_ended;  /* for the link thread; also: it is to end */
    pthread_cond_t life_changed; /* for who awaits another life: it is there, or will not come */
    struct patience patience;    /* how long whoever has the domain waits for Dom0 */
    struct life life;            /* its segment and doorbell keep their place when it is replaced */
    struct pages pages;
    struct grants grants;
    struct ports ports;
    struct extents sleepers; /* words that no device has (splitdom/sleepers.h) */
    struct fronts fronts;
    struct domu_trace trace;
    struct domu_events_queue events; /* has a lock of its own */
    int failure_fd; /* eventfd, written once the domain has failed; -1: nobody has asked for it */

    /* Atomic, without the lock: */
    uint32_t domid;
    uint32_t failed;  /* -errno as stored, or 0; failure is written before, once */
    uint32_t closing; /* the link thread is to end */
    char failure[256];

    pthread_t link_thread;
    bool link_runs;
};

/*
 * Takes the domain for the calling thread: its store, its control connection, its allocators; the
 * link thread lets go of it within microseconds, unless it is connecting to a next Dom0. Not for
 * the link thread itself, which has it whenever it calls a front_class.
 */
void domu_claim(struct domu *domu);
void domu_release(struct domu *domu);
/* With the domain claimed: waits until Dom0 lives, or the domain has failed (then returns its
 * -errno); the claim is given up meanwhile. A Dom0 that dies afterwards makes the next call fail.
 */
int domu_await_life(struct domu *domu);
/* With the domain claimed, or on the link thread: makes failure_fd readable if the domain has
 * failed and somebody has asked for it. */
void domu_show_failure(struct domu *domu);

/* domu_link.c */
/* Makes the first life and its clock. *out's options, rundir and tdf are set. */
int domu_link_first(struct domu *domu, char *why, size_t why_bytes);
/* Starts the thread that follows the domain. */
int domu_link_start(struct domu *domu);
/* Ends that thread: no front_class is called any more; what it is about, and all waits for Dom0
 * after that, end in so many milliseconds. Accepts one that has not been started. */
void domu_link_stop(struct domu *domu, uint64_t ms);

#endif
