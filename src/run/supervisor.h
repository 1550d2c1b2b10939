/* SPDX-License-Identifier: MIT */
/*
 * supervisor: a program in a domain, from its start to the end of its last descendant.
 *
 * The program has the supervisor's process group, terminal and descriptors. What is typed at the
 * terminal reaches both; a signal that somebody sends to the supervisor is passed on. When the
 * program stops, so does the supervisor, for the shell to see, until either is continued.
 *
 * One thread.
 */
#ifndef SPLITDOM_RUN_SUPERVISOR_H
#define SPLITDOM_RUN_SUPERVISOR_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "run/cpu_limit.h"
#include "run/mediate.h"
#include "run/run_vif.h"
#include "splitdom/domu.h"

struct supervisor {
    struct domu *domu;
    struct mediate *mediate;
    const struct cpu_limit *limit;
    struct run_vif *vif;           /* the program's network; it need not be open */
    bool is_limited;               /* its processes are in the limit's group */
    sigset_t mask;                 /* that the program begins with */
    struct sigaction child_action; /* and what it begins with for SIGCHLD */
    int signal_fd;                 /* of all that are blocked meanwhile */
    pid_t program;                 /* 0: it has ended */
    int status;                    /* then: its exit status */
    pid_t waker;                   /* the last one (waker.h); 0: there was none */
    bool is_orphaned;              /* Dom0 is gone */
    bool is_destroyed;
};

/* Starts the program. What the supervisor uses stays the caller's. Errors: -errno of what failed
 * before the program was; afterwards a program that can't be run ends with 126 or 127. */
int supervisor_start(struct supervisor *supervisor, char **program);

/* Returns the exit status of the program, or 128 + N if signal N ended it, when the last of its
 * descendants has ended. */
int supervisor_follow(struct supervisor *supervisor);

/* Accepts what supervisor_start has failed with, and a zeroed one with signal_fd -1. */
void supervisor_end(struct supervisor *supervisor);

#endif
