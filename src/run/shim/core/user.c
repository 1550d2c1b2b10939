/* SPDX-License-Identifier: MIT */
#include "run/shim/core/user.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "run/shim/core/stub.h"

enum { PAGE = 4096, WORD = 8, NO_SUCH_HOW = -1 };

/* By way of the kernel: right for all sizes, but it takes a microsecond. */
static int move(long nr, void *own, long address, size_t size)
{
    struct iovec local = {.iov_base = own, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)address, .iov_len = size};

    long rc = SYS6(nr, SYS0(SYS_getpid), &local, 1, &remote, 1, 0);
    if (rc == -ENOSYS || rc == -EPERM) { /* a kernel without these calls: faults are fatal there */
        if (nr == SYS_process_vm_readv)
            memcpy(own, (const void *)address, size);
        else
            memcpy((void *)address, own, size);
        return 0;
    }
    return rc == (long)size ? 0 : -EFAULT;
}

/* The kernel takes the word before it finds that it shall do nothing with it. */
static bool is_readable(long word)
{
    return SYS4(SYS_rt_sigprocmask, NO_SUCH_HOW, word, 0, WORD) == -EINVAL;
}

/* It leaves some word there. */
static bool is_writable(long word)
{
    return SYS4(SYS_rt_sigprocmask, SIG_BLOCK, 0, word, WORD) == 0;
}

/* One page, or two that touch. */
static bool is_small(long address, size_t size)
{
    return size > 0 && size <= PAGE && address <= INT64_MAX - PAGE;
}

/* Words that lie in the pages of the first byte and of the last one. */
int user_read(void *to, long address, size_t size)
{
    const long first = address & -WORD, last = (address + (long)size - 1) & -WORD;

    if (!is_small(address, size))
        return move(SYS_process_vm_readv, to, address, size);
    if (!is_readable(first) || ((first ^ last) & -PAGE && !is_readable(last)))
        return -EFAULT;
    memcpy(to, (const void *)address, size);
    return 0;
}

/* Words within what is written. */
int user_write(long address, const void *from, size_t size)
{
    const long last = address + (long)size - WORD;

    if (!is_small(address, size) || size < WORD)
        return move(SYS_process_vm_writev, (void *)(unsigned long)from, address, size);
    if (!is_writable(address) ||
        ((address ^ (address + (long)size - 1)) & -PAGE && !is_writable(last)))
        return -EFAULT;
    memcpy((void *)address, from, size);
    return 0;
}
