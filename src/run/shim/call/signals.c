/* SPDX-License-Identifier: MIT */
#include "run/shim/call/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/call/calls.h"
#include "run/shim/call/cancel.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/user.h"
#include "run/shim/core/wait.h"

enum {
    PERSONA_SIGSYS = 0x10000000,
    PERSONA_SIGSEGV = 0x20000000, /* where rdtsc traps */
};

#define PERSONA_READ 0xffffffffu

uint64_t signals_never_blocked(void)
{
    return SIGNALS_SIGSYS | (process.tsc ? UINT64_C(1) << (SIGSEGV - 1) : 0);
}

/* In the flags of our action, where they mean nothing but for SIGCHLD: the program's is one of
 * these, and not what was kept. The kernel's actions are a child's own, the memory is not (vfork,
 * posix_spawn, which sets what has a handler to the default). */
#define BY_DEFAULT (unsigned long)SA_NOCLDSTOP
#define IGNORED    (unsigned long)SA_NOCLDWAIT

void signals_own_action(int number, const struct trap_action *kept, struct trap_action *out)
{
    struct trap_action ours = {0};

    SYS4(SYS_rt_sigaction, number, 0, &ours, SIGNALS_MASK_BYTES);
    if (ours.flags & BY_DEFAULT)
        *out = (struct trap_action){.handler = (void *)SIG_DFL};
    else if (ours.flags & IGNORED)
        *out = (struct trap_action){.handler = (void *)SIG_IGN};
    else
        *out = *kept;
}

static void set_own(int number, struct trap_action *kept, const struct trap_action *wanted)
{
    struct trap_action ours;

    SYS4(SYS_rt_sigaction, number, 0, &ours, SIGNALS_MASK_BYTES);
    ours.flags &= ~(BY_DEFAULT | IGNORED);
    if (wanted->handler == (void *)SIG_DFL)
        ours.flags |= BY_DEFAULT;
    else if (wanted->handler == (void *)SIG_IGN)
        ours.flags |= IGNORED;
    else
        *kept = *wanted; /* before the kernel tells so */
    SYS4(SYS_rt_sigaction, number, &ours, 0, SIGNALS_MASK_BYTES);
}

static long own_action(int number, struct trap_action *kept, long act, long old)
{
    struct trap_action wanted, before;

    if (act != 0 && user_read(&wanted, act, sizeof(wanted)) < 0)
        return -EFAULT;
    signals_own_action(number, kept, &before);
    if (act != 0)
        set_own(number, kept, &wanted);
    return old == 0 ? 0 : user_write(old, &before, sizeof(before));
}

/* Ours stays, with the flags and the mask of the program's, as it runs the program's (tsc.c). */
static long segv_action(long act, long old)
{
    struct trap_action ours;
    long rc = own_action(SIGSEGV, &process.sigsegv, act, old);

    if (rc < 0 || act == 0)
        return rc;
    SYS4(SYS_rt_sigaction, SIGSEGV, 0, &ours, SIGNALS_MASK_BYTES);
    if (ours.flags & (BY_DEFAULT | IGNORED))
        return 0;
    ours.flags = process.sigsegv.flags | SA_SIGINFO | SIGNALS_RESTORER;
    ours.flags &= ~(BY_DEFAULT | IGNORED | (unsigned long)(unsigned)SA_RESETHAND);
    ours.mask = process.sigsegv.mask & ~SIGNALS_SIGSYS;
    return SYS4(SYS_rt_sigaction, SIGSEGV, &ours, 0, SIGNALS_MASK_BYTES);
}

int signals_take_mask(long *address, uint64_t *copy)
{
    if (*address == 0)
        return 0;
    if (user_read(copy, *address, sizeof(*copy)) < 0)
        return -EFAULT;
    *copy &= ~signals_never_blocked();
    *address = (long)copy;
    return 0;
}

/* Returns what it was before. */
static bool set_masked(int number, bool masked)
{
    const uint64_t bit = UINT64_C(1) << (number - 1);
    uint64_t before = load_relaxed_u64(&process.masked);

    while (
        !compare_exchange_full_u64(&process.masked, &before, masked ? before | bit : before & ~bit))
        ;
    return (before & bit) != 0;
}

/* musl's handler that cancels a thread looks where it is: in a call of the program's, or the call
 * has failed with EINTR. One that is made here must do that, and not begin again. glibc has another
 * use for this number, and blocks nothing in it. */
static bool cancels_in_musl(long number, const struct trap_action *action)
{
    enum { MUSL_CANCEL = 33 };

    return (int)number == MUSL_CANCEL && action->mask == UINT64_MAX;
}

