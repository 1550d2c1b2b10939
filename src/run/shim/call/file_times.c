/* SPDX-License-Identifier: MIT */
/*
 * file_times: what stat tells of a file's times, and what utimensat sets.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

#include "run/shim/call/calls.h"
#include "run/shim/core/stamp.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/user.h"

static struct trap with(const struct trap *trap, unsigned index, void *own)
{
    struct trap other = *trap;

    other.args[index] = (long)own;
    return other;
}

/* stat, fstat, lstat, newfstatat. The kernel has just written there, so we may. */
long call_stat(struct trap *trap)
{
    struct stat *stat = (struct stat *)trap->args[trap->nr == SYS_newfstatat ? 2 : 1];
    long rc = trap_pass(trap);

    if (rc < 0)
        return rc;
    stamp_show(&stat->st_atim);
    stamp_show(&stat->st_mtim);
    stamp_show(&stat->st_ctim);
    return rc;
}

static void show(struct statx_timestamp *stamp)
{
    struct timespec ts = {.tv_sec = stamp->tv_sec, .tv_nsec = stamp->tv_nsec};

    stamp_show(&ts);
    stamp->tv_sec = ts.tv_sec;
    stamp->tv_nsec = (uint32_t)ts.tv_nsec;
}

long call_statx(struct trap *trap)
{
    struct statx *stat = (struct statx *)trap->args[4];
    long rc = trap_pass(trap);

    if (rc < 0)
        return rc;
    show(&stat->stx_atime);
    show(&stat->stx_mtime);
    show(&stat->stx_ctime);
    show(&stat->stx_btime);
    return rc;
}

static void set(struct timespec *ts)
{
    /* None: UTIME_NOW, UTIME_OMIT, or what the kernel refuses. */
    if (ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000)
        stamp_set(ts);
}

long call_utimensat(struct trap *trap)
{
    struct timespec times[2];
    struct trap own = with(trap, 2, times);

    if (user_read(times, trap->args[2], sizeof(times)) < 0)
        return -EFAULT;
    set(&times[0]);
    set(&times[1]);
    return trap_pass(&own);
}

/* utimes, futimesat. */
long call_utimes(struct trap *trap)
{
    const unsigned index = trap->nr == SYS_futimesat ? 2 : 1;
    struct timespec times[2];
    struct timeval from[2];

    if (user_read(from, trap->args[index], sizeof(from)) < 0)
        return -EFAULT;
    for (unsigned i = 0; i < 2; i++) {
        if (from[i].tv_usec < 0 || from[i].tv_usec >= 1000000)
            return -EINVAL;
        times[i] = (struct timespec){.tv_sec = from[i].tv_sec, .tv_nsec = from[i].tv_usec * 1000};
        stamp_set(&times[i]);
    }
    if (trap->nr == SYS_futimesat)
        return SYS4(SYS_utimensat, trap->args[0], trap->args[1], times, 0);
    return SYS4(SYS_utimensat, AT_FDCWD, trap->args[0], times, 0);
}

long call_utime(struct trap *trap)
{
    struct utimbuf from;

    if (user_read(&from, trap->args[1], sizeof(from)) < 0)
        return -EFAULT;
    struct timespec times[2] = {{.tv_sec = from.actime}, {.tv_sec = from.modtime}};
    stamp_set(&times[0]);
    stamp_set(&times[1]);
    return SYS4(SYS_utimensat, AT_FDCWD, trap->args[0], times, 0);
}
