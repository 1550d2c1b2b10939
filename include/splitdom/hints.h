/* SPDX-License-Identifier: MIT */
/*
 * hints: what the two sides tell each other to be faster, and what nothing depends on: whether
 * spinning can pay (a peer on the same CPU can't make progress while we run). A wrong hint costs
 * time, nothing else. A front end need not write any, nor know that there are hints.
 *
 * The structure lies at HINTS_OFFSET in page 0 of a domain's segment, behind start_info. It is no
 * part of the ABI: its version changes when its fields do. Words with different writers have cache
 * lines of their own.
 */
#ifndef SPLITDOM_HINTS_H
#define SPLITDOM_HINTS_H

#include <stddef.h>
#include <stdint.h>

enum {
    HINTS_VERSION = 3,
    HINTS_OFFSET = 2048,
    HINTS_CPU_NONE = 0xffffffffu, /* nowhere, or not told yet */
};

struct hints {
    uint32_t version; /* Dom0 writes, before the domain gets the segment */
    uint8_t pad0[60];
    uint32_t dom0_cpu;     /* Dom0 writes: the CPU on which it last served this domain */
    uint32_t busy_domains; /* Dom0 writes: how many had requests in the last 50 ms, or so */
    uint8_t pad1[56];
    uint32_t domu_cpu; /* the domain writes: the CPU on which it spins for an answer, else NONE */
    uint8_t pad2[60];
};

_Static_assert(offsetof(struct hints, dom0_cpu) % 64 == 0, "dom0_cpu has its own line");
_Static_assert(offsetof(struct hints, domu_cpu) % 64 == 0, "domu_cpu has its own line");

#endif
