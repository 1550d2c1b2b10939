/* SPDX-License-Identifier: MIT */
/* Tests of what valgrind or QEMU plays itself, instead of passing it to the kernel, skip there; and
 * those where a thread waits in io_uring_enter for another one, which valgrind keeps from running
 * meanwhile. */
#ifndef TESTS_UNIT_VALGRIND_H
#define TESTS_UNIT_VALGRIND_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The stages valgrind and aarch64 of tests/run.sh say so in the environment. */
static inline bool runs_under(const char *name)
{
    const char *runner = getenv("TEST_SAN");
    return runner != NULL && strcmp(runner, name) == 0;
}

static inline bool under_valgrind(void)
{
    return runs_under("valgrind");
}

static inline bool under_qemu(void)
{
    return runs_under("qemu");
}

#endif
