/* SPDX-License-Identifier: MIT */
#include "run/shim/catch.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "run/session.h"
#include "run/shim/call/calls.h"
#include "run/shim/call/signals.h"
#include "run/shim/call/terminal.h"
#include "run/shim/call/timers.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/lost_call.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/trap.h"
#include "run/shim/core/user.h"

enum { SYSCALL_BYTES = 2 /* 0f 05 */ };
enum { NR_OPENAT2 = 437, NR_FUTEX_WAITV = 449, NR_FUTEX_WAIT = 455 };

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* The handler begins with all blocked, the next kick, too, or their frames would fill the stack.
 * From here on signals come as they would. Before, a call that is caught would end the process:
 * neither the shim makes one, nor is a handler of the program's run. Calls that set or ask timers
 * never wait, and take no signals to their end: a handler that sets the timer whose record it has
 * interrupted would wait for that for ever. Nor do those that only ask or set what is done with
 * signals: a spawn of glibc makes sixty of these, and letting signals in is a call. */
static void let_in(const ucontext_t *context)
{
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &context->uc_sigmask, 0, SIGNALS_MASK_BYTES);
}

static void answer(ucontext_t *context)
{
    timers_look();
    greg_t *gregs = context->uc_mcontext.gregs;
    struct trap trap = {.nr = gregs[REG_RAX],
                        .args = {gregs[REG_RDI], gregs[REG_RSI], gregs[REG_RDX], gregs[REG_R10],
                                 gregs[REG_R8], gregs[REG_R9]},
                        .context = context};
    trap_fn call = calls_find(trap.nr);

    if (!calls_keep_signals_out(trap.nr))
        let_in(context);
    terminal_catch();
    filter_install_stamps(); /* who was not reached at the change is now, at the latest */
    gregs[REG_RAX] = call != NULL ? call(&trap) : trap_pass(&trap);
    if (gregs[REG_RAX] == trap.nr)
        gregs[REG_RCX] = 0; /* answered: see is_unanswered */
}

