/* SPDX-License-Identifier: MIT */
#include "run/shim/call/cancel.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "run/shim/call/signals.h"
#include "run/shim/core/process.h"
#include "run/shim/core/put_off.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/user.h"

enum { SYSCALL_BYTES = 2 /* 0f 05 */ };

static bool is_function(const struct trap_action *action)
{
    return action->handler != (void *)SIG_DFL && action->handler != (void *)SIG_IGN;
}

/* What the kernel has tells whether ours is in force: a child of vfork, which has our memory and
 * actions of its own, sets this signal to be ignored (posix_spawn). */
long cancel_action(long act, long old)
{
    struct trap_action wanted, ours, before;
    const struct trap_action kept = process.cancel;

    if (act != 0) {
        if (user_read(&wanted, act, sizeof(wanted)) < 0)
            return -EFAULT;
        ours = wanted;
        ours.mask &= ~signals_never_blocked();
        if (is_function(&wanted)) {
            ours.handler = (void *)(uintptr_t)stub_cancel;
            ours.flags &= ~(unsigned long)(unsigned)SA_RESETHAND; /* it may come twice */
            ours.flags |= SA_SIGINFO;                             /* and is sent again */
            process.cancel = wanted;                              /* before the kernel has ours */
        }
    }
    long rc =
        SYS4(SYS_rt_sigaction, CANCEL_SIGNAL, act != 0 ? &ours : 0, &before, SIGNALS_MASK_BYTES);
    if (rc < 0 || old == 0)
        return rc;
    if (before.handler == (void *)(uintptr_t)stub_cancel)
        before = kept;
    return user_write(old, &before, sizeof(before));
}

/* Ends the call that the shim makes for the program, if it is in one that waits or on its way into
 * one. What only reads a clock (stub_read) is no such: nothing may have been trapped. What it has
 * returned already is kept. Where the kernel would begin the call again, it stands at the
 * instruction, with what that leaves in rcx. */
static bool end_call(greg_t *gregs)
{
    const greg_t at = gregs[REG_RIP];

    if ((at >= (greg_t)(uintptr_t)stub_wait && at < (greg_t)stub_wait_after) ||
        at == (greg_t)stub_wait_cancel) {
        gregs[REG_RIP] = (greg_t)stub_wait_after;
        gregs[REG_RAX] = -EINTR;
    } else if (at == (greg_t)stub_wait_after || at == (greg_t)stub_wait_cut) {
        gregs[REG_RIP] = (greg_t)stub_wait_after;
        if (gregs[REG_RAX] == STUB_KICKED)
            gregs[REG_RAX] = -EINTR;
    } else if (at == (greg_t)stub_syscall_after - SYSCALL_BYTES &&
               gregs[REG_RCX] == (greg_t)stub_syscall_after) {
        gregs[REG_RIP] = (greg_t)stub_syscall_after;
        gregs[REG_RAX] = -EINTR;
    } else if (at != (greg_t)stub_syscall_after) {
        return false;
    }
    return true;
}

void *cancel_came(int signal, void *info, void *context)
{
    ucontext_t *interrupted = context;
    uint64_t *mask = (uint64_t *)(void *)&interrupted->uc_sigmask;

    if (!end_call(interrupted->uc_mcontext.gregs))
        return process.cancel.handler;
    if (SYS4(SYS_rt_tgsigqueueinfo, SYS0(SYS_getpid), SYS0(SYS_gettid), signal, info) < 0)
        return process.cancel.handler; /* no more queued signals (RLIMIT_SIGPENDING) */
    /* Blocked until the call is answered, which brings back the program's mask. */
    *mask |= UINT64_C(1) << (CANCEL_SIGNAL - 1);
    put_off_tell();
    return NULL;
}
