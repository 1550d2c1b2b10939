/* SPDX-License-Identifier: MIT */
/* pin: a process on one processor of its own, so that two that spin for each other never share one.
 */
#ifndef SPLITDOM_BENCH_PIN_H
#define SPLITDOM_BENCH_PIN_H

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* What this process may use; CPU_COUNT tells how many. One processor if the kernel doesn't say. */
static inline cpu_set_t pin_allowed(void)
{
    cpu_set_t allowed;

    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        CPU_SET(0, &allowed);
    return allowed;
}

/* To the nth of them, from 0. Unpinned is worse, not wrong: says so and goes on. */
static inline void pin_to(const cpu_set_t *allowed, unsigned nth)
{
    cpu_set_t set;
    unsigned cpu = 0;

    while (cpu < CPU_SETSIZE - 1 && (!CPU_ISSET(cpu, allowed) || nth-- > 0))
        cpu++;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        fprintf(stderr, "not pinned to CPU %u, figures will vary more: %s\n", cpu, strerror(errno));
}

#endif
