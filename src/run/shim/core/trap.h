/* SPDX-License-Identifier: MIT */
/*
 * trap: a system call that the filter has caught, for the function that answers it in its place.
 *
 * Such a function runs on whatever stack the program has, in whatever state its libc is: no TLS, no
 * errno, no allocation, no lock that an interrupted thread could hold. It runs with the program's
 * own signal mask, so that the program's handlers interrupt a mediated wait as they would the real
 * one.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_TRAP_H
#define SPLITDOM_RUN_SHIM_CORE_TRAP_H

#include <errno.h>
#include <stdint.h>
#include <ucontext.h>

#include "run/shim/core/put_off.h"
#include "run/shim/core/stub.h"

struct trap {
    long nr;
    long args[6];
    ucontext_t *context;
};

/* Answers the call: its result or -errno. */
typedef long (*trap_fn)(struct trap *trap);

/* The kernel's struct sigaction. */
struct trap_action {
    void *handler;
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* The call as the program made it, let through, where that never waits. */
static inline long trap_pass_at_once(const struct trap *trap)
{
    return SYS6(trap->nr, trap->args[0], trap->args[1], trap->args[2], trap->args[3], trap->args[4],
                trap->args[5]);
}

/* The same where it may wait; -EINTR: the thread is being cancelled. */
static inline long trap_pass(const struct trap *trap)
{
    return put_off_is_due() ? -EINTR : trap_pass_at_once(trap);
}

#endif
