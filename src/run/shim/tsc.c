/* SPDX-License-Identifier: MIT */
#include "run/shim/tsc.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "run/session.h"
#include "run/shim/call/signals.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"

enum {
    RDTSC_BYTES = 2,  /* 0f 31 */
    RDTSCP_BYTES = 3, /* 0f 01 f9 */
    NODE_SHIFT = 12,  /* above the processor's number in what rdtscp tells */
};

/* The length of the instruction that reads the TSC; 0: it is another one. */
static unsigned reader_bytes(uint64_t at)
{
    uint8_t code[RDTSCP_BYTES] = {0};

    if (user_read(code, (long)at, sizeof(code)) < 0 && user_read(code, (long)at, RDTSC_BYTES) < 0)
        return 0;
    if (code[0] == 0x0f && code[1] == 0x31)
        return RDTSC_BYTES;
    return code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9 ? RDTSCP_BYTES : 0;
}

/* The shim's own reading, which a signal handler's has made trap (vclock.c): the real TSC. */
static bool is_ours(uint64_t at)
{
    return at >= SESSION_SHIM_ADDRESS && at < SESSION_CLOCK_ADDRESS;
}

static uint64_t real_tsc(void)
{
    uint32_t low, high;

    SYS2(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE);
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    SYS2(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV);
    return (uint64_t)high << 32 | low;
}

static void read_tsc(greg_t *gregs, uint64_t at, unsigned bytes)
{
    const uint64_t per_ns = vclock_session()->tsc_per_ns_fp;
    const uint64_t value =
        is_ours(at) ? real_tsc() : (uint64_t)((scale_u128)vclock_now_ns() * per_ns >> 32);

    gregs[REG_RAX] = (greg_t)(value & UINT32_MAX);
    gregs[REG_RDX] = (greg_t)(value >> 32);
    if (bytes == RDTSCP_BYTES) {
        unsigned cpu = 0, node = 0;
        SYS3(SYS_getcpu, &cpu, &node, 0);
        gregs[REG_RCX] = (greg_t)(node << NODE_SHIFT | cpu);
    }
    gregs[REG_RIP] += bytes;
}

/* A fault of the program's own. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
    struct trap_action action;

    signals_own_action(SIGSEGV, &process.sigsegv, &action);
    if (action.handler != (void *)SIG_DFL && action.handler != (void *)SIG_IGN) {
        if (action.flags & (unsigned)SA_RESETHAND)
            process.sigsegv.handler = (void *)SIG_DFL;
        void (*handler)(int, siginfo_t *, void *) =
            (void (*)(int, siginfo_t *, void *))(uintptr_t)action.handler;
        handler(signal, info, context);
        return;
    }
    /* The fault comes again, and ends the process as it would have. */
    action = (struct trap_action){.restorer = stub_restore, .flags = SIGNALS_RESTORER};
    SYS4(SYS_rt_sigaction, SIGSEGV, &action, 0, SIGNALS_MASK_BYTES);
    if (info->si_code <= 0)
        SYS3(SYS_tgkill, SYS0(SYS_getpid), SYS0(SYS_gettid), SIGSEGV);
}

static void faulted(int signal, siginfo_t *info, void *context)
{
    greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint64_t at = (uint64_t)gregs[REG_RIP];
    const unsigned bytes = info->si_code == SI_KERNEL ? reader_bytes(at) : 0;

    if (bytes != 0)
        read_tsc(gregs, at, bytes);
    else
        pass_on(signal, info, context);
}

void tsc_begin(void)
{
    SYS2(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE);
}

void tsc_trap(void)
{
    struct trap_action action = {
        .handler = (void *)(uintptr_t)faulted,
        .flags = SA_SIGINFO | SA_ONSTACK | SIGNALS_RESTORER,
        .restorer = stub_restore,
    };

    process.tsc = true;
    uint64_t never = signals_never_blocked();
    SYS4(SYS_rt_sigaction, SIGSEGV, &action, 0, SIGNALS_MASK_BYTES);
    SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &never, 0, SIGNALS_MASK_BYTES);
    SYS2(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV);
}
