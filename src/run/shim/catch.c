/* SPDX-License-Identifier: MIT */
#include "run/shim/catch.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "run/session.h"
#include "run/shim/call/calls.h"
#include "run/shim/call/signals.h"
#include "run/shim/call/timers.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/trap.h"

enum { SYSCALL_BYTES = 2 /* 0f 05 */ };

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static void answer(ucontext_t *context)
{
    greg_t *gregs = context->uc_mcontext.gregs;
    struct trap trap = {.nr = gregs[REG_RAX],
                        .args = {gregs[REG_RDI], gregs[REG_RSI], gregs[REG_RDX], gregs[REG_R10],
                                 gregs[REG_R8], gregs[REG_R9]},
                        .context = context};
    trap_fn call = calls_find(trap.nr);

    filter_install_stamps(); /* who was not reached at the change is now, at the latest */
    gregs[REG_RAX] = call != NULL ? call(&trap) : trap_pass(&trap);
}

/* The kick has ended a wait that is none of ours, of which the supervisor has told where it was:
 * the instruction that began it is made again. */
static void begin_again(greg_t *gregs, uint32_t place)
{
    const uint32_t nr = (place & ((1u << SESSION_PLACE_NR_BITS) - 1)) - 1;

    if (session_place(nr, (uint64_t)gregs[REG_RIP], (uint64_t)gregs[REG_RSP]) != place)
        return;
    gregs[REG_RAX] = nr;
    gregs[REG_RIP] -= SYSCALL_BYTES;
}

/*
 * The rate has changed. A thread on its way into a wait (from stub_wait_check on) does not go in;
 * one whose wait this signal has ended begins anew. Where a handler of the program's was called by
 * the same interruption, that one is what we have interrupted, and the wait ends with -EINTR as it
 * should.
 */
static void kicked(ucontext_t *context, uint32_t place)
{
    greg_t *gregs = context->uc_mcontext.gregs;
    const greg_t at = gregs[REG_RIP];

    if (at >= (greg_t)stub_wait_check && at < (greg_t)stub_wait_after)
        gregs[REG_RIP] = (greg_t)stub_wait_cancel;
    else if (at == (greg_t)stub_wait_after && gregs[REG_RAX] == -EINTR)
        gregs[REG_RAX] = STUB_KICKED;
    else if (place != 0 && gregs[REG_RAX] == -EINTR)
        begin_again(gregs, place);
    filter_install_stamps();
    timers_rearm();
}

/* A SIGSYS that somebody has sent, which has nothing to do with us. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
    struct trap_action action = process.sigsys;

    if (action.handler == (void *)SIG_IGN)
        return;
    if (action.handler != (void *)SIG_DFL) {
        void (*handler)(int, siginfo_t *, void *) =
            (void (*)(int, siginfo_t *, void *))(uintptr_t)action.handler;
        handler(signal, info, context);
        return;
    }
    action = (struct trap_action){.restorer = stub_restore, .flags = SIGNALS_RESTORER};
    SYS4(SYS_rt_sigaction, SIGSYS, &action, 0, SIGNALS_MASK_BYTES);
    SYS3(SYS_tgkill, SYS0(SYS_getpid), SYS0(SYS_gettid), SIGSYS);
}

static void caught(int signal, siginfo_t *info, void *context)
{
    if (info->si_code == SYS_SECCOMP)
        answer(context);
    else if (info->si_code == SI_QUEUE && info->si_value.sival_int == SESSION_KICK)
        kicked(context, (uint32_t)((uint64_t)info->si_value.sival_ptr >> 32));
    else
        pass_on(signal, info, context);
}

void catch_install(void)
{
    struct trap_action action = {
        .handler = (void *)(uintptr_t)caught,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | SIGNALS_RESTORER,
        .restorer = stub_restore,
    };
    uint64_t sigsys = SIGNALS_SIGSYS;

    SYS4(SYS_rt_sigaction, SIGSYS, &action, 0, SIGNALS_MASK_BYTES);
    SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigsys, 0, SIGNALS_MASK_BYTES);
}
