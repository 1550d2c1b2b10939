/* SPDX-License-Identifier: MIT */
/*
 * cpu_limit: how much of a CPU a program and its descendants may have together, by a control group
 * of their own: version 2 (cpu.max), or version 1 (cpu.cfs_quota_us).
 *
 * The group lies in the caller's own, or in the nearest one above where one may be made. Its name
 * has the caller's pid; what a caller that was killed has left is removed by the next one.
 */
#ifndef SPLITDOM_RUN_CPU_LIMIT_H
#define SPLITDOM_RUN_CPU_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/why.h"

enum { CPU_LIMIT_PATH_SIZE = 4096 };

struct cpu_limit {
    char path[CPU_LIMIT_PATH_SIZE]; /* of the group; empty: there is none */
    bool unified;                   /* version 2 */
};

/* Zeroed: none, with which the other calls do nothing. */

/* Makes the group, without a limit. Errors: -errno, with the reason in why; then there is none. */
int cpu_limit_create(struct cpu_limit *limit, struct why *why);

/* num/den of one CPU, for all in the group together; 1: no limit. At least 1/1000. */
int cpu_limit_set(const struct cpu_limit *limit, uint64_t num, uint64_t den, struct why *why);

/* Puts the calling process in. For a child after fork: no memory, no lock. Errors: -errno. */
int cpu_limit_enter(const struct cpu_limit *limit);

/* Puts another process in, with all its threads, and whom it forks from then on. 1: done, 0: it was
 * in. Errors: -errno; -ESRCH: it has ended. */
int cpu_limit_take(const struct cpu_limit *limit, pid_t pid);

/* Removes the group. Whoever is still in it keeps it alive: it stays, and is removed by a later
 * caller of cpu_limit_create. */
void cpu_limit_destroy(struct cpu_limit *limit);

#endif
