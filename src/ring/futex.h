/* SPDX-License-Identifier: MIT */
/*
 * futex: sleeping on, and waking at, a 32-bit word. Thin wrappers of futex(2).
 */
#ifndef SPLITDOM_RING_FUTEX_H
#define SPLITDOM_RING_FUTEX_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

/* Whether the word is shared between processes or private to this one (cheaper). */
enum futex_scope { FUTEX_SCOPE_SHARED = 0, FUTEX_SCOPE_PRIVATE = FUTEX_PRIVATE_FLAG };

/*
 * Sleeps while *word == expected. timeout_ns < 0: no limit. Returns 0 when woken, -EAGAIN when
 * *word differed, -EINTR, or -ETIMEDOUT: the caller re-checks its condition in every case.
 */
static inline int futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns,
                             enum futex_scope scope)
{
    struct timespec limit = clock_timespec((uint64_t)timeout_ns); /* unused if negative */
    long rc = syscall(SYS_futex, word, FUTEX_WAIT | (int)scope, expected,
                      timeout_ns < 0 ? NULL : &limit, NULL, 0);
    return rc < 0 ? -errno : 0;
}

/* Wakes up to count sleepers. Returns how many, or -errno (-EFAULT: the page is gone). */
static inline int futex_wake(const uint32_t *word, int count, enum futex_scope scope)
{
    long rc = syscall(SYS_futex, word, FUTEX_WAKE | (int)scope, count, NULL, NULL, 0);
    return rc < 0 ? -errno : (int)rc;
}

#endif
