/* SPDX-License-Identifier: MIT */
/*
 * counter: reading the hardware or kernel counter under a clock, in this process, without a system
 * call.
 *
 * The plain reading may be executed by the core before earlier instructions are done (some tens of
 * nanoseconds early); the ordered one waits for them and costs about twice as much. Neither waits
 * for stores to become visible: use store_full before an ordered reading where that matters.
 */
#ifndef SPLITDOM_TDF_COUNTER_H
#define SPLITDOM_TDF_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/tdf.h"

#if defined(__x86_64__)

static inline uint64_t counter_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t counter_tsc_ordered(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#else

/* No TSC: a source never chooses it here, and a reader that is told to use it sees a clock that
 * stands still. */
static inline uint64_t counter_tsc(void)
{
    return 0;
}

static inline uint64_t counter_tsc_ordered(void)
{
    return 0;
}

#endif

/*
 * Always 0, but the processor can only know that once `counter` has been read: add it to an
 * address, and the load from there comes after the reading. It costs a cycle where a fence costs as
 * much as the reading itself.
 */
static inline uintptr_t counter_dependency(uint64_t counter)
{
    uintptr_t zero = (uintptr_t)counter;

#if defined(__x86_64__)
    /* Unlike "xor r,r", "and $0" is no zeroing idiom: it waits for its operand. */
    __asm__ volatile("andq $0, %0" : "+r"(zero) : : "cc");
#elif defined(__aarch64__)
    __asm__ volatile("and %0, %0, xzr" : "+r"(zero));
#else
    zero = 0;
#endif
    return zero;
}

#endif
