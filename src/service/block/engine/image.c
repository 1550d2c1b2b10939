/* SPDX-License-Identifier: MIT */
#include "service/block/engine/image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/block/engine/image_align.h"
#include "service/block/engine/image_backing.h"
#include "service/block/engine/image_lock.h"
#include "service/block/engine/image_nbd.h"
#include "service/block/engine/sector.h"

#define BLOCK_BYTES_MAX 65536u /* ext4 and xfs with 64 KiB blocks */

/* Where an image is refused: which one, and the line about it. */
struct refusal {
    const char *path;
    struct why *why;
    bool writable; /* it is to be written */
};

/* Writes "PATH: ..." and gives rc back. */
__attribute__((format(printf, 3, 4))) static int refuse(const struct refusal *refusal, int rc,
                                                        const char *format, ...)
{
    char text[WHY_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return why_fail(refusal->why, rc, "%s: %s", refusal->path, text);
}

static int refuse_errno(const struct refusal *refusal, int error)
{
    switch (error) {
    case ENOENT:
        return refuse(refusal, -ENOENT, "no such file; make an image with ./disk1.img.sh");
    case EACCES:
    case EPERM:
        return refuse(refusal, -error,
                      "permission denied; the user who starts the service must be able to %s the "
                      "file and to search its directories",
                      refusal->writable ? "write" : "read");
    default:
        return refuse(refusal, -error, "%s", strerror(error));
    }
}

static int check_type(const struct refusal *refusal, mode_t mode)
{
    if (S_ISREG(mode) || S_ISBLK(mode))
        return 0;
    if (S_ISDIR(mode))
        return refuse(refusal, -EISDIR, "is a directory; name an image file or a block device");
    return refuse(refusal, -EINVAL,
                  "is neither a regular file nor a block device; make an image with "
                  "./disk1.img.sh");
}

static int measure(int fd, uint64_t *size_bytes)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISBLK(st.st_mode))
        *size_bytes = (uint64_t)st.st_size;
    else if (ioctl(fd, BLKGETSIZE64, size_bytes) < 0)
        return -errno;
    return 0;
}

static int check_size(const struct refusal *refusal, uint64_t size_bytes)
{
    if (size_bytes == 0)
        return refuse(refusal, -EINVAL, "is empty (0 bytes); make an image with ./disk1.img.sh");
    if (size_bytes % BLOCK_SECTOR_BYTES != 0)
        return refuse(refusal, -EINVAL,
                      "its size, %llu bytes, is no multiple of the sector size, %d bytes; "
                      "make an image with ./disk1.img.sh or cut this one with truncate(1)",
                      (unsigned long long)size_bytes, BLOCK_SECTOR_BYTES);
    return 0;
}

/* A file's last part block can be read, a device's can't: its last sectors would always fail. Nor
 * can any be written: the file would grow by it. */
static int check_whole_blocks(const struct refusal *refusal, const struct image *image,
                              uint64_t size_bytes)
{
    if (image->is_device && size_bytes % image->block_size_bytes != 0)
        return refuse(refusal, -EINVAL,
                      "its size, %llu bytes, is no multiple of the device's block, %u bytes, so "
                      "that its last sectors cannot be read; change either (losetup -b)",
                      (unsigned long long)size_bytes, image->block_size_bytes);
    if (image->writable && size_bytes % image->block_size_bytes != 0)
        return refuse(
            refusal, -EINVAL,
            "its size, %llu bytes, is no multiple of the file system's block, %u bytes, so "
            "that its last sectors cannot be written; change it with truncate(1), or have "
            "the disk read-only",
            (unsigned long long)size_bytes, image->block_size_bytes);
    return 0;
}

/* Such a device lets itself be opened for writing, and fails each write. */
static int check_writes(const struct refusal *refusal, const struct image *image)
{
    int read_only = 0;
    if (!image->writable || !image->is_device || ioctl(image->fd, BLKROGET, &read_only) < 0 ||
        read_only == 0)
        return 0;
    return refuse(refusal, -EROFS,
                  "is a read-only device; have the disk read-only, or change the device "
                  "(blockdev --setrw, losetup without -r)");
}

static int refuse_no_direct(const struct refusal *refusal)
{
    return refuse(refusal, -ENOTSUP,
                  "its file system has no direct I/O (O_DIRECT), as tmpfs has none; put the image "
                  "on a disk file system (ext4, xfs, btrfs, ...)");
}

