/* SPDX-License-Identifier: MIT */
/*
 * cputime: CPU time as the program sees it: divided by the TDF, as its clocks are, so that a
 * program that computes all the time uses one second of CPU time in a second. By one factor from
 * exec to exec: CPU time never steps back, and a change of rate does not reach it.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_CPUTIME_H
#define SPLITDOM_RUN_SHIM_CALL_CPUTIME_H

#include <stdint.h>
#include <sys/time.h>

#include "run/shim/core/process.h"
#include "run/shim/core/time_scale.h"

static inline uint64_t cputime_to_real_ns(uint64_t ns)
{
    return scale_to_real_ns(process.cpu_tdf, ns);
}

static inline uint64_t cputime_to_virtual_ns(uint64_t real_ns)
{
    return scale_to_virtual_ns(process.cpu_tdf, real_ns, false);
}

static inline void cputime_scale_timeval(struct timeval *tv)
{
    uint64_t us = (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;

    us = scale_to_virtual_ns(process.cpu_tdf, us, false);
    *tv =
        (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
}

#endif