/* Was a call caught while the kick was pending? rcx is what the kernel leaves behind a call. */
static bool is_unanswered(const greg_t *gregs)
{
    const greg_t at = gregs[REG_RIP];
    const long args[6] = {gregs[REG_RDI], gregs[REG_RSI], gregs[REG_RDX],
                          gregs[REG_R10], gregs[REG_R8],  gregs[REG_R9]};
    uint8_t code[LOST_CALL_CODE_BYTES];

    return gregs[REG_RCX] == at && (at < (greg_t)stub_begin || at >= (greg_t)stub_end) &&
           calls_find(gregs[REG_RAX]) != NULL &&
           user_read(code, at - (greg_t)sizeof(code), sizeof(code)) == 0 &&
           lost_call(code, gregs[REG_RAX], args, filter_more_set());
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

enum due { NONE_DUE, DUE_RESTARTS, DUE };

/* Does a handler of the program's run as soon as we return? SIGSYS is taken before other signals of
 * the same instant, so that what has come with the kick waits. DUE_RESTARTS: all have SA_RESTART.
 */
static enum due handlers_due(const ucontext_t *context)
{
    struct trap_action action;
    uint64_t pending = 0;
    enum due due = NONE_DUE;

    SYS2(SYS_rt_sigpending, &pending, SIGNALS_MASK_BYTES);
    pending &= ~(*(const uint64_t *)(const void *)&context->uc_sigmask | SIGNALS_SIGSYS);
    for (int number = 1; pending != 0; number++, pending >>= 1) {
        if (!(pending & 1) || SYS4(SYS_rt_sigaction, number, 0, &action, SIGNALS_MASK_BYTES) != 0 ||
            action.handler == (void *)SIG_DFL || action.handler == (void *)SIG_IGN)
            continue;
        if (!(action.flags & SA_RESTART))
            return DUE;
        due = DUE_RESTARTS;
    }
    return due;
}

/* Waits of which a second call is begun by itself after a handler with SA_RESTART: those that fail
 * with ERESTARTSYS in the kernel. Where that is something other than waiting (a file's data, a
 * lock's owner), a kick ends none. With the futexes it depends on the operation. */
static const uint16_t begun_again[] = {
    /* descriptors of any kind */
    SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_write, SYS_writev, SYS_pwrite64,
    SYS_pwritev, SYS_pwritev2, SYS_ioctl, SYS_fcntl, SYS_flock, SYS_open, SYS_openat, NR_OPENAT2,
    SYS_creat,
    /* from one to another */
    SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice, SYS_copy_file_range,
    /* sockets */
    SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_accept,
    SYS_accept4, SYS_connect,
    /* and the rest */
    SYS_wait4, SYS_waitid, SYS_mq_timedsend, SYS_mq_timedreceive, NR_FUTEX_WAITV, NR_FUTEX_WAIT,
    SYS_getrandom, SYS_syslog, SYS_request_key, SYS_keyctl};

/* Of those that a handler without SA_RESTART ends, and the kick, which has it, does not: the kernel
 * has turned back to the instruction that began it. rcx is what that one has left there. */
static bool is_begun_again(const greg_t *gregs)
{
    if (gregs[REG_RCX] != gregs[REG_RIP] + SYSCALL_BYTES)
        return false;
    if (gregs[REG_RAX] == SYS_futex)
        return (gregs[REG_RSI] & FUTEX_CMD_MASK) == FUTEX_WAIT ||
               (gregs[REG_RSI] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
    for (unsigned i = 0; i < sizeof(begun_again) / sizeof(begun_again[0]); i++)
        if (gregs[REG_RAX] == begun_again[i])
            return true;
    return false;
}

/*
 * The rate has changed. A thread on its way into a wait (from stub_wait_check on) does not go in;
 * one whose wait this signal has ended begins anew, unless a handler of the program's is due, too:
 * then the wait ends with -EINTR as it should. (Where that handler was called first, it is what we
 * have interrupted.) What comes after the look and before the wait is begun anew is answered
 * before, as if it had come before the wait.
 */
static void kicked(ucontext_t *context, uint32_t place)
{
    greg_t *gregs = context->uc_mcontext.gregs;
    const greg_t at = gregs[REG_RIP];

    filter_install_stamps();
    timers_rearm();
    const enum due due = handlers_due(context);
    if (at == (greg_t)stub_wait_after - SYSCALL_BYTES &&
        gregs[REG_RCX] == (greg_t)stub_wait_after &&
        due == DUE) { /* was in it, and was to begin it again */
        gregs[REG_RAX] = -EINTR;
        gregs[REG_RIP] = (greg_t)stub_wait_after;
    } else if (at >= (greg_t)stub_wait_check && at < (greg_t)stub_wait_after) {
        gregs[REG_RIP] = (greg_t)stub_wait_cancel;
    } else if (at == (greg_t)stub_wait_after && gregs[REG_RAX] > 0 && due == NONE_DUE) {
        gregs[REG_RIP] = (greg_t)stub_wait_cut;
    } else if (gregs[REG_RAX] == -EINTR && due == NONE_DUE) {
        if (at == (greg_t)stub_wait_after)
            gregs[REG_RAX] = STUB_KICKED;
        else if (place != 0)
            begin_again(gregs, place);
    } else if (due == DUE && is_begun_again(gregs)) {
        gregs[REG_RAX] = -EINTR;
        gregs[REG_RIP] += SYSCALL_BYTES;
    }
}

/* A SIGSYS that somebody has sent, which has nothing to do with us. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
    struct trap_action action;

    signals_own_action(SIGSYS, &process.sigsys, &action);
    let_in(context);
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

static void kicked_or_caught(ucontext_t *context, uint32_t place)
{
    const bool unanswered = is_unanswered(context->uc_mcontext.gregs);

    kicked(context, place);
    if (unanswered)
        answer(context);
}

/* The kernel tells no more of a signal than its number where the receiver may have no more queued
 * ones (RLIMIT_SIGPENDING): what looks like a kill by nobody is a kick without its place. */
static bool is_kick(const siginfo_t *info)
{
    return (info->si_code == SI_QUEUE && info->si_value.sival_int == SESSION_KICK) ||
           (info->si_code == SI_USER && info->si_pid == 0 && info->si_uid == 0);
}

static uint32_t place_of(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE ? (uint32_t)((uint64_t)info->si_value.sival_ptr >> 32) : 0;
}

static void caught(int signal, siginfo_t *info, void *context)
{
    if (info->si_code == SYS_SECCOMP)
        answer(context);
    else if (is_kick(info))
        kicked_or_caught(context, place_of(info));
    else
        pass_on(signal, info, context);
}

void catch_install(void)
{
    struct trap_action action = {
        .handler = (void *)(uintptr_t)caught,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SIGNALS_RESTORER,
        .restorer = stub_restore,
        .mask = UINT64_MAX,
    };
    uint64_t sigsys = SIGNALS_SIGSYS;

    SYS4(SYS_rt_sigaction, SIGSYS, &action, 0, SIGNALS_MASK_BYTES);
    SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigsys, 0, SIGNALS_MASK_BYTES);
}
