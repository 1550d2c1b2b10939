/* SPDX-License-Identifier: MIT */
/*
 * sleep: nanosleep and clock_nanosleep.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/cputime.h"
#include "run/shim/core/process.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

static long sleep_until(uint64_t deadline_ns, long rest_address)
{
    struct wait wait = {.deadline_ns = deadline_ns, .nr = SYS_clock_nanosleep, .time_index = 2};
    struct stub_call call = {.args = {CLOCK_MONOTONIC, 0, 0, 0}};

    wait.timed_out = 0;
    long rc = wait_for(&wait, &call);
    if (rc == -EINTR && rest_address != 0) {
        struct timespec rest = scale_timespec(wait_rest_ns(deadline_ns));
        if (user_write(rest_address, &rest, sizeof(rest)) < 0)
            return -EFAULT;
    }
    return rc;
}

long call_nanosleep(struct trap *trap)
{
    struct timespec ts;
    uint64_t span_ns;

    if (user_read(&ts, trap->args[0], sizeof(ts)) < 0)
        return -EFAULT;
    if (!scale_from_timespec(&ts, &span_ns))
        return -EINVAL;
    return sleep_until(wait_until_ns(span_ns), trap->args[1]);
}

/* By a CPU-time clock, in real CPU time, and until a time: a kick may end it, which begins again.
 */
static long sleep_by_cpu(const struct trap *trap, uint64_t ns)
{
    struct stub_call call = {.args = {trap->args[0], TIMER_ABSTIME, 0, 0}};
    struct timespec now, until;
    uint64_t now_ns = 0, until_ns = cputime_to_real_ns(ns);

    if (!(trap->args[1] & TIMER_ABSTIME)) {
        if (SYS2(SYS_clock_gettime, trap->args[0], &now) == 0)
            scale_from_timespec(&now, &now_ns);
        until_ns = scale_capped((scale_u128)until_ns + now_ns);
    }
    until = scale_timespec(until_ns);
    call.args[2] = (long)&until;
    long rc = wait_unbounded(SYS_clock_nanosleep, &call);
    if (rc != -EINTR || trap->args[3] == 0 || (trap->args[1] & TIMER_ABSTIME))
        return rc;
    struct timespec rest = {0};
    if (SYS2(SYS_clock_gettime, trap->args[0], &now) == 0 && scale_from_timespec(&now, &now_ns) &&
        now_ns < until_ns)
        rest = scale_timespec(scale_to_virtual_ns(process.cpu_tdf, until_ns - now_ns, true));
    return user_write(trap->args[3], &rest, sizeof(rest)) < 0 ? -EFAULT : rc;
}

long call_clock_nanosleep(struct trap *trap)
{
    const struct timespec none = {0};
    struct timespec ts;
    uint64_t ns, ahead_ns;

    if (user_read(&ts, trap->args[2], sizeof(ts)) < 0)
        return trap_pass(trap); /* the kernel says which error that is */
    if (!scale_from_timespec(&ts, &ns))
        return -EINVAL;
    if (trap->args[0] == CLOCK_REALTIME_ALARM || trap->args[0] == CLOCK_BOOTTIME_ALARM) {
        /* May this process, on this machine? */
        long rc = SYS4(SYS_clock_nanosleep, trap->args[0], 0, &none, 0);
        if (rc < 0)
            return rc;
    }
    if (!vclock_ahead_ns(trap->args[0], &ahead_ns) || trap->args[0] == CLOCK_MONOTONIC_RAW ||
        trap->args[0] == CLOCK_MONOTONIC_COARSE || trap->args[0] == CLOCK_REALTIME_COARSE)
        return sleep_by_cpu(trap, ns); /* the kernel refuses those that can't be slept by */
    if (trap->args[1] & TIMER_ABSTIME)
        return sleep_until(wait_until_abs_ns(ahead_ns, ns), 0);
    return sleep_until(wait_until_ns(ns), trap->args[3]);
}
