/* SPDX-License-Identifier: MIT */
/*
 * filter_install: the half of filter.h that changes the process.
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"

long filter_install(const struct filter *filter, bool all_threads)
{
    struct sock_fprog program = {.len = (unsigned short)filter->count,
                                 .filter = (struct sock_filter *)(unsigned long)filter->code};

    long rc = SYS6(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    if (rc < 0)
        return rc;
    return SYS3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0,
                &program);
}
