/* SPDX-License-Identifier: MIT */
/*
 * guest_memory: the memory of a guest, mapped, and its addresses. Nothing that the guest says is
 * believed: an address is translated with its length, and what is not all inside a region is not
 * there; but data may begin in one and go on in the next, which lies elsewhere here. Memory may
 * shrink behind our back: the mappings are guarded (ring/fault_guard.h, which the program has
 * installed), reads then give zeros, and guest_memory_is_lost says so.
 *
 * One thread.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_GUEST_MEMORY_H
#define SPLITDOM_BRIDGE_VHOST_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/vhost/vhost_user.h"

struct guest_region {
    uint64_t guest_address, bytes; /* as the guest numbers it */
    uint64_t user_address;         /* as the front end's process does */
    char *start;                   /* as we do */
    void *mapping;                 /* start may lie inside it */
    size_t mapping_bytes;
    int guard;
};

/* Zeroed: no memory. */
struct guest_memory {
    uint32_t count;
    struct guest_region regions[VHOST_USER_REGIONS_MAX];
};

/*
 * Maps the regions of the table, a descriptor for each. The descriptors stay the caller's. Errors:
 * -EINVAL a region is empty, wraps around, or is larger than its file; -EBADF a descriptor is
 * missing; others of mmap and fstat. Then there is no memory.
 */
int guest_memory_map(struct guest_memory *memory, const struct vhost_user_memory *table,
                     const int *fds);
void guest_memory_unmap(struct guest_memory *memory);

/* Where these bytes are, by the guest's or by the front end's address; NULL: not (all) in a region.
 */
void *guest_memory_at(const struct guest_memory *memory, uint64_t guest_address, uint64_t bytes);
void *guest_memory_user(const struct guest_memory *memory, uint64_t user_address, uint64_t bytes);

/* Where the first of `bytes` bytes (1 or more) are, and in *part how many of them lie there; NULL:
 * none is in a region. */
void *guest_memory_part(const struct guest_memory *memory, uint64_t guest_address, uint64_t bytes,
                        uint64_t *part);

/* Has some of it turned out to be gone? */
bool guest_memory_is_lost(const struct guest_memory *memory);

#endif