static bool is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static int find_alignment(const struct refusal *refusal, struct image *image)
{
    uint32_t block_bytes = 0, memory_bytes = 0;
    int rc = image_align_find(image->fd, &block_bytes, &memory_bytes);
    if (rc == -ENOTSUP)
        return refuse_no_direct(refusal);
    if (rc < 0)
        return refuse(refusal, rc, "can't find its alignment for direct I/O: %s", strerror(-rc));

    /* Sectors are the unit above us; a pointer's alignment is what allocators can be asked for. */
    if (block_bytes < BLOCK_SECTOR_BYTES)
        block_bytes = BLOCK_SECTOR_BYTES;
    if (memory_bytes < sizeof(void *))
        memory_bytes = sizeof(void *);
    if (!is_power_of_two(block_bytes) || !is_power_of_two(memory_bytes) ||
        block_bytes > BLOCK_BYTES_MAX || memory_bytes > BLOCK_BYTES_MAX)
        return refuse(refusal, -ENOTSUP,
                      "wants direct I/O in blocks of %u bytes in memory aligned to %u; powers of "
                      "two up to %u are supported",
                      block_bytes, memory_bytes, BLOCK_BYTES_MAX);
    image->block_size_bytes = block_bytes;
    image->memory_align_bytes = memory_bytes;
    return 0;
}

/* Which file it is, whatever its name. */
static void identify(const struct stat *st, dev_t *device, ino_t *inode)
{
    bool is_device = S_ISBLK(st->st_mode); /* its node may be made anew */
    *device = is_device ? st->st_rdev : st->st_dev;
    *inode = is_device ? 0 : st->st_ino;
}

/* The type is looked at first: opening a FIFO would block, and opening a device may do things. */
static int open_direct(const struct refusal *refusal, struct image *image)
{
    struct stat st;
    if (stat(refusal->path, &st) < 0)
        return refuse_errno(refusal, errno);
    int rc = check_type(refusal, st.st_mode);
    if (rc < 0)
        return rc;
    image->writable = refusal->writable;
    image->fd = open(refusal->path,
                     (refusal->writable ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC | O_NOCTTY);
    if (image->fd < 0)
        return errno == EINVAL ? refuse_no_direct(refusal) : refuse_errno(refusal, errno);
    if (fstat(image->fd, &st) < 0)
        return refuse_errno(refusal, errno);
    image->is_device = S_ISBLK(st.st_mode);
    identify(&st, &image->device, &image->inode);
    image_backing_find(image->fd, &image->backing);
    image->path = strdup(refusal->path);
    return image->path != NULL ? 0 : refuse_errno(refusal, ENOMEM);
}

static int check(const struct refusal *refusal, struct image *image)
{
    int rc = measure(image->fd, &image->size_bytes);
    if (rc < 0)
        return refuse_errno(refusal, -rc);
    if (image_backing_is_memory(image->fd))
        return refuse_no_direct(refusal);
    rc = check_writes(refusal, image);
    if (rc == 0)
        rc = check_size(refusal, image->size_bytes);
    if (rc == 0)
        rc = find_alignment(refusal, image);
    if (rc == 0)
        rc = check_whole_blocks(refusal, image, image->size_bytes);
    image->parts_max = image_backing_parts_max(image->device);
    return rc;
}

int image_open(const char *path, bool writable, struct image *out, struct why *why)
{
    const struct refusal refusal = {.path = path, .why = why, .writable = writable};
    struct image image = {.fd = -1};
    if (image_nbd_is_uri(path))
        return image_nbd_open(path, writable, out, why);
    *out = image;
    int rc = open_direct(&refusal, &image);
    if (rc == 0)
        rc = check(&refusal, &image);
    if (rc < 0) {
        image_close(&image);
        return rc;
    }
    *out = image;
    return 0;
}

void image_close(struct image *image)
{
    if (image->fd >= 0) {
        image_unlock(image);
        close(image->fd);
    }
    image_nbd_close(image->nbd);
    image->nbd = NULL;
    image->fd = -1;
    free(image->path);
    image->path = NULL;
}

static int check_same(const struct refusal *refusal, const struct image *image)
{
    struct stat st;
    dev_t device;
    ino_t inode;
    if (stat(refusal->path, &st) < 0) {
        if (errno != ENOENT)
            return refuse_errno(refusal, errno);
        return refuse(refusal, -ENOENT,
                      "is not there any more; the file that was there is still served");
    }
    identify(&st, &device, &inode);
    if (device != image->device || inode != image->inode)
        return refuse(refusal, -ESTALE,
                      "is another file than the one that is served, as after mv; write into the "
                      "old one, or start the service anew");
    return 0;
}

int image_refresh(struct image *image, struct why *why)
{
    const struct refusal refusal = {.path = image->path, .why = why, .writable = image->writable};
    uint64_t size_bytes;
    if (image->nbd != NULL) /* the protocol tells no change of it */
        return 0;
    int rc = check_same(&refusal, image);
    if (rc < 0)
        return rc;
    rc = measure(image->fd, &size_bytes);
    if (rc < 0)
        return refuse_errno(&refusal, -rc);
    rc = check_size(&refusal, size_bytes);
    if (rc == 0)
        rc = check_whole_blocks(&refusal, image, size_bytes);
    if (rc == 0)
        image->size_bytes = size_bytes;
    return rc;
}
