/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/guest_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ring/fault_guard.h"

static bool wraps(uint64_t start, uint64_t bytes)
{
    return start + bytes < start;
}

/* A file that ends before the region does would be a fault at the first access. */
static int check(const struct vhost_user_region *wanted, int fd)
{
    struct stat status;

    if (fd < 0)
        return -EBADF;
    if (wanted->bytes == 0 || wraps(wanted->guest_address, wanted->bytes) ||
        wraps(wanted->user_address, wanted->bytes) || wraps(wanted->mmap_offset, wanted->bytes))
        return -EINVAL;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || wanted->mmap_offset + wanted->bytes > (uint64_t)status.st_size)
        return -EINVAL;
    return 0;
}

/* From the file's beginning: the offset need not be a multiple of its pages' size. */
static int map_region(struct guest_region *region, const struct vhost_user_region *wanted, int fd)
{
    int rc = check(wanted, fd);

    if (rc < 0)
        return rc;
    *region = (struct guest_region){
        .guest_address = wanted->guest_address,
        .bytes = wanted->bytes,
        .user_address = wanted->user_address,
        .mapping_bytes = wanted->mmap_offset + wanted->bytes,
    };
    region->mapping = mmap(NULL, region->mapping_bytes, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (region->mapping == MAP_FAILED)
        return -errno;
    region->guard = fault_guard_add(region->mapping, region->mapping_bytes, -1);
    if (region->guard < 0) {
        munmap(region->mapping, region->mapping_bytes);
        return region->guard;
    }
    region->start = (char *)region->mapping + wanted->mmap_offset;
    return 0;
}

int guest_memory_map(struct guest_memory *memory, const struct vhost_user_memory *table,
                     const int *fds)
{
    int rc = table->region_count <= VHOST_USER_REGIONS_MAX ? 0 : -EINVAL;

    *memory = (struct guest_memory){0};
    while (rc == 0 && memory->count < table->region_count) {
        uint32_t i = memory->count;
        rc = map_region(&memory->regions[i], &table->regions[i], fds[i]);
        if (rc == 0)
            memory->count++;
    }
    if (rc < 0)
        guest_memory_unmap(memory);
    return rc;
}

void guest_memory_unmap(struct guest_memory *memory)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        fault_guard_drop(memory->regions[i].guard);
        munmap(memory->regions[i].mapping, memory->regions[i].mapping_bytes);
    }
    memory->count = 0;
}

/* Inside the region, without computing an end that may wrap. */
static bool holds(uint64_t start, uint64_t size, uint64_t address, uint64_t bytes)
{
    return address >= start && bytes <= size && address - start <= size - bytes;
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t guest_address, uint64_t bytes)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct guest_region *region = &memory->regions[i];
        if (holds(region->guest_address, region->bytes, guest_address, bytes))
            return region->start + (guest_address - region->guest_address);
    }
    return NULL;
}

void *guest_memory_user(const struct guest_memory *memory, uint64_t user_address, uint64_t bytes)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct guest_region *region = &memory->regions[i];
        if (holds(region->user_address, region->bytes, user_address, bytes))
            return region->start + (user_address - region->user_address);
    }
    return NULL;
}

void *guest_memory_part(const struct guest_memory *memory, uint64_t guest_address, uint64_t bytes,
                        uint64_t *part)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct guest_region *region = &memory->regions[i];
        if (!holds(region->guest_address, region->bytes, guest_address, 1))
            continue;
        uint64_t before = guest_address - region->guest_address, left = region->bytes - before;
        *part = bytes < left ? bytes : left;
        return region->start + before;
    }
    return NULL;
}

bool guest_memory_is_lost(const struct guest_memory *memory)
{
    for (uint32_t i = 0; i < memory->count; i++)
        if (fault_guard_hit(memory->regions[i].guard))
            return true;
    return false;
}
