/* SPDX-License-Identifier: MIT */
#include "run/shim/call/reads.h"

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/cputime.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"

/* The last three bits of a negative clock id; 3: a device's clock, others: CPU time of a process or
 * thread. */
enum { CLOCK_KIND_MASK = 7, CLOCK_KIND_DEVICE = 3, NS_PER_CLOCK_TICK = 10000000 };

static long read_cpu(long clock_id, struct timespec *ts)
{
    if ((int)clock_id < 0 && (clock_id & CLOCK_KIND_MASK) == CLOCK_KIND_DEVICE)
        return -EOPNOTSUPP;
    long rc = READ2(SYS_clock_gettime, clock_id, ts);
    if (rc == 0)
        *ts = scale_timespec(
            cputime_to_virtual_ns((uint64_t)ts->tv_sec * SCALE_NS_PER_SEC + (uint64_t)ts->tv_nsec));
    return rc;
}

long reads_clock(long clock_id, struct timespec *ts)
{
    volatile struct timespec *out = ts;
    uint64_t ahead_ns;

    if (!vclock_ahead_ns(clock_id, &ahead_ns))
        return read_cpu(clock_id, ts);
    const struct timespec now = scale_timespec(vclock_now_ns() + ahead_ns);
    out->tv_sec = now.tv_sec; /* in this order: a bad address is told by its first word */
    out->tv_nsec = now.tv_nsec;
    return 0;
}

static uint64_t wall_ns(void)
{
    uint64_t ahead_ns = 0;

    vclock_ahead_ns(CLOCK_REALTIME, &ahead_ns);
    return vclock_now_ns() + ahead_ns;
}

long call_clock_gettime(struct trap *trap)
{
    struct timespec ts;
    long rc = reads_clock((int)trap->args[0], &ts);

    return rc < 0 ? rc : user_write(trap->args[1], &ts, sizeof(ts));
}

long call_gettimeofday(struct trap *trap)
{
    uint64_t ns = wall_ns();
    struct timeval tv = {.tv_sec = (time_t)(ns / SCALE_NS_PER_SEC),
                         .tv_usec = (suseconds_t)(ns % SCALE_NS_PER_SEC / 1000)};

    if (trap->args[0] != 0 && user_write(trap->args[0], &tv, sizeof(tv)) < 0)
        return -EFAULT;
    return SYS2(SYS_gettimeofday, 0, trap->args[1]);
}

long call_time(struct trap *trap)
{
    time_t now = (time_t)(wall_ns() / SCALE_NS_PER_SEC);

    if (trap->args[0] != 0 && user_write(trap->args[0], &now, sizeof(now)) < 0)
        return -EFAULT;
    return now;
}

/* A domain's wall clock is Dom0's matter; other clocks can't be set, nor to no time. */
long call_clock_settime(struct trap *trap)
{
    struct timespec ts;
    uint64_t ns;

    if ((int)trap->args[0] > CLOCK_REALTIME)
        return -EINVAL;
    if (user_read(&ts, trap->args[1], sizeof(ts)) < 0)
        return -EFAULT;
    return scale_from_timespec(&ts, &ns) ? -EPERM : -EINVAL;
}

long call_settimeofday(struct trap *trap)
{
    struct timeval tv = {0};

    if (trap->args[0] == 0 && trap->args[1] == 0)
        return trap_pass(trap); /* sets nothing */
    if (trap->args[0] != 0 && user_read(&tv, trap->args[0], sizeof(tv)) < 0)
        return -EFAULT;
    return tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000 ? -EINVAL : -EPERM;
}

long call_adjtimex(struct trap *trap)
{
    bool by_id = trap->nr == SYS_clock_adjtime;
    long address = trap->args[by_id ? 1 : 0];
    struct timex timex;

    if (user_read(&timex, address, sizeof(timex)) < 0)
        return -EFAULT;
    const bool reads = timex.modes == ADJ_OFFSET_SS_READ && (!by_id || trap->args[0] == 0);
    if (timex.modes != 0 && !reads)
        return -EPERM;
    long rc = by_id ? SYS2(trap->nr, trap->args[0], &timex) : SYS1(trap->nr, &timex);
    if (rc < 0)
        return rc;
    uint64_t ns = wall_ns();
    timex.time.tv_sec = (time_t)(ns / SCALE_NS_PER_SEC);
    timex.time.tv_usec =
        (suseconds_t)(ns % SCALE_NS_PER_SEC / (timex.status & STA_NANO ? 1 : 1000));
    return user_write(address, &timex, sizeof(timex)) < 0 ? -EFAULT : rc;
}

long call_sysinfo(struct trap *trap)
{
    struct sysinfo info;
    uint64_t ahead_ns = 0;
    long rc = SYS1(SYS_sysinfo, &info);

    if (rc < 0)
        return rc;
    vclock_ahead_ns(CLOCK_BOOTTIME, &ahead_ns);
    /* Rounded up, as the kernel does. */
    info.uptime = (long)((vclock_now_ns() + ahead_ns + SCALE_NS_PER_SEC - 1) / SCALE_NS_PER_SEC);
    return user_write(trap->args[0], &info, sizeof(info));
}

long call_times(struct trap *trap)
{
    struct tms tms;
    long rc = SYS1(SYS_times, &tms);

    if (rc < 0)
        return rc;
    clock_t *all[] = {&tms.tms_utime, &tms.tms_stime, &tms.tms_cutime, &tms.tms_cstime};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        *all[i] = (clock_t)scale_to_virtual_ns(process.cpu_tdf, (uint64_t)*all[i], false);
    if (trap->args[0] != 0 && user_write(trap->args[0], &tms, sizeof(tms)) < 0)
        return -EFAULT;
    return (long)(vclock_now_ns() / NS_PER_CLOCK_TICK);
}

static void scale_rusage(struct rusage *rusage)
{
    cputime_scale_timeval(&rusage->ru_utime);
    cputime_scale_timeval(&rusage->ru_stime);
}

long call_getrusage(struct trap *trap)
{
    struct rusage rusage;
    long rc = SYS2(SYS_getrusage, trap->args[0], &rusage);

    if (rc < 0)
        return rc;
    scale_rusage(&rusage);
    return user_write(trap->args[1], &rusage, sizeof(rusage));
}

/* wait4 and waitid with a place for the child's use of resources. */
long call_wait_rusage(struct trap *trap)
{
    unsigned index = trap->nr == SYS_wait4 ? 3 : 4;
    long address = trap->args[index];
    struct rusage rusage = {0};

    trap->args[index] = (long)&rusage;
    long rc = trap_pass(trap);
    trap->args[index] = address;
    /* wait4 returns 0 where there is no child to tell of, and writes nothing then; waitid always 0.
     */
    if (rc < 0 || (rc == 0 && trap->nr == SYS_wait4))
        return rc;
    scale_rusage(&rusage);
    return user_write(address, &rusage, sizeof(rusage)) < 0 ? -EFAULT : rc;
}
