/* SPDX-License-Identifier: MIT */
/*
 * wait: a system call with a time-out, until a time of the domain's clock whatever that clock does
 * meanwhile. Its thread stands in the session's table, so that a change of rate takes it out of the
 * call and it goes in again with what is left (run/session.h).
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_WAIT_H
#define SPLITDOM_RUN_SHIM_CORE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "run/shim/core/stub.h"

/* As timed_out of a call that waits for nothing: no call returns that. */
#define WAIT_NO_TIME_OUT INT64_MIN

/* How a call takes its time-out, always as a struct timespec. */
enum wait_form {
    WAIT_RELATIVE,
    WAIT_ABSOLUTE_MONOTONIC, /* by CLOCK_MONOTONIC */
    WAIT_ABSOLUTE_REALTIME,
    /* Of poll, nr being ppoll with its arguments: its end stays where it is while the process is
     * stopped, ppoll's does not. */
    WAIT_POLL,
};

struct wait {
    uint64_t deadline_ns; /* of the domain's clock; SCALE_FOREVER_NS: none */
    long nr;
    unsigned time_index; /* which argument is the address of the timespec */
    enum wait_form form;
    long timed_out; /* what the call returns when its time is over */
    /* NULL, or what brings back the arguments that a time-out has changed, before the call is made
     * again. */
    void (*restore)(const void *saved);
    const void *saved;
    bool may_fall_short; /* where its time is over it returns what there is: see wait_is_cut */
    /* private */
    uint64_t real_end_ns; /* by CLOCK_MONOTONIC; where it may fall short */
    uint64_t *slot;
    bool own_slot;
    uint32_t generation;
};

/* Deadlines: in so long, and at a time of one of the domain's clocks. */
uint64_t wait_until_ns(uint64_t span_ns);
uint64_t wait_until_abs_ns(uint64_t ahead_ns, uint64_t time_ns);

/* What is left of a deadline in the domain's time; 0 once it is over. */
uint64_t wait_rest_ns(uint64_t deadline_ns);

/* The call, with call->args but for the time-out, until it returns something else than timed_out,
 * or the deadline is over. */
long wait_for(struct wait *wait, struct stub_call *call);

/* After wait_for with a result above 0, of a call that may fall short: has a change of rate ended
 * it, or a time-out before the deadline, and no signal of the program's? */
bool wait_is_cut(const struct wait *wait, const struct stub_call *call);

/* A call without a time-out, begun again when a kick has ended it. */
long wait_unbounded(long nr, struct stub_call *call);

/* This process has timers: it stands in the table from then on. True: it did not before, and there
 * was room. */
bool wait_register_timers(int32_t pid);

/* All timers of this process are armed by that generation: the supervisor may wait for that. */
void wait_tell_held(int32_t pid, uint32_t generation);

#endif