long call_rt_sigaction(struct trap *trap)
{
    struct trap_action action, old;

    if (trap->args[3] != SIGNALS_MASK_BYTES)
        return -EINVAL;
    if ((int)trap->args[0] == SIGSYS)
        return own_action(SIGSYS, &process.sigsys, trap->args[1], trap->args[2]);
    if ((int)trap->args[0] == SIGSEGV && process.tsc)
        return segv_action(trap->args[1], trap->args[2]);
    if ((int)trap->args[0] == CANCEL_SIGNAL)
        return cancel_action(trap->args[1], trap->args[2]);
    if (user_read(&action, trap->args[1], sizeof(action)) < 0)
        return -EFAULT;
    const bool masked = (action.mask & SIGNALS_SIGSYS) != 0;
    if (cancels_in_musl(trap->args[0], &action))
        action.flags &= ~(unsigned long)(unsigned)SA_RESTART;
    action.mask &= ~signals_never_blocked();
    long rc = SYS4(SYS_rt_sigaction, trap->args[0], &action, &old, SIGNALS_MASK_BYTES);
    if (rc < 0)
        return rc;
    if (set_masked((int)trap->args[0], masked))
        old.mask |= SIGNALS_SIGSYS;
    return trap->args[2] == 0 ? 0 : user_write(trap->args[2], &old, sizeof(old));
}

/* Has this thread blocked what is never blocked? Kept in bits of its personality that mean nothing,
 * since the kernel hands those on as it does a mask: to threads, children, and what is executed. */
static uint64_t claimed_blocked(long persona)
{
    return (persona & PERSONA_SIGSYS ? SIGNALS_SIGSYS : 0) |
           (process.tsc && persona & PERSONA_SIGSEGV ? signals_never_blocked() & ~SIGNALS_SIGSYS
                                                     : 0);
}

static void claim_blocked(long persona, uint64_t mask)
{
    long wanted = persona & ~(long)(PERSONA_SIGSYS | PERSONA_SIGSEGV);

    if (mask & SIGNALS_SIGSYS)
        wanted |= PERSONA_SIGSYS;
    if (process.tsc && mask & ~SIGNALS_SIGSYS)
        wanted |= PERSONA_SIGSEGV;
    if (wanted != persona)
        SYS1(SYS_personality, wanted);
}

/* What the program asks for, of its mask until now. */
static int change_mask(int how, uint64_t set, uint64_t *mask)
{
    switch (how) {
    case SIG_BLOCK:
        *mask |= set;
        return 0;
    case SIG_UNBLOCK:
        *mask &= ~set;
        return 0;
    case SIG_SETMASK:
        *mask = set;
        return 0;
    default:
        return -EINVAL;
    }
}

/* The program's mask is the one in the frame: it comes into force when the handler returns. */
long call_rt_sigprocmask(struct trap *trap)
{
    const uint64_t unblockable = UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1);
    const uint64_t never = signals_never_blocked();
    uint64_t *in_force = (uint64_t *)(void *)&trap->context->uc_sigmask;
    const long persona = SYS1(SYS_personality, PERSONA_READ);
    const uint64_t before = *in_force | claimed_blocked(persona);
    uint64_t set, mask = before;

    if (trap->args[3] != SIGNALS_MASK_BYTES)
        return -EINVAL;
    if (trap->args[1] != 0) {
        if (user_read(&set, trap->args[1], sizeof(set)) < 0)
            return -EFAULT;
        if (change_mask((int)trap->args[0], set, &mask) < 0)
            return -EINVAL;
    }
    if (trap->args[2] != 0 && user_write(trap->args[2], &before, sizeof(before)) < 0)
        return -EFAULT;
    *in_force = mask & ~never & ~unblockable;
    claim_blocked(persona, mask & never);
    return 0;
}

long call_rt_sigsuspend(struct trap *trap)
{
    struct stub_call call = {.args = {0, SIGNALS_MASK_BYTES}};
    uint64_t mask;

    if (trap->args[1] != SIGNALS_MASK_BYTES)
        return -EINVAL;
    if (user_read(&mask, trap->args[0], sizeof(mask)) < 0)
        return -EFAULT;
    mask &= ~signals_never_blocked();
    call.args[0] = (long)&mask;
    return wait_unbounded(SYS_rt_sigsuspend, &call);
}

/* signalfd, signalfd4. Who reads from it would take a kick for a signal of the program's. */
long call_signalfd(struct trap *trap)
{
    struct trap own = *trap;
    uint64_t mask;

    if (trap->args[2] != SIGNALS_MASK_BYTES)
        return -EINVAL;
    int rc = signals_take_mask(&own.args[1], &mask);
    return rc < 0 ? rc : trap_pass(&own);
}
