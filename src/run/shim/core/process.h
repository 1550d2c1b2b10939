/* SPDX-License-Identifier: MIT */
/*
 * process: what the shim remembers of the process it is in. Copied by fork, gone with exec.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_PROCESS_H
#define SPLITDOM_RUN_SHIM_CORE_PROCESS_H

#include <stdint.h>

#include "run/shim/core/trap.h"

struct process {
    int fds; /* the first of SESSION_FDS numbers: session, clock, shim */
    uint64_t clock_offset_bytes;
    uint64_t cpu_tdf;          /* packed: by what CPU times are divided, from exec to exec */
    struct trap_action sigsys; /* the program's own; written by rt_sigaction only */
};

extern struct process process;

#endif
