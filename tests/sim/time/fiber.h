/* SPDX-License-Identifier: MIT */
/*
 * fiber: several flows of control in one thread, each on a stack of its own, switched by hand and
 * without a system call.
 */
#ifndef SPLITDOM_TESTS_SIM_TIME_FIBER_H
#define SPLITDOM_TESTS_SIM_TIME_FIBER_H

#include <setjmp.h>
#include <stdbool.h>

enum { FIBER_STACK_BYTES = 64 * 1024 };

struct fiber {
    jmp_buf where; /* while it does not run */
    void (*run)(void *arg);
    void *arg;
    char *stack;
    struct fiber *starter;
};

/* Makes a fiber that will run run(arg), which never returns. Comes back at once. 0, or -ENOMEM. */
int fiber_start(struct fiber *fiber, void (*run)(void *arg), void *arg);
/* Leaves `from`, which is running, and goes on in `to`. Returns when somebody goes on in `from`. */
void fiber_switch(struct fiber *from, struct fiber *to);
void fiber_free(struct fiber *fiber);

#endif
