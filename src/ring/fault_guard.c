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

enum { CHUNKS_MAX = 1024 };

struct fault_guard {
    struct range *chunk[CHUNKS_MAX]; /* once there it stays where it is: a handler may look */
    uint32_t chunk_ranges;           /* 0: there is no guard */
    uint32_t ranges_max;             /* in all chunks that are there */
    uint32_t hits_pending;
    struct sigaction former;
};

/* The one place where a signal handler can find it. */
static struct fault_guard guard;

static struct range *range_at(uint32_t slot)
{
    return &guard.chunk[slot / guard.chunk_ranges][slot % guard.chunk_ranges];
}

static struct range *find(uintptr_t address)
{
    uint32_t count = load_acquire_u32(&guard.ranges_max); /* pairs with grow */
    for (uint32_t i = 0; i < count; i++) {
        struct range *range = range_at(i);
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
    store_relaxed_u32(&range_at((uint32_t)range->owner)->hit, 1);
    store_relaxed_u32(&guard.hits_pending, 1);
    errno = saved_errno;
}

static int grow(void)
{
    uint32_t chunks = guard.ranges_max / guard.chunk_ranges;
    if (chunks == CHUNKS_MAX)
        return -ENOSPC;
    guard.chunk[chunks] = calloc(guard.chunk_ranges, sizeof(struct range));
    if (guard.chunk[chunks] == NULL)
        return -ENOMEM;
    store_release_u32(&guard.ranges_max, guard.ranges_max + guard.chunk_ranges);
    return 0;
}

static void release(void)
{
    for (uint32_t i = 0; i < CHUNKS_MAX; i++)
        free(guard.chunk[i]);
    memset(&guard, 0, sizeof(guard));
}

int fault_guard_install(uint32_t ranges)
{
    assert(ranges > 0);
    if (guard.chunk_ranges != 0)
        return -EALREADY;
    guard.chunk_ranges = ranges;
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    int rc = grow();
    if (rc == 0 && sigaction(SIGBUS, &action, &guard.former) < 0)
        rc = -errno;
    if (rc < 0)
        release();
    return rc;
}

void fault_guard_remove(void)
{
    if (guard.chunk_ranges == 0)
        return;
    sigaction(SIGBUS, &guard.former, NULL);
    release();
}

int fault_guard_add(void *base, size_t bytes, int owner)
{
    assert(base != NULL && bytes != 0 && owner < (int)guard.ranges_max);
    uint32_t slot = 0;
    while (slot < guard.ranges_max && range_at(slot)->base != 0)
        slot++;
    int rc = slot == guard.ranges_max ? grow() : 0;
    if (rc < 0)
        return rc;
    struct range *range = range_at(slot);
    range->bytes = bytes;
    range->hit = 0;
    range->owner = owner >= 0 ? owner : (int)slot;
    store_release_u64((uint64_t *)&range->base, (uintptr_t)base);
    return (int)slot;
}

void fault_guard_drop(int slot)
{
    if (slot >= 0 && (uint32_t)slot < guard.ranges_max)
        store_release_u64((uint64_t *)&range_at((uint32_t)slot)->base, 0);
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
           load_relaxed_u32(&range_at((uint32_t)slot)->hit) != 0;
}
