/* SPDX-License-Identifier: MIT */
/*
 * refuse: what would take a program out of mediation, or a part of its time.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "run/session.h"
#include "run/shim/call/calls.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/user.h"

/* A filter of the program's own would also judge the calls that the shim makes in its place: as on
 * a kernel without filters. */
long call_seccomp(struct trap *trap)
{
    if (trap->args[0] == SECCOMP_SET_MODE_STRICT || trap->args[0] == SECCOMP_SET_MODE_FILTER)
        return -EINVAL;
    return trap_pass(trap);
}

/* And without the TSC the shim could not read the clock. Dispatch to the program would come before
 * the filter, in the shim's own calls, too. */
long call_prctl(struct trap *trap)
{
    static const int enabled = PR_TSC_ENABLE;

    if (trap->args[0] == PR_GET_TSC && process.tsc)
        return user_write(trap->args[1], &enabled, sizeof(enabled));
    if (trap->args[0] == PR_SET_SECCOMP)
        return -EINVAL;
    if (trap->args[0] == FILTER_USER_DISPATCH && trap->args[1] != 0)
        return -EINVAL;
    if (trap->args[0] == PR_SET_TSC && trap->args[1] != PR_TSC_ENABLE)
        return -EINVAL;
    /* Where rdtsc is dilated it stays trapped. */
    return trap->args[0] == PR_SET_TSC && process.tsc ? 0 : trap_pass(trap);
}

/* Its time-outs lie in memory that the kernel reads by itself: as on a kernel without io_uring. */
long call_io_uring(struct trap *trap)
{
    (void)trap;
    return -ENOSYS;
}

/* The descriptors that an exec needs: as if they were not there. */
long call_close(struct trap *trap)
{
    (void)trap;
    return -EBADF;
}

long call_dup_onto(struct trap *trap)
{
    return trap->args[0] == trap->args[1] ? trap->args[1] : -EBADF;
}

/* All but these; with CLOSE_RANGE_CLOEXEC, too. */
long call_close_range(struct trap *trap)
{
    const unsigned first = (unsigned)trap->args[0], last = (unsigned)trap->args[1];
    const unsigned low = (unsigned)process.fds, high = low + SESSION_FDS - 1;
    long rc = 0;

    if (first > last || last < low || first > high)
        return trap_pass(trap);
    if (first < low)
        rc = SYS3(SYS_close_range, first, low - 1, trap->args[2]);
    if (rc == 0 && last > high)
        rc = SYS3(SYS_close_range, high + 1, last, trap->args[2]);
    return rc;
}
