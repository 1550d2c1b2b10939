/* SPDX-License-Identifier: MIT */
/*
 * counter: reading the processor's counter under a clock, without a system call.
 *
 *   x86_64    the TSC
 *   aarch64   cntvct_el0, the generic timer's virtual count
 *   others    none: counter_tsc is 0 for ever
 *
 * "tsc" in names stands for either, as in Xen's vcpu_time_info.
 *
 * Order. The processor may execute counter_tsc before earlier instructions are done (some tens of
 * nanoseconds early). counter_tsc_ordered comes after all earlier loads have their values, and
 * after the stores before it that were made by store_full are visible to everybody. It costs about
 * twice as much.
 */
#ifndef SPLITDOM_TDF_COUNTER_H
#define SPLITDOM_TDF_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/tdf.h"

#if defined(__x86_64__)

/* What Linux calls the counter where it keeps its own time by it. */
#define COUNTER_CLOCKSOURCE "tsc"

static inline uint64_t counter_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* store_full is an xchg, which waits by itself until the store is visible. */
static inline void counter_wait_for_stores(void)
{
}

static inline uint64_t counter_tsc_ordered(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#elif defined(__aarch64__)

#define COUNTER_CLOCKSOURCE "arch_sys_counter"

/* Without the isb two readings may come out in the wrong order. */
static inline uint64_t counter_tsc(void)
{
    uint64_t count;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count) : : "memory");
    return count;
}

/* store_full is an stlr, which waits for nothing; and a dmb orders a store before loads, but not
 * before the reading of a system register. */
static inline void counter_wait_for_stores(void)
{
    __asm__ volatile("dsb ish" : : : "memory");
}

static inline uint64_t counter_tsc_ordered(void)
{
    counter_wait_for_stores(); /* for loads, too */
    return counter_tsc();
}

#else

#define COUNTER_CLOCKSOURCE ""

static inline uint64_t counter_tsc(void)
{
    return 0;
}

static inline void counter_wait_for_stores(void)
{
}

static inline uint64_t counter_tsc_ordered(void)
{
    return 0;
}

#endif

/*
 * Always 0, but the processor can only know that once `counter` has been read. Added to an address,
 * it makes the load from there come after the reading. That costs a cycle, where a fence costs as
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
