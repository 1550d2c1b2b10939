/* SPDX-License-Identifier: MIT */
#include "run/shim/call/timers_kernel.h"

#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "run/shim/core/stub.h"

long timers_set_kernel(const struct timers_record *record, long flags,
                       const struct itimerspec *spec)
{
    int number = (int)(uint32_t)record->key;
    struct itimerval val;

    switch (record->key >> 32) {
    case TIMERS_FD:
        return SYS4(SYS_timerfd_settime, number, flags, spec, 0);
    case TIMERS_POSIX:
        return SYS4(SYS_timer_settime, number, flags, spec, 0);
    default:
        val.it_value.tv_sec = spec->it_value.tv_sec;
        val.it_value.tv_usec = (spec->it_value.tv_nsec + 999) / 1000;
        val.it_interval.tv_sec = spec->it_interval.tv_sec;
        val.it_interval.tv_usec = (spec->it_interval.tv_nsec + 999) / 1000;
        for (struct timeval *tv = &val.it_value; tv->tv_usec >= 1000000;) {
            tv->tv_usec -= 1000000;
            tv->tv_sec++;
        }
        for (struct timeval *tv = &val.it_interval; tv->tv_usec >= 1000000;) {
            tv->tv_usec -= 1000000;
            tv->tv_sec++;
        }
        return SYS3(SYS_setitimer, number, &val, 0);
    }
}

long timers_get_kernel(const struct timers_record *record, struct itimerspec *spec)
{
    int number = (int)(uint32_t)record->key;
    struct itimerval val;
    long rc;

    switch (record->key >> 32) {
    case TIMERS_FD:
        return SYS2(SYS_timerfd_gettime, number, spec);
    case TIMERS_POSIX:
        return SYS2(SYS_timer_gettime, number, spec);
    default:
        rc = SYS2(SYS_getitimer, number, &val);
        spec->it_value = (struct timespec){val.it_value.tv_sec, val.it_value.tv_usec * 1000};
        spec->it_interval =
            (struct timespec){val.it_interval.tv_sec, val.it_interval.tv_usec * 1000};
        return rc;
    }
}
