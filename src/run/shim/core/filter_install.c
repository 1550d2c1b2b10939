/* SPDX-License-Identifier: MIT */
/*
 * filter_install: the half of filter.h that changes the process.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"

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

void filter_install_more(enum filter_more which)
{
    static struct filter filters[FILTER_MORE]; /* too large for a stack */
    static uint32_t busy[FILTER_MORE];
    uint32_t no = 0;

    if (SYS1(SYS_prctl, FILTER_MARK + which) == -EALREADY)
        return;
    /* Another thread is at it, or the one that a handler has interrupted. */
    if (!compare_exchange_full_u32(&busy[which], &no, 1))
        return;
    filter_build_more(&filters[which], which, (uint64_t)stub_begin);
    install(&filters[which], SECCOMP_FILTER_FLAG_TSYNC);
    store_full_u32(&busy[which], 0);
}
