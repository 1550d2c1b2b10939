/* SPDX-License-Identifier: MIT */
/*
 * futex: the waits that take a time-out: all of a libc's conditions, mutexes, semaphores, joins.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static int read_time(long address, uint64_t *ns)
{
    struct timespec ts;

    if (user_read(&ts, address, sizeof(ts)) < 0)
        return -EFAULT;
    return scale_from_timespec(&ts, ns) ? 0 : -EINVAL;
}

static uint64_t deadline_by(long clock_id, uint64_t time_ns)
{
    uint64_t ahead_ns = 0;

    vclock_ahead_ns(clock_id, &ahead_ns);
    return wait_until_abs_ns(ahead_ns, time_ns);
}

long call_futex(struct trap *trap)
{
    int op = (int)trap->args[1];
    struct wait wait = {.nr = SYS_futex, .time_index = 3, .timed_out = -ETIMEDOUT};
    struct stub_call call = {
        .args = {trap->args[0], op, trap->args[2], 0, trap->args[4], trap->args[5]}};
    uint64_t ns;

    int rc = read_time(trap->args[3], &ns);
    if (rc < 0)
        return rc;
    long clock_id = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        wait.deadline_ns = wait_until_ns(ns);
        break;
    case FUTEX_LOCK_PI: /* always by CLOCK_REALTIME, whatever the flag */
        wait.deadline_ns = deadline_by(CLOCK_REALTIME, ns);
        wait.form = WAIT_ABSOLUTE_REALTIME;
        break;
    default: /* FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2 */
        wait.deadline_ns = deadline_by(clock_id, ns);
        wait.form = WAIT_ABSOLUTE_MONOTONIC;
        call.args[1] = op & ~FUTEX_CLOCK_REALTIME;
    }
    return wait_for(&wait, &call);
}

/* futex_waitv and futex_wait: the time is absolute, by the clock in the argument behind it. */
static long by_clock(const struct trap *trap, unsigned time_index)
{
    struct wait wait = {.nr = trap->nr,
                        .time_index = time_index,
                        .timed_out = -ETIMEDOUT,
                        .form = WAIT_ABSOLUTE_MONOTONIC};
    struct stub_call call = {.args = {trap->args[0], trap->args[1], trap->args[2], trap->args[3],
                                      trap->args[4], trap->args[5]}};
    int clock_id = (int)trap->args[time_index + 1];
    uint64_t ns;

    if (clock_id != CLOCK_MONOTONIC && clock_id != CLOCK_REALTIME)
        return -EINVAL;
    int rc = read_time(trap->args[time_index], &ns);
    if (rc < 0)
        return rc;
    wait.deadline_ns = deadline_by(clock_id, ns);
    call.args[time_index + 1] = CLOCK_MONOTONIC;
    return wait_for(&wait, &call);
}

long call_futex_waitv(struct trap *trap)
{
    return by_clock(trap, 3);
}

long call_futex_wait(struct trap *trap)
{
    return by_clock(trap, 4);
}
