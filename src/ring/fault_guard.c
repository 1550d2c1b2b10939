/* SPDX-License-Identifier: MIT */
#include "ring/fault_guard.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring/barrier.h"

struct range {
    uintptr_t base; /* 0: slot is free */
    size_t bytes;
    uint32_t hit;
    int owner; /* slot to mark: mostly its own */
};

struct fault_guard {
    struct range *ranges;
    uint32_t ranges_max;
    uint32_t hits_pending;
    struct sigaction former;
};

/* The one place where a signal handler can find it. */
static struct fault_guard guard;

static struct range *find(uintptr_t address)
{
    for (uint32_t i = 0; i < guard.ranges_max; i++) {
        struct range *range = &guard.ranges[i];
        uintptr_t base = load_relaxed_u64((uint64_t *)&range->base);
        if (base != 0 && address - base < range->bytes)
            return range;
    }
    return NULL;
}

/* Async-signal-safe: mmap is a plain system call and find only reads. */
static void on_sigbus(int signo, siginfo_t *info, void *context)
{
    (void)context;
    int saved_errno = errno;
    struct range *range = find((uintptr_t)info->si_addr);
    if (range == NULL || mmap((void *)range->base, range->bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        /* Not a domain's memory: our own bug. Die of it as if nobody had caught it. */
        signal(signo, SIG_DFL);
        return;
    }
    store_relaxed_u32(&guard.ranges[range->owner].hit, 1);
    store_relaxed_u32(&guard.hits_pending, 1);
    errno = saved_errno;
}

int fault_guard_install(uint32_t ranges_max)
{
    if (guard.ranges != NULL)
        return -EALREADY;
    guard.ranges = calloc(ranges_max, sizeof(*guard.ranges));
    if (guard.ranges == NULL)
        return -ENOMEM;
    guard.ranges_max = ranges_max;
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &guard.former) < 0) {
        int rc = -errno;
        free(guard.ranges);
        memset(&guard, 0, sizeof(guard));
        return rc;
    }
    return 0;
}

void fault_guard_remove(void)
{
    if (guard.ranges == NULL)
        return;
    sigaction(SIGBUS, &guard.former, NULL);
    free(guard.ranges);
    memset(&guard, 0, sizeof(guard));
}

int fault_guard_add(void *base, size_t bytes, int owner)
{
    assert(base != NULL && bytes != 0 && owner < (int)guard.ranges_max);
    for (uint32_t i = 0; i < guard.ranges_max; i++) {
        struct range *range = &guard.ranges[i];
        if (range->base == 0) {
            range->bytes = bytes;
            range->hit = 0;
            range->owner = owner >= 0 ? owner : (int)i;
            store_release_u64((uint64_t *)&range->base, (uintptr_t)base);
            return (int)i;
        }
    }
    return -ENOSPC;
}

void fault_guard_drop(int slot)
{
    if (slot >= 0 && (uint32_t)slot < guard.ranges_max)
        store_release_u64((uint64_t *)&guard.ranges[slot].base, 0);
}

bool fault_guard_any(void)
{
    if (load_relaxed_u32(&guard.hits_pending) == 0)
        return false;
    return exchange_full_u32(&guard.hits_pending, 0) != 0;
}

bool fault_guard_hit(int slot)
{
    return slot >= 0 && (uint32_t)slot < guard.ranges_max &&
           load_relaxed_u32(&guard.ranges[slot].hit) != 0;
}
