/* SPDX-License-Identifier: MIT */
/*
 * steps: forced into the product's sources of the clock (-include) when they are built for this
 * simulation. Every access to shared memory and every reading of a counter becomes a step, before
 * which somebody else may go on, time may pass, and Dom0 may die. The sources stay as they are.
 */
#ifndef SPLITDOM_TESTS_SIM_TIME_STEPS_H
#define SPLITDOM_TESTS_SIM_TIME_STEPS_H

#include <sched.h>
#include <stdint.h>

#include "base/clock.h"
#include "ring/barrier.h"

void lives_step(void);
uint64_t lives_counter(void); /* a step, and then what the counter shows */
void lives_yield(void);       /* a step of a millisecond or more */

#define load_relaxed_u32(p)     (lives_step(), load_relaxed_u32(p))
#define load_relaxed_u64(p)     (lives_step(), load_relaxed_u64(p))
#define load_acquire_u8(p)      (lives_step(), load_acquire_u8(p))
#define load_acquire_u32(p)     (lives_step(), load_acquire_u32(p))
#define load_acquire_u64(p)     (lives_step(), load_acquire_u64(p))
#define load_full_u32(p)        (lives_step(), load_full_u32(p))
#define load_full_u64(p)        (lives_step(), load_full_u64(p))
#define store_relaxed_u32(p, v) (lives_step(), store_relaxed_u32(p, v))
#define store_release_u8(p, v)  (lives_step(), store_release_u8(p, v))
#define store_release_u32(p, v) (lives_step(), store_release_u32(p, v))
#define store_release_u64(p, v) (lives_step(), store_release_u64(p, v))
#define store_full_u32(p, v)    (lives_step(), store_full_u32(p, v))
#define cpu_relax()             lives_step()
#define sched_yield()           lives_yield()
#define clock_ns(id)            ((void)(id), lives_counter())
#define clock_monotonic_ns()    lives_counter()
#define compare_exchange_full_u64(p, expected, desired)                                            \
    (lives_step(), compare_exchange_full_u64(p, expected, desired))

#endif
