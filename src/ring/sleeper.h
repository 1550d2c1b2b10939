/* SPDX-License-Identifier: MIT */
/*
 * sleeper: how a thread of a domain sleeps on a word (splitdom/sleepers.h), and is woken.
 *
 * Both sides store one word and then load the other's, with full order, as for rsp_event: the
 * thread stores ASLEEP before it loads rsp_prod (front_ring_is_answered), Dom0 stores rsp_prod
 * (back_ring_push) before it loads the word. One of them sees the other, so no thread sleeps on
 * beside its answer. A word may hold anything: a wrong one costs a needless wake-up, or, to who
 * stored it, a missing one.
 */
#ifndef SPLITDOM_RING_SLEEPER_H
#define SPLITDOM_RING_SLEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/barrier.h"
#include "ring/futex.h"
#include "splitdom/sleepers.h"

/* The thread, before it looks at its ring for the last time. */
static inline void sleeper_lie_down(uint32_t *word)
{
    store_full_u32(word, SLEEPER_ASLEEP);
}

/* The thread: it does not sleep, or not any more. */
static inline void sleeper_rise(uint32_t *word)
{
    store_relaxed_u32(word, SLEEPER_AWAKE);
}

/* The thread sleeps while the word says so, or until something else wakes it; at most timeout_ns,
 * if that is not negative. */
static inline void sleeper_sleep(const uint32_t *word, int64_t timeout_ns)
{
    (void)futex_wait(word, SLEEPER_ASLEEP, timeout_ns, FUTEX_SCOPE_SHARED);
}

/* Dom0, after it has shown answers. */
static inline bool sleeper_is_asleep(const uint32_t *word)
{
    return load_full_u32(word) == SLEEPER_ASLEEP;
}

/* Wakes who sleeps on the word. Returns whether anybody was to be woken. Never blocks. */
static inline bool sleeper_wake(uint32_t *word)
{
    uint32_t found = SLEEPER_ASLEEP;
    if (!sleeper_is_asleep(word) || !compare_exchange_full_u32(word, &found, SLEEPER_AWAKE))
        return false;
    (void)futex_wake(word, 1, FUTEX_SCOPE_SHARED); /* -EFAULT: its memory is gone */
    return true;
}

/* The same, whatever the word says: Dom0 may have died between its AWAKE and its futex_wake. */
static inline void sleeper_rouse(uint32_t *word)
{
    store_full_u32(word, SLEEPER_AWAKE);
    (void)futex_wake(word, 1, FUTEX_SCOPE_SHARED);
}

#endif
