/* SPDX-License-Identifier: MIT */
/* placement: where the two sides of a measurement run, and what time it is. */
#ifndef SPLITDOM_BENCH_PLACEMENT_H
#define SPLITDOM_BENCH_PLACEMENT_H

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>

/* CPU numbers, -1: wherever the kernel likes. */
struct placement {
    int cpu[2];
};

/* Reads "A,B" or "none". Returns 0 or -EINVAL. */
static inline int placement_parse(const char *text, struct placement *out)
{
    int a, b, end = 0;

    if (sscanf(text, "none%n", &end) == 0 && end > 0 && text[end] == '\0') {
        *out = (struct placement){{-1, -1}};
        return 0;
    }
    end = 0;
    if (sscanf(text, "%d,%d%n", &a, &b, &end) != 2 || text[end] != '\0' || a < 0 || b < 0)
        return -EINVAL;
    *out = (struct placement){{a, b}};
    return 0;
}

/* Binds the calling thread. Returns 0 or -errno. */
static inline int placement_bind(int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return 0;
    if (cpu >= CPU_SETSIZE)
        return -EINVAL;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : -errno;
}

#endif
