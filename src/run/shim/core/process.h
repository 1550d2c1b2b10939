/* SPDX-License-Identifier: MIT */
/*
 * process: what the shim remembers of the process it is in. Copied by fork, gone with exec.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_PROCESS_H
#define SPLITDOM_RUN_SHIM_CORE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "run/shim/core/trap.h"

enum { PROCESS_PATH_BYTES = 4096 };

struct process {
    int fds; /* the first of enum session_fd */
    uint64_t clock_offset_bytes;
    uint64_t cpu_tdf;             /* packed: by what CPU times are divided, from exec to exec */
    bool tsc;                     /* rdtsc traps */
    struct trap_action sigsys;    /* the program's last handler: call/signals.c */
    struct trap_action sigsegv;   /* the same, where rdtsc traps */
    struct trap_action cancel;    /* the same, for CANCEL_SIGNAL */
    uint32_t put_off;             /* atomic: how often threads have (put_off.h) */
    uint64_t masked;              /* of which signals the program's handlers block SIGSYS */
    char exe[PROCESS_PATH_BYTES]; /* the program's path */
};

extern struct process process;

#endif
