/* SPDX-License-Identifier: MIT */
/*
 * life: this process as a domain of one Dom0: its memory, its doorbell, its line to that Dom0, its
 * store. The handle (splitdom/domu.h) outlives its lives: after a restart of Dom0 it gets another.
 *
 * vCPU 0 takes the store's events, the others those of devices (ports.h): each is a futex that a
 * thread of ours sleeps on. The control socket is silent but for calls of ours; a thread (the
 * "lifeline") waits for its end, which is how Dom0's death becomes known, and then raises the
 * upcall of every vCPU.
 *
 * Threads: one at a time uses a life (domu_private.h: domu_claim), but for life_interrupt and
 * life_is_dead.
 */
#ifndef SPLITDOM_DOMU_LIFE_H
#define SPLITDOM_DOMU_LIFE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rundir.h"
#include "domu/patience.h"
#include "ring/barrier.h"
#include "ring/segment.h"
#include "splitdom/tdf.h"
#include "xenstore/xs_client.h"

enum {
    LIFE_VCPU_STORE = 0,
    LIFE_VCPU_DEVICES = 1, /* the first for devices */
    LIFE_NR_CLOCKS = 2, /* vCPUs whose clock we read: the second saves a torn line of the first */
};

struct life {
    int control_fd;
    uint32_t replies_owed; /* on it: to calls that gave up before theirs came */
    int doorbell_fd;
    int stop_fd; /* eventfd that ends the lifeline thread */
    struct segment segment;
    struct xs_client *store;
    const struct patience *patience; /* how long calls and waits may take; NULL: their own limits */
    uint32_t dead;                   /* atomic: Dom0 is gone */
    uint32_t destroyed;              /* atomic, set before dead: Dom0 has ended this domain */
    int memory_fd;                   /* the segment's file, read-only; -1: not to be had */
    uint32_t interrupts;             /* atomic: so many want life_next_event to give up */
    pthread_t lifeline;
    bool lifeline_runs;
    bool idle; /* inside life_next_event or life_idle: may be interrupted */
};

/* What the domain says of itself at Dom0. */
struct life_description {
    const char *name; /* shorter than CONTROL_NAME_SIZE; NULL: as it is */
    struct tdf share; /* of the CPU, which it keeps to; 0/0: none */
    uint32_t weight;  /* 0: as it is */
};

/* What life_destroy accepts and life_create makes first. */
void life_init(struct life *life);

/*
 * Creates a domain of nr_pages, its clock running by tdf (0/0: 1), at the service of rundir.
 * patience bounds this call and, together with limits of their own, all later calls and waits on
 * the store (which fail with -ETIME); NULL: only those limits do. patience outlives the life.
 * Errors: -ETIME; those of domu_open, with one line for people in why.
 */
int life_create(struct life *life, const struct rundir *rundir, uint32_t nr_pages, struct tdf tdf,
                const struct patience *patience, char *why, size_t why_bytes);
/* Ends the domain. Accepts half-built ones and those that a failed life_create left. No thread may
 * sleep in it any more. */
void life_destroy(struct life *life);

/* CONTROL_DESCRIBE. Errors: -EEXIST, -EINVAL, others of the service, with one line for people in
 * why. */
int life_describe(struct life *life, const struct life_description *description, char *why,
                  size_t why_bytes);

/* EVTCHNOP_alloc_unbound for Dom0 as the peer. Returns the port or -errno. */
int life_alloc_port(struct life *life, uint32_t vcpu);
/* EVTCHNOP_close. Errors: -errno; the port may still exist then. */
int life_close_port(struct life *life, evtchn_port_t port);

/* What Dom0 answers with a file: CONTROL_SHARED_CACHE of our disk arg0, CONTROL_TRACE_MEMORY.
 * Returns the descriptor, the caller's, or -errno. */
int life_fetch(struct life *life, uint32_t op, uint32_t arg0);

/* Waits for a watch event, for as long as it takes. Errors: -ENOTCONN Dom0 is dead; -ECANCELED
 * while somebody interrupts; otherwise as xs_client_next_event. */
int life_next_event(struct life *life, char *path, size_t path_size, char *token,
                    size_t token_size);
/* Waits without a look at the store, of which no more is expected: until Dom0 is dead (-ENOTCONN)
 * or somebody interrupts (-ECANCELED). */
int life_idle(struct life *life);
/* Makes the thread in one of these two give up, and the next ones too; any thread. Each call is
 * made up for by one of life_resume. */
void life_interrupt(struct life *life);
void life_resume(struct life *life);
bool life_is_interrupted(const struct life *life);

/*
 * Lets *fresh take the place of *old, a dead domain of the same size: its memory moves to the old
 * one's address, its doorbell gets the old one's number; *old becomes *fresh, and *fresh is zeroed.
 * Who interrupts *old still does. Nobody sleeps in *old. Errors: -errno, then both are as they were
 * or *fresh must be destroyed.
 */
int life_move(struct life *fresh, struct life *old);

static inline bool life_is_dead(const struct life *life)
{
    return load_full_u32(&life->dead) != 0;
}

/* Dom0 may live, but has ended this domain because somebody wanted that. */
static inline bool life_is_destroyed(const struct life *life)
{
    return load_full_u32(&life->destroyed) != 0;
}

/* For people: what became of a dead one. */
static inline const char *life_end(const struct life *life)
{
    return life_is_destroyed(life) ? "Dom0 has destroyed this domain"
                                   : "Dom0 is gone: the service was stopped or has died";
}

/* Does this error of life_create, or of a wait on the store, say that Dom0 ended meanwhile? */
static inline bool life_error_is_death(int error)
{
    return error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE;
}

#endif
