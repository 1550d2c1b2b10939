/* SPDX-License-Identifier: MIT */
/*
 * session: the memory that the supervisor of a domain's programs shares with the shim in each of
 * them. Two mappings at fixed addresses in every program: the domain's shared_info, read-only, and
 * this page group, which all of them write.
 *
 * A change of rate reaches who sleeps like this:
 *
 *     supervisor                                  a thread in a mediated wait
 *     1. Dom0 has published the new line          1. its slot in waiters = itself  (full)
 *     2. tdf = the new rate                       2. g = generation                (full)
 *     3. generation += 1              (full)      3. time-out by the line of now
 *     4. for each waiter     (full): SIGSYS       4. sleeps unless generation != g
 *
 * Either the supervisor finds the slot, or the thread finds the new generation; and a signal that
 * comes between the last look and the system call takes the thread out of it (shim/core/stub.S).
 *
 * A kernel timer that rings too early by the new rate can't be taken back. So what is announced
 * (mediate_hold.h) changes the rate of timers first:
 *
 *     supervisor                                  a process with timers
 *     1. Dom0 has announced a slower rate         1. its slot, with tid 0, since the first timer
 *     2. tdf_timers = that one                    2. kicked: arms each by tdf_timers
 *     3. generation += 1              (full)      3. held = generation, answers += 1, wakes
 *     4. kicks them, waits for held               4. goes on
 *     5. tells Dom0, which changes the rate          ... is kicked as above
 */
#ifndef SPLITDOM_RUN_SESSION_H
#define SPLITDOM_RUN_SESSION_H

#include <stdint.h>

#include "ring/barrier.h"

/* Another one for a session of another size: domu and its shim may be of different versions, while
 * one is being installed. Whoever changes the layout and keeps the size changes the number. */
#define SESSION_MAGIC (UINT64_C(0x31656d6974666c61) + sizeof(struct session))

/* Where the shim's program, the clock's page and the session lie in every program: below all that
 * the kernel places by itself, inside what the sanitizers leave to the application. */
#define SESSION_SHIM_ADDRESS  UINT64_C(0x7e9000000000)
#define SESSION_CLOCK_ADDRESS UINT64_C(0x7e9010000000)
#define SESSION_ADDRESS       UINT64_C(0x7e9010100000)

/* The value of a kick's siginfo, which tells it from a SIGSYS that a program sends. Above these 32
 * bits stands a place, or 0. */
#define SESSION_KICK 0x6b63696b

/* A place: in which system call a thread waits, and where, so that the shim can begin that call
 * again if the kick has ended it. The number is in the low SESSION_PLACE_NR_BITS, plus one. */
enum { SESSION_PLACE_NR_BITS = 10 };

static inline uint32_t session_place(uint32_t nr, uint64_t pc, uint64_t sp)
{
    const uint64_t mixed = (pc ^ sp << 17) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(mixed >> 32) << SESSION_PLACE_NR_BITS | (nr + 1);
}

enum {
    SESSION_PAGE_BYTES = 4096,
    SESSION_WAITERS = 65536,
    SESSION_WAITERS_FIRST = 4096, /* the others are looked at once these have been full */
    SESSION_SPANS = 128,
};

/* The descriptors that a program keeps, successive numbers. */
enum session_fd {
    SESSION_FD_MEMORY, /* this one */
    SESSION_FD_CLOCK,
    SESSION_FD_SHIM,  /* what is executed */
    SESSION_FD_IMAGE, /* the same bytes in sealed memory: what is mapped (shim/start.c) */
    SESSION_FDS,
};

/* While the domain's clock has always been the kernel's, there is nothing to translate in a file's
 * times, so the calls that tell them are not caught. */
enum session_stamps {
    SESSION_STAMPS_REAL,   /* as long as that is so */
    SESSION_STAMPS_LATE,   /* no longer: each process sets the filter that catches them */
    SESSION_STAMPS_CAUGHT, /* it never was so: the first filter catches them */
};

/* From an instant on, until the next one: what the clock showed, and its rate. */
struct session_span {
    uint64_t real_ns; /* the kernel's CLOCK_MONOTONIC */
    uint64_t virtual_ns;
    uint64_t tdf; /* packed; num 0: paused */
    uint64_t pad;
};

struct session {
    uint64_t magic;
    uint32_t generation;  /* supervisor: one more after each change of rate, pause or resume */
    uint32_t counter;     /* supervisor, once: enum pvclock_counter of the clock's page */
    uint64_t tdf;         /* supervisor: num << 32 | den; num 0 while paused */
    uint64_t tdf_running; /* supervisor: the last one that was no pause */
    /* supervisor, once: real nanoseconds per tick of the counter, 32 bits behind the point */
    uint64_t tick_ns_fp;
    /* supervisor, once: what these clocks were ahead of CLOCK_MONOTONIC; they stay that far ahead
     * of the domain's clock, CLOCK_BOOTTIME without what the time namespace puts it ahead */
    int64_t boottime_ahead_ns;
    int64_t raw_ahead_ns;
    int64_t tai_ahead_ns; /* of CLOCK_REALTIME, which is shared_info's wall clock */
    /* supervisor, once: ticks of the TSC per real nanosecond, 32 bits behind the point; 0: programs
     * read the real TSC */
    uint64_t tsc_per_ns_fp;
    int64_t
        realtime_ahead_ns; /* supervisor, once: the kernel's CLOCK_REALTIME of CLOCK_MONOTONIC */
    uint32_t span_count;   /* supervisor: of all; the last SESSION_SPANS are kept */
    uint32_t links;        /* the first program: readlink of /proc/self/exe is mediated */
    uint32_t stamps;       /* supervisor: enum session_stamps; grows only */
    uint32_t answers;      /* programs: one more for each of them in held; a futex */
    uint64_t tdf_timers;   /* supervisor: by which timers are armed; see above */
    uint32_t holding;      /* supervisor: it waits for answers */
    uint32_t terminals;    /* programs: 1 from the moment on at which one has set a VTIME */
    /* supervisor, once: by how much its time namespace puts CLOCK_BOOTTIME ahead */
    int64_t namespace_ns;
    int64_t namespace_apart_ns; /* supervisor, once: and of CLOCK_MONOTONIC */
    uint32_t crowded; /* programs: 1 from the moment on at which one stood behind the first slots */
    uint32_t pad;
    /* Programs: who is to be kicked when the generation changes: tgid << 32 | tid; tid 0: any
     * thread of the process, which has armed timers. 0: free. The supervisor frees the slots of
     * the dead. */
    uint64_t waiters[SESSION_WAITERS];
    /* Programs: for the slot of a process with timers, the generation by which all are armed. */
    uint32_t held[SESSION_WAITERS];
    /* Supervisor: by which the stamps that the kernel makes are understood; n at n % SESSION_SPANS.
     */
    struct session_span spans[SESSION_SPANS];
};

/* How many slots are in use, at most. Read before the first of them. */
static inline unsigned session_waiters(const struct session *session)
{
    return load_full_u32(&session->crowded) != 0 ? SESSION_WAITERS : SESSION_WAITERS_FIRST;
}

_Static_assert(sizeof(struct session) == 136 + 12 * SESSION_WAITERS + 32 * SESSION_SPANS,
               "struct session is an ABI");

#endif
