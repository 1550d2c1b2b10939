/* SPDX-License-Identifier: MIT */
/*
 * timer_calls: timerfd, POSIX timers, interval timers and alarm.
 *
 * A timer by a clock of the domain's has a record (timers.h). One by a CPU-time clock needs none:
 * the factor of CPU time does not change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/cputime.h"
#include "run/shim/call/timers.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum { FDINFO_BYTES = 512 };

/* The number behind a word of a file of /proc; -1: not there. */
static int number_behind(const char *text, size_t size, const char *word)
{
    for (size_t i = 0; i < size; i++) {
        size_t k = 0;
        while (word[k] != '\0' && i + k < size && text[i + k] == word[k])
            k++;
        if (word[k] != '\0')
            continue;
        int value = -1;
        for (i += k; i < size && (text[i] == ' ' || text[i] == '\t'); i++)
            ;
        for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
            value = (value < 0 ? 0 : value) * 10 + (text[i] - '0');
        return value;
    }
    return -1;
}

/* The clock of a descriptor, as /proc tells it; -1: no timerfd, or no such file, which can be. */
static int told_clock(int fd)
{
    char path[] = "/proc/self/fdinfo/0000000000", text[FDINFO_BYTES];
    size_t end = sizeof("/proc/self/fdinfo/") - 1, digits = 1;

    if (fd < 0)
        return -1;
    for (int rest = fd; rest >= 10; rest /= 10)
        digits++;
    for (size_t i = digits; i-- > 0; fd /= 10)
        path[end + i] = (char)('0' + fd % 10);
    path[end + digits] = '\0';
    long file = SYS3(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return -1;
    long size = SYS3(SYS_read, file, text, sizeof(text));
    SYS1(SYS_close, file);
    return size <= 0 ? -1 : number_behind(text, (size_t)size, "clockid:");
}

/* The clock of a timerfd; -1: it is none. Where /proc is of no use, as in a root of the program's
 * own, or with no descriptor left for it, that is what it was made with. */
static int clock_of_fd(int fd, int made_with)
{
    struct itimerspec spec;
    const int told = told_clock(fd);

    if (told >= 0)
        return told;
    if (SYS2(SYS_timerfd_gettime, fd, &spec) < 0)
        return -1;
    return made_with >= 0 ? made_with : TIMERS_CLOCK_UNTOLD;
}

static bool is_zero(const struct timespec *ts)
{
    return ts->tv_sec == 0 && ts->tv_nsec == 0;
}

static struct timespec cpu_scaled(const struct timespec *ts, bool to_real)
{
    uint64_t ns;

    if (!scale_from_timespec(ts, &ns) || ns == 0)
        return *ts;
    ns = to_real ? cputime_to_real_ns(ns) : scale_to_virtual_ns(process.cpu_tdf, ns, true);
    return scale_timespec(ns == 0 ? 1 : ns);
}

/* timer_settime, timerfd_settime by a clock of CPU time. */
static long settime_cpu(const struct trap *trap, struct itimerspec spec)
{
    struct itimerspec old;

    spec.it_value = cpu_scaled(&spec.it_value, true);
    spec.it_interval = cpu_scaled(&spec.it_interval, true);
    long rc = SYS4(trap->nr, trap->args[0], trap->args[1], &spec, trap->args[3] ? &old : NULL);
    if (rc < 0 || trap->args[3] == 0)
        return rc;
    old.it_value = cpu_scaled(&old.it_value, false);
    old.it_interval = cpu_scaled(&old.it_interval, false);
    return user_write(trap->args[3], &old, sizeof(old));
}

static long settime(const struct trap *trap, struct timers_record *record, struct itimerspec *spec)
{
    uint64_t value_ns, interval_ns, ahead_ns = 0;
    long rc;

    if (!scale_from_timespec(&spec->it_value, &value_ns) ||
        !scale_from_timespec(&spec->it_interval, &interval_ns))
        return -EINVAL;
    struct itimerspec old = timers_left(record);
    if (is_zero(&spec->it_value)) {
        rc = SYS4(trap->nr, trap->args[0], trap->args[1], spec, 0);
        record->armed = false;
    } else {
        vclock_ahead_ns(record->clock_id, &ahead_ns);
        record->deadline_ns = trap->args[1] & TIMER_ABSTIME ? wait_until_abs_ns(ahead_ns, value_ns)
                                                            : wait_until_ns(value_ns);
        record->interval_ns = interval_ns;
        rc = timers_arm(record, trap->args[1]);
    }
    if (rc < 0 || trap->args[3] == 0)
        return rc;
    return user_write(trap->args[3], &old, sizeof(old));
}

static struct timers_record *record_of(const struct trap *trap)
{
    bool fd = trap->nr == SYS_timerfd_settime || trap->nr == SYS_timerfd_gettime;
    int number = (int)trap->args[0];
    struct timers_record *record = timers_take(fd ? TIMERS_FD : TIMERS_POSIX, number, fd);

    /* Cheap and always right: a number that was closed can be another timer's now. */
    if (record != NULL && fd)
        record->clock_id = clock_of_fd(number, record->clock_id);
    return record;
}

static long any_settime(struct trap *trap)
{
    struct itimerspec spec;
    uint64_t ahead_ns;
    long rc;

    if (user_read(&spec, trap->args[2], sizeof(spec)) < 0)
        return trap_pass_at_once(trap); /* the kernel says which error that is */
    struct timers_record *record = record_of(trap);
    if (record == NULL)
        return trap->nr == SYS_timer_settime ? settime_cpu(trap, spec) : -ENOMEM;
    if (record->clock_id < 0 || !vclock_ahead_ns(record->clock_id, &ahead_ns)) {
        timers_forget(record);
        return trap_pass_at_once(trap); /* no timer: the kernel says which error that is */
    }
    rc = settime(trap, record, &spec);
    timers_release(record);
    return rc;
}

static long any_gettime(struct trap *trap)
{
    struct itimerspec spec;
    uint64_t ahead_ns;
    struct timers_record *record = record_of(trap);

    if (record != NULL && record->armed) {
        spec = timers_left(record);
        timers_release(record);
        return user_write(trap->args[1], &spec, sizeof(spec));
    }
    bool clock = record != NULL && vclock_ahead_ns(record->clock_id, &ahead_ns);
    if (record != NULL)
        timers_release(record);
    long rc = SYS2(trap->nr, trap->args[0], &spec);
    if (rc < 0)
        return rc;
    if (clock) { /* armed by another process, which shares it */
        uint64_t ns = 0;
        scale_from_timespec(&spec.it_value, &ns);
        spec.it_value = scale_timespec(scale_to_virtual_ns(vclock_tdf_running(), ns, true));
        scale_from_timespec(&spec.it_interval, &ns);
        spec.it_interval = scale_timespec(scale_to_virtual_ns(vclock_tdf_running(), ns, true));
    } else {
        spec.it_value = cpu_scaled(&spec.it_value, false);
        spec.it_interval = cpu_scaled(&spec.it_interval, false);
    }
    return user_write(trap->args[1], &spec, sizeof(spec));
}

long call_timer_create(struct trap *trap)
{
    int id;
    uint64_t ahead_ns;
    long rc = trap_pass_at_once(trap);

    if (rc < 0 || !vclock_ahead_ns(trap->args[0], &ahead_ns) ||
        user_read(&id, trap->args[2], sizeof(id)) < 0)
        return rc;
    struct timers_record *record = timers_take(TIMERS_POSIX, id, true);
    if (record == NULL) {
        SYS1(SYS_timer_delete, id);
        return -EAGAIN;
    }
    record->clock_id = (int)trap->args[0];
    record->signal = timer_signal_of(trap->args[1]);
    timers_release(record);
    return rc;
}

long call_timer_delete(struct trap *trap)
{
    struct timers_record *record = timers_take(TIMERS_POSIX, (int)trap->args[0], false);

    if (record != NULL)
        timers_forget(record);
    return trap_pass_at_once(trap);
}

long call_timer_settime(struct trap *trap)
{
    return any_settime(trap);
}

long call_timer_gettime(struct trap *trap)
{
    return any_gettime(trap);
}

/* A number that is used again must not keep the old timer's record. */
long call_timerfd_create(struct trap *trap)
{
    long fd = trap_pass_at_once(trap);

    if (fd >= 0) {
        struct timers_record *record = timers_take(TIMERS_FD, (int)fd, true);
        if (record != NULL) {
            timers_made(record, (int)trap->args[0]);
            timers_release(record);
        }
    }
    return fd;
}

long call_timerfd_settime(struct trap *trap)
{
    return any_settime(trap);
}

long call_timerfd_gettime(struct trap *trap)
{
    return any_gettime(trap);
}

static bool is_valid(const struct timeval *tv)
{
    return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < 1000000;
}

static struct timespec from_timeval(const struct timeval *tv)
{
    return (struct timespec){.tv_sec = tv->tv_sec, .tv_nsec = tv->tv_usec * 1000};
}

static struct timeval to_timeval(const struct timespec *ts)
{
    struct timeval tv = {.tv_sec = ts->tv_sec, .tv_usec = (ts->tv_nsec + 999) / 1000};

    if (tv.tv_usec == 1000000)
        tv = (struct timeval){.tv_sec = tv.tv_sec + 1};
    return tv;
}

/* ITIMER_REAL; the old value goes to *old. */
static long set_real_itimer(const struct itimerspec *spec, struct itimerspec *old)
{
    struct trap trap = {.nr = SYS_setitimer};
    struct itimerval none = {0};
    uint64_t value_ns = 0;

    scale_from_timespec(&spec->it_value, &value_ns);
    struct timers_record *record = timers_take(TIMERS_ITIMER, ITIMER_REAL, true);
    if (record == NULL)
        return -EAGAIN;
    *old = timers_left(record);
    record->clock_id = CLOCK_MONOTONIC;
    long rc = 0;
    if (value_ns == 0) {
        trap.args[0] = ITIMER_REAL;
        trap.args[1] = (long)&none;
        rc = trap_pass_at_once(&trap);
        record->armed = false;
    } else {
        record->deadline_ns = wait_until_ns(value_ns);
        scale_from_timespec(&spec->it_interval, &record->interval_ns);
        rc = timers_arm(record, 0);
    }
    timers_release(record);
    return rc;
}

static long store_itimer(long address, const struct itimerspec *spec)
{
    struct itimerval val = {.it_value = to_timeval(&spec->it_value),
                            .it_interval = to_timeval(&spec->it_interval)};

    return user_write(address, &val, sizeof(val));
}

static long cpu_itimer(const struct trap *trap, const struct itimerspec *spec, long old_address)
{
    struct timespec value = cpu_scaled(&spec->it_value, true);
    struct timespec interval = cpu_scaled(&spec->it_interval, true);
    struct itimerval val = {.it_value = to_timeval(&value), .it_interval = to_timeval(&interval)},
                     old;

    long rc = SYS3(SYS_setitimer, trap->args[0], &val, &old);
    if (rc < 0 || old_address == 0)
        return rc;
    struct itimerspec shown = {.it_value = from_timeval(&old.it_value),
                               .it_interval = from_timeval(&old.it_interval)};
    shown.it_value = cpu_scaled(&shown.it_value, false);
    shown.it_interval = cpu_scaled(&shown.it_interval, false);
    return store_itimer(old_address, &shown);
}

long call_setitimer(struct trap *trap)
{
    struct itimerval val = {0};
    struct itimerspec old;

    if (trap->args[1] != 0 && user_read(&val, trap->args[1], sizeof(val)) < 0)
        return -EFAULT;
    if (!is_valid(&val.it_value) || !is_valid(&val.it_interval))
        return -EINVAL;
    struct itimerspec spec = {.it_value = from_timeval(&val.it_value),
                              .it_interval = from_timeval(&val.it_interval)};
    if ((int)trap->args[0] != ITIMER_REAL)
        return cpu_itimer(trap, &spec, trap->args[2]);
    long rc = set_real_itimer(&spec, &old);
    return rc < 0 || trap->args[2] == 0 ? rc : store_itimer(trap->args[2], &old);
}

long call_getitimer(struct trap *trap)
{
    struct itimerval val;
    struct itimerspec spec = {0};

    if ((int)trap->args[0] == ITIMER_REAL) {
        struct timers_record *record = timers_take(TIMERS_ITIMER, ITIMER_REAL, false);
        if (record != NULL) {
            spec = timers_left(record);
            timers_release(record);
        }
        return store_itimer(trap->args[1], &spec);
    }
    long rc = SYS2(SYS_getitimer, trap->args[0], &val);
    if (rc < 0)
        return rc;
    spec.it_value = from_timeval(&val.it_value);
    spec.it_interval = from_timeval(&val.it_interval);
    spec.it_value = cpu_scaled(&spec.it_value, false);
    spec.it_interval = cpu_scaled(&spec.it_interval, false);
    return store_itimer(trap->args[1], &spec);
}

/* The seconds that were left, as the kernel rounds them: to the nearest, but never to none. */
long call_alarm(struct trap *trap)
{
    struct itimerspec spec = {.it_value.tv_sec = (time_t)(unsigned)trap->args[0]}, old;
    long rc = set_real_itimer(&spec, &old);

    if (rc < 0)
        return rc;
    long seconds = old.it_value.tv_sec;
    if (old.it_value.tv_nsec >= 500000000 || (seconds == 0 && old.it_value.tv_nsec > 0))
        seconds++;
    return seconds;
}
