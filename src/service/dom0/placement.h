/* SPDX-License-Identifier: MIT */
/*
 * placement: which CPU Dom0's loop runs on.
 *
 * A disk with one queue interrupts one CPU. If Dom0 waits for reads on another one, each completion
 * wakes that CPU by an interprocessor interrupt, out of its halt: in a virtual machine that costs
 * more than the rest of Dom0's work on the read. So Dom0 looks for the CPU where reads of the image
 * complete, and stays there as long as most requests need the disk. Hits need no interrupt: then
 * the kernel's scheduler decides. A disk that interrupts whoever asked has no such CPU.
 */
#ifndef SPLITDOM_SERVICE_DOM0_PLACEMENT_H
#define SPLITDOM_SERVICE_DOM0_PLACEMENT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/block/engine/image.h"

enum {
    PLACEMENT_ANY = -1,  /* wherever the scheduler likes */
    PLACEMENT_AUTO = -2, /* as said above */
    PLACEMENT_CPU_MAX = CPU_SETSIZE - 1,
};

struct placement {
    cpu_set_t allowed; /* what we were started with */
    int home;          /* where reads complete, or PLACEMENT_ANY */
    uint32_t irq;      /* the interrupt by which home was found */
    bool at_home;
    uint64_t reviewed_ns, requests, disk_reads; /* at the last review */
};

/*
 * "auto", "any" or a CPU's number. Errors: -EINVAL.
 */
int placement_parse(const char *text, int *cpu);

/*
 * Places the calling thread: on a CPU (cpu >= 0), anywhere, or (PLACEMENT_AUTO) where reads of
 * image complete, if there is such a CPU among the allowed ones; finding it takes a few reads. Also
 * asks the scheduler for short slices, so that Dom0 runs soon after it is woken among others
 * (sched_setattr(2), without effect before Linux 6.12). Threads created afterwards inherit the CPU,
 * not the slice. Errors: -errno of sched_setaffinity for cpu >= 0.
 */
int placement_init(struct placement *p, int cpu, const struct image *image);

/*
 * Stays at home or leaves it, by what the requests since the last review needed. Cheap between two
 * reviews. requests, disk_reads: totals so far. From the thread that called placement_init.
 */
void placement_review(struct placement *p, uint64_t now_ns, uint64_t requests, uint64_t disk_reads);

#endif
