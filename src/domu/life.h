/* SPDX-License-Identifier: MIT */
/*
 * life: this process as a domain of one Dom0: its memory, its doorbell, its line to Dom0, its
 * store.
 *
 * vCPU 0 takes the store's events, vCPU 1 those of the disk's ring: each is a futex that a thread
 * of ours sleeps on. The control socket is silent after the start; a thread (the "lifeline") waits
 * for its end, which is how Dom0's death becomes known, and then raises the upcall of every vCPU.
 */
#ifndef SPLITDOM_DOMU_LIFE_H
#define SPLITDOM_DOMU_LIFE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rundir.h"
#include "domu/patience.h"
#include "ring/segment.h"
#include "splitdom/tdf.h"
#include "xenstore/xs_client.h"

enum { LIFE_VCPU_STORE = 0, LIFE_VCPU_DEVICES = 1, LIFE_NR_CLOCKS = 2 };

struct life {
    int control_fd;
    int doorbell_fd;
    int stop_fd; /* eventfd that ends the lifeline thread */
    struct segment segment;
    struct xs_client *store;
    const struct patience *patience; /* how long calls and waits may take; NULL: their own limits */
    uint32_t dead;                   /* atomic: Dom0 is gone */
    uint32_t cancel;                 /* atomic: life_next_event gives up */
    pthread_t lifeline;
    bool lifeline_runs;
    bool idle; /* the link thread waits for events, nothing else: it may be interrupted */
};

/*
 * Creates a domain of nr_pages, its clock running by tdf (0/0: 1), at the service of rundir.
 * patience bounds this call and, together with limits of their own, all later calls and waits on
 * the store (which fail with -ETIME); NULL: only those limits do. patience outlives the domain.
 * Errors: -ETIME; those of blkfront_connect, with one line for people in why.
 */
int life_create(struct life *life, const struct rundir *rundir, uint32_t nr_pages, struct tdf tdf,
                const struct patience *patience, char *why, size_t why_bytes);
/* Ends the domain. Accepts half-built ones and those that a failed life_create left. No thread may
 * sleep in it any more. */
void life_destroy(struct life *life);

/* EVTCHNOP_alloc_unbound for Dom0 as the peer. Returns the port or -errno. Not from two threads. */
int life_alloc_port(struct life *life, uint32_t vcpu);

/* Waits for a watch event, for as long as it takes. Errors: -ECANCELED after life_interrupt (for
 * good); otherwise as xs_client_next_event. */
int life_next_event(struct life *life, char *path, size_t path_size, char *token,
                    size_t token_size);
/* Makes life_next_event give up; any thread. */
void life_interrupt(struct life *life);

/*
 * Lets *fresh take the place of *old, a dead domain of the same size: its memory moves to the old
 * one's address, its doorbell gets the old one's number; *old becomes *fresh, and *fresh is zeroed.
 * Nobody sleeps in *old. Errors: -errno, then both are as they were or *fresh must be destroyed.
 */
int life_move(struct life *fresh, struct life *old);

bool life_is_dead(const struct life *life);
/* Does this error of life_create, or of a wait on the store, say that Dom0 ended meanwhile? */
bool life_error_is_death(int error);

#endif
