/* SPDX-License-Identifier: MIT */
/*
 * clone: clone3, which may ask for a child without the parent's handlers. One without that for
 * SIGSYS would die at its first call that is caught, so that a kernel is played that has no such
 * call; C libraries then use clone and set the handlers by themselves.
 *
 * All others are made by the program itself. The child of a clone can have another stack or run on
 * the parent's, where what the handler of SIGSYS has there would be overwritten; so the handler
 * returns first, to an instruction that makes the call on the page that is let through, and goes
 * back from there (stub.S).
 */
#include <errno.h>
#include <stdint.h>

#include "ring/barrier.h"
#include "run/shim/call/calls.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/user.h"

#define CLEAR_SIGHAND UINT64_C(0x100000000) /* CLONE_CLEAR_SIGHAND, Linux 5.5 */

/* One for each place in the program that makes the call; NULL: none are left. */
static const char *way_back_to(uint64_t place)
{
    for (unsigned i = 0; i < STUB_CLONES; i++) {
        uint64_t found = 0;
        if (compare_exchange_full_u64(&stub_clone_back[i], &found, place) || found == place)
            return stub_clone + (uint64_t)i * STUB_CLONE_BYTES;
    }
    return NULL;
}

long call_clone3(struct trap *trap)
{
    greg_t *gregs = trap->context->uc_mcontext.gregs;
    uint64_t flags;

    if (user_read(&flags, trap->args[0], sizeof(flags)) < 0)
        return trap_pass(trap); /* the kernel says what is wrong */
    const char *way = flags & CLEAR_SIGHAND ? NULL : way_back_to((uint64_t)gregs[REG_RIP]);
    if (way == NULL)
        return -ENOSYS;
    gregs[REG_RIP] = (greg_t)way;
    return trap->nr; /* rax, of the call that follows */
}
