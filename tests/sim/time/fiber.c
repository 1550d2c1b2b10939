/* SPDX-License-Identifier: MIT */
#include "fiber.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

/* makecontext passes ints. */
static void enter(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low);

    fiber_switch(fiber, fiber->starter);
    fiber->run(fiber->arg);
    abort();
}

int fiber_start(struct fiber *fiber, void (*run)(void *arg), void *arg)
{
    struct fiber here;
    ucontext_t context;

    *fiber = (struct fiber){.run = run, .arg = arg, .starter = &here};
    fiber->stack = malloc(FIBER_STACK_BYTES);
    if (fiber->stack == NULL || getcontext(&context) < 0)
        return -ENOMEM;
    context.uc_stack.ss_sp = fiber->stack;
    context.uc_stack.ss_size = FIBER_STACK_BYTES;
    context.uc_link = NULL;
    uint64_t address = (uintptr_t)fiber;
    makecontext(&context, (void (*)(void))enter, 2, (unsigned)(address >> 32), (unsigned)address);
    if (_setjmp(here.where) == 0)
        setcontext(&context);
    return 0;
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
    if (_setjmp(from->where) == 0)
        _longjmp(to->where, 1);
}

void fiber_free(struct fiber *fiber)
{
    free(fiber->stack);
}
