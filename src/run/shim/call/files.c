/* SPDX-License-Identifier: MIT */
/*
 * files: the link /proc/self/exe, which names the shim where the kernel does not let the process
 * have another program.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/text.h"
#include "run/shim/core/user.h"

enum { LINK_BYTES = 40, PAGE = 4096 };

static bool same(const char *a, const char *b)
{
    return text_begins(a, b) && text_begins(b, a);
}

/* Does a path name the program of this process? */
static bool is_own_exe(long address)
{
    char path[LINK_BYTES] = {0}, own[LINK_BYTES];
    long size = sizeof(path) - 1;

    if (address % PAGE > PAGE - size)
        size = PAGE - address % PAGE;
    if (user_read(path, address, (size_t)size) < 0)
        return false;
    text_append(text_append_number(text_append(own, "/proc/"), (uint64_t)SYS0(SYS_getpid)), "/exe");
    return same(path, "/proc/self/exe") || same(path, "/proc/thread-self/exe") || same(path, own);
}

/* readlink, readlinkat. */
long call_readlink(struct trap *trap)
{
    const unsigned first = trap->nr == SYS_readlink ? 0 : 1;

    if (process.exe[0] == '\0' || (int)trap->args[first + 2] <= 0 || !is_own_exe(trap->args[first]))
        return trap_pass(trap);
    long length = (long)text_length(process.exe);
    if (length > (int)trap->args[first + 2])
        length = (int)trap->args[first + 2];
    return user_write(trap->args[first + 1], process.exe, (size_t)length) < 0 ? -EFAULT : length;
}
