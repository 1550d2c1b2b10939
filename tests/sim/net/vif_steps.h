/* SPDX-License-Identifier: MIT */
/*
 * vif_steps: forced into the product's sources of both halves of a network interface (-include)
 * when they are built for this simulation. Every access to a word that both halves use becomes a
 * step, after which another thread of the machine may go on; who would block lets others go on;
 * time is the machine's. The sources stay as they are.
 */
#ifndef SPLITDOM_TESTS_SIM_NET_VIF_STEPS_H
#define SPLITDOM_TESTS_SIM_NET_VIF_STEPS_H

#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "ring/futex.h"

void steps_step(void);
uint64_t steps_now_ns(void);
int steps_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns);
int steps_futex_wake(const uint32_t *word);
long steps_write(int fd, const void *data, unsigned long bytes);
int steps_lock(pthread_mutex_t *mutex);
int steps_unlock(pthread_mutex_t *mutex);
int steps_await(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int steps_tell(const pthread_cond_t *condition);

#define load_relaxed_u32(p)                 (steps_step(), load_relaxed_u32(p))
#define load_acquire_u32(p)                 (steps_step(), load_acquire_u32(p))
#define load_full_u8(p)                     (steps_step(), load_full_u8(p))
#define load_full_u32(p)                    (steps_step(), load_full_u32(p))
#define load_full_u64(p)                    (steps_step(), load_full_u64(p))
#define store_release_u32(p, v)             (steps_step(), store_release_u32(p, v))
#define store_full_u8(p, v)                 (steps_step(), store_full_u8(p, v))
#define store_full_u32(p, v)                (steps_step(), store_full_u32(p, v))
#define exchange_full_u8(p, v)              (steps_step(), exchange_full_u8(p, v))
#define exchange_full_u64(p, v)             (steps_step(), exchange_full_u64(p, v))
#define fetch_or_full_u64(p, v)             (steps_step(), fetch_or_full_u64(p, v))
#define fetch_and_full_u64(p, v)            (steps_step(), fetch_and_full_u64(p, v))
#define cpu_relax()                         steps_step()
#define clock_monotonic_ns()                steps_now_ns()
#define futex_wait(w, e, t, s)              steps_futex_wait(w, e, t)
#define futex_wake(w, n, s)                 steps_futex_wake(w)
#define write(fd, data, bytes)              steps_write(fd, data, bytes)
#define pthread_mutex_lock(m)               steps_lock(m)
#define pthread_mutex_unlock(m)             steps_unlock(m)
#define pthread_cond_wait(c, m)             steps_await(c, m, NULL)
#define pthread_cond_timedwait(c, m, until) steps_await(c, m, until)
#define pthread_cond_broadcast(c)           steps_tell(c)
#define pthread_cond_signal(c)              steps_tell(c)

#endif
