/* SPDX-License-Identifier: MIT */
/*
 * filter_install: the half of filter.h that changes the process.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/vclock.h"

enum { YIELDS = 1000 };

static long install(const struct filter *filter, unsigned flags)
{
    struct sock_fprog program = {.len = (unsigned short)filter->count,
                                 .filter = (struct sock_filter *)(unsigned long)filter->code};

    long rc = SYS6(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    if (rc < 0)
        return rc;
    return SYS3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

long filter_install(const struct filter *filter)
{
    return install(filter, 0);
}

/* To be the one who builds that filter. Whoever of another process is seen to build it for long did
 * so in the process of which this one is a fork. A thread is its process in the upper half, and
 * itself. */
static void begin(uint64_t *builder, uint64_t self)
{
    for (unsigned i = 0;; i++) {
        uint64_t found = 0;
        if (compare_exchange_full_u64(builder, &found, self))
            return;
        if (i >= YIELDS && found >> 32 != self >> 32 &&
            compare_exchange_full_u64(builder, &found, self))
            return;
        SYS0(SYS_sched_yield);
    }
}

static bool is_set(enum filter_more which)
{
    return SYS1(SYS_prctl, FILTER_MARK + which) == -EALREADY;
}

unsigned filter_more_set(void)
{
    unsigned set = 0;

    for (enum filter_more which = 0; which < FILTER_MORE; which++)
        set |= (unsigned)is_set(which) << which;
    return set;
}

void filter_install_more(enum filter_more which)
{
    static struct filter filters[FILTER_MORE]; /* too large for a stack */
    static uint64_t builders[FILTER_MORE];

    if (is_set(which))
        return;
    /* A handler could leave by a jump, and the others would wait for ever for who builds it. */
    const uint64_t self = (uint64_t)SYS0(SYS_getpid) << 32 | (uint32_t)SYS0(SYS_gettid);
    const uint64_t all = UINT64_MAX;
    uint64_t mask;
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
    begin(&builders[which], self);
    if (!is_set(which)) {
        filter_build_more(&filters[which], which, (uint64_t)stub_begin);
        /* Where other threads can't have it, at least this one. */
        if (install(&filters[which], SECCOMP_FILTER_FLAG_TSYNC) != 0)
            install(&filters[which], 0);
    }
    store_full_u64(&builders[which], 0);
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
}

void filter_install_stamps(void)
{
    if (vclock_stamps() == SESSION_STAMPS_LATE)
        filter_install_more(FILTER_STAMPS);
}
