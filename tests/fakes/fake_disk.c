/* SPDX-License-Identifier: MIT */
#include "fake_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static void submit(struct disk *base, struct disk_io *io)
{
    struct fake_disk *disk = (struct fake_disk *)base;
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
    uint64_t *word = io->buffer;
    for (uint32_t i = 0; status == 0 && i < io->length_bytes / sizeof(uint64_t); i++)
        word[i] = io->offset_bytes / BLOCK_SECTOR_BYTES + i / WORDS;
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
