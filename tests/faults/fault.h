/* SPDX-License-Identifier: MIT */
/*
 * fault: makes the calls of this program fail, one after the other.
 *
 * The program is linked with --wrap for each function of fault_calls.c (tests.mk lists them), so
 * that what our own code asks of memory, descriptors, threads and io_uring passes through here;
 * what the C library asks for itself does not. A walk arms the first call, then the second, and so
 * on, until a run asks for less than that:
 *
 *     for (uint64_t n = 1; ; n++) {
 *         fault_arm(n, FAULT_ONCE);
 *         ... what is to be tested ...
 *         if (fault_disarm() == NULL)
 *             break;
 *         ... nothing has leaked, everything else still works ...
 *     }
 *
 * Each unit test is linked that way, too: fault_walk.h has the loop above for one function, and
 * fault_arm_call makes one call of one name fail, for what a walk cannot tell apart. A unit test
 * that brings the __wrap_NAME of such a call itself (the Makefile's WRAP) has none of these.
 *
 * All threads of the process count together. A program that has no main of ours takes its orders
 * from the environment: FAULT_PLAN is "once=N" (the Nth call fails), "burst=N" (that one and the
 * next FAULT_BURST_CALLS - 1) or "eintr=N" (each Nth call that a signal may interrupt is), and the
 * names of the calls that failed are appended to the file FAULT_LOG. Where one failed: gdb, with a
 * break point on `struck`.
 */
#ifndef SPLITDOM_TESTS_FAULTS_FAULT_H
#define SPLITDOM_TESTS_FAULTS_FAULT_H

#include <errno.h> /* what fault_arm_call is given */
#include <stdbool.h>
#include <stdint.h>

enum { FAULT_BURST_CALLS = 16 };

enum fault_plan {
    FAULT_NONE,
    FAULT_ONCE,  /* the nth call fails */
    FAULT_BURST, /* the nth call and some after it: whoever cleans up or tries again fails, too */
    FAULT_EINTR, /* each nth call that a signal may interrupt says EINTR */
    FAULT_CALL,  /* the nth call of one name fails: fault_arm_call */
};

/* n counts from 1, and from now. */
void fault_arm(uint64_t n, enum fault_plan plan);

/* The nth call of this name fails with this errno (n 0: each does), and no other call does. The
 * name is one of tests.mk's FAULT_CALLS, and stays with the caller. */
void fault_arm_call(const char *name, uint64_t n, int error);

/* From now on all goes well. Returns the name of the first call that failed, or NULL. */
const char *fault_disarm(void);

/* Whether this call, of that name, is to fail: for fault_calls.c. */
bool fault_strikes(const char *name);
bool fault_interrupts(const char *name);
/* The same for a call that no walk makes fail, only fault_arm_call. */
bool fault_is_named(const char *name);
/* What such a call says then: usual, if nobody has asked for another error. */
int fault_error(int usual);

/* Blocks of memory that our code has and has not given back. */
int64_t fault_live_blocks(void);
void fault_count_blocks(int64_t more);

/* Descriptors that this process has open, and mappings of domains' memory. */
uint32_t fault_open_descriptors(void);
uint32_t fault_mapped_segments(void);

#endif
