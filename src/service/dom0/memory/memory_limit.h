/* SPDX-License-Identifier: MIT */
/*
 * memory_limit: how much memory all domains may have together.
 *
 * Files in memory have no limit of their own, as /dev/shm has: without one, domains without end
 * would have the kernel end Dom0 for want of memory, and all domains with it.
 */
#ifndef SPLITDOM_SERVICE_DOM0_MEMORY_MEMORY_LIMIT_H
#define SPLITDOM_SERVICE_DOM0_MEMORY_MEMORY_LIMIT_H

#include <stdint.h>

/* Where a container's limit stands, as the container itself sees it (cgroup v2). */
#define MEMORY_LIMIT_CGROUP "/sys/fs/cgroup/memory.max"

/*
 * Half of machine_bytes, or of the limit that stands in the file if that is less. No such file, or
 * no number in it ("max"): there is no limit.
 */
uint64_t memory_limit_bytes(uint64_t machine_bytes, const char *cgroup_file);

/* What the machine has. */
uint64_t memory_limit_machine_bytes(void);

#endif
