/* SPDX-License-Identifier: MIT */
/* Tests of what valgrind plays itself, instead of passing it to the kernel, skip there; and those
 * where a thread waits in io_uring_enter for another one, which valgrind keeps from running
 * meanwhile. */
#ifndef TESTS_UNIT_VALGRIND_H
#define TESTS_UNIT_VALGRIND_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* tests/run.sh valgrind says so in the environment. */
static inline bool under_valgrind(void)
{
    const char *runner = getenv("TEST_SAN");
    return runner != NULL && strcmp(runner, "valgrind") == 0;
}

#endif
