/* SPDX-License-Identifier: MIT */
/*
 * image: the virtual disk's file, opened O_DIRECT and measured; or the export of an NBD server
 * (image_nbd.h), which is no file.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/why.h"
#include "service/block/engine/image_backing.h"
#include "service/block/engine/sector.h"

struct image {
    int fd;                 /* -1: closed, or an NBD export */
    struct nbd_handle *nbd; /* its connection; NULL: a file */
    char *path;             /* as it was opened; the image's own copy */
    dev_t device;           /* which file that is; a block device's own number, and 0 */
    ino_t inode;
    struct image_backing backing; /* where its bytes lie; an NBD export: nowhere */
    bool is_device;               /* a block device */
    bool writable;                /* as it was opened */
    uint64_t size_bytes;          /* multiple of 512 */
    uint32_t block_size_bytes;   /* alignment of offset and length: statx(STATX_DIOALIGN), >= 512 */
    uint32_t memory_align_bytes; /* alignment of buffers */
    uint32_t parts_max;          /* of memory in one operation of the disk; 0: nobody knows */
    uint32_t registered;         /* the engine's, while attached (engine/disk.h); 0: not */
};

/*
 * Opens path, or connects to an NBD URI (image_nbd_open). A file with O_DIRECT, for reading alone
 * or for writing too, and fills *out. On failure returns -errno, leaves *out closed (fd = -1) and
 * writes one line for people into why: what is wrong with which file and what to do. Refused:
 * missing, a directory or other non-regular file, unreadable, 0 bytes, a size that is no multiple
 * of 512, a file system without O_DIRECT, a file in memory (image_backing.h), a block device whose
 * size is no whole number of its blocks, and, if it is to be written, such a file or a read-only
 * device. The last part block of a file that is only read is served: see image_read_span.
 */
int image_open(const char *path, bool writable, struct image *out, struct why *why);
/* No operation on it is under way. Gives its lock back (image_lock.h). */
void image_close(struct image *image);

/*
 * Looks at the file again (resize). On failure the image stays as it was, and why says what is
 * wrong: -ENOENT nothing has its name any more; -ESTALE something else has: it was replaced, not
 * written; -EINVAL the size is none that image_open would take; others of stat(2) and of the
 * device.
 */
int image_refresh(struct image *image, struct why *why);

/* What offsets, lengths and buffers may all be aligned to. */
static inline uint32_t image_align_bytes(const struct image *image)
{
    return image->block_size_bytes > image->memory_align_bytes ? image->block_size_bytes
                                                               : image->memory_align_bytes;
}

/*
 * The aligned span to read for sector_count sectors from sector on: both outputs are multiples of
 * block_size_bytes. The image must hold the sectors (caller's check).
 */
static inline void image_read_span(const struct image *image, uint64_t sector,
                                   uint32_t sector_count, uint64_t *offset_bytes,
                                   uint32_t *length_bytes)
{
    uint64_t block_mask = (uint64_t)image->block_size_bytes - 1;
    uint64_t first = sector * BLOCK_SECTOR_BYTES;
    uint64_t end = first + (uint64_t)sector_count * BLOCK_SECTOR_BYTES;
    assert(end <= image->size_bytes && end > first);
    *offset_bytes = first & ~block_mask;
    *length_bytes = (uint32_t)(((end + block_mask) & ~block_mask) - *offset_bytes);
}

/* What people call it, as a line's first word. */
static inline const char *image_kind(const struct image *image)
{
    return image->is_device ? "Device" : image->nbd != NULL ? "Export" : "File";
}

#endif
