/* SPDX-License-Identifier: MIT */
#include "fake_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "service/block/engine/image.h"
#include "service/block/engine/sector.h"

enum { WORDS = BLOCK_SECTOR_BYTES / sizeof(uint64_t) };

static struct fake_disk *current;

struct fake_disk *fake_disk_current(void)
{
    return current;
}

static int create(const struct disk_config *config, struct disk **out, struct why *why)
{
    (void)why;
    if (config->depth > FAKE_DISK_DEPTH_MAX)
        return -EINVAL;
    struct fake_disk *disk = calloc(1, sizeof(*disk));
    if (disk == NULL)
        return -ENOMEM;
    disk->base.ops = &fake_disk_ops;
    disk->depth = config->depth;
    current = disk;
    *out = &disk->base;
    return 0;
}

/* Between memory and the disk's span of so many bytes. */
static void move(struct fake_disk *disk, const struct disk_io *io, uint8_t *memory,
                 uint64_t offset_bytes, size_t bytes)
{
    if (io->operation == DISK_WRITE && disk->content != NULL)
        memcpy(disk->content + offset_bytes, memory, bytes);
    else if (io->operation == DISK_READ && disk->content != NULL)
        memcpy(memory, disk->content + offset_bytes, bytes);
    for (size_t i = 0; io->operation == DISK_READ && disk->content == NULL && i < bytes; i += 8) {
        uint64_t sector = (offset_bytes + i) / BLOCK_SECTOR_BYTES;
        memcpy(memory + i, &sector, sizeof(sector));
    }
}

/* The first bytes of the operation have their effect. */
static void take_effect(struct fake_disk *disk, const struct disk_io *io, size_t bytes)
{
    uint64_t offset_bytes = io->offset_bytes;
    if (io->operation == DISK_DISCARD && disk->content != NULL)
        memset(disk->content + offset_bytes, 0, bytes);
    if (io->operation != DISK_READ && io->operation != DISK_WRITE)
        return;
    if (io->iov_count == 0)
        move(disk, io, io->buffer, offset_bytes, bytes);
    for (uint32_t i = 0; i < io->iov_count && bytes > 0; i++) {
        size_t part = io->iov[i].iov_len < bytes ? io->iov[i].iov_len : bytes;
        move(disk, io, io->iov[i].iov_base, offset_bytes, part);
        offset_bytes += part;
        bytes -= part;
    }
}

static void check_span(const struct disk_io *io)
{
    size_t bytes = 0;
    uint32_t in_block = io->image->block_size_bytes - 1;
    for (uint32_t i = 0; i < io->iov_count; i++) {
        bytes += io->iov[i].iov_len;
        if ((io->iov[i].iov_len & in_block) != 0 ||
            ((uintptr_t)io->iov[i].iov_base & (io->image->memory_align_bytes - 1)) != 0)
            abort();
    }
    if (((io->offset_bytes | io->length_bytes) & in_block) != 0 ||
        (io->iov_count > 0 && bytes != io->length_bytes) ||
        (io->operation == DISK_FLUSH) != (io->length_bytes == 0))
        abort();
}

static void submit(struct disk *base, struct disk_io *io)
{
    struct fake_disk *disk = (struct fake_disk *)base;
    check_span(io);
    io->due_ns = 0;
    io->ended_bytes = 0;
    io->arrival_ns = ++disk->clock;
    if (disk->chance != NULL && prng_below(disk->chance, 3) == 0) {
        take_effect(disk, io, io->length_bytes);
        io->ended_bytes = 1;
    }
    if (disk->waiting_count >= disk->depth)
        abort(); /* the caller promised to keep to the depth */
    disk->waiting[disk->waiting_count++] = io;
    disk->submitted++;
    disk->unkicked++;
}

static void kick(struct disk *base)
{
    ((struct fake_disk *)base)->unkicked = 0;
}

static void destroy(struct disk *base)
{
    if (base != NULL && (struct fake_disk *)base == current)
        current = NULL;
    free(base);
}

const struct disk_ops fake_disk_ops = {
    .name = "fake", .create = create, .submit = submit, .kick = kick, .destroy = destroy};

void fake_disk_complete(struct fake_disk *disk, uint32_t index, int32_t status)
{
    struct disk_io *io = disk->waiting[index];
    disk->waiting_count--;
    memmove(&disk->waiting[index], &disk->waiting[index + 1],
            (disk->waiting_count - index) * sizeof(struct disk_io *));
    bool late = io->ended_bytes == 0;
    if (late && status == 0)
        take_effect(disk, io, io->length_bytes);
    else if (late && disk->chance != NULL)
        take_effect(disk, io,
                    prng_below(disk->chance, io->length_bytes / BLOCK_SECTOR_BYTES + 1) *
                        BLOCK_SECTOR_BYTES);
    disk->clock++;
    if (io->operation == DISK_WRITE || io->operation == DISK_DISCARD)
        disk->write_ended = disk->clock;
    if (io->operation == DISK_FLUSH && status == 0 && io->arrival_ns > disk->flush_covered)
        disk->flush_covered = io->arrival_ns;
    if (io->operation == DISK_WRITE && status == 0 && disk->wrote != NULL)
        disk->wrote(disk->ctx, io);
    io->status = status;
    io->done(io);
}

void fake_disk_complete_all(struct fake_disk *disk, int32_t status)
{
    for (uint32_t left = disk->waiting_count; left > 0; left--)
        fake_disk_complete(disk, 0, status);
}

bool fake_disk_holds(const void *bytes, uint64_t sector, uint32_t sector_count)
{
    for (uint32_t i = 0; i < sector_count * WORDS; i++) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)bytes + i * sizeof(word), sizeof(word));
        if (word != sector + i / WORDS)
            return false;
    }
    return true;
}
