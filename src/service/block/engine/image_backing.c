/* SPDX-License-Identifier: MIT */
#include "service/block/engine/image_backing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/decimal.h"
#include "service/block/engine/sector.h"

enum { LAYERS_MAX = 8 }; /* of loop devices on loop devices */

static bool is_memory(const struct statfs *fs)
{
    return fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC;
}

/*
 * An overlay (overlayfs) says of itself only that it is one. But it passes the question where a
 * file's first byte lies on to the file system below, which has the answer if it keeps files on a
 * disk; those that keep them in memory do not know the question.
 */
static bool is_overlay_on_memory(int fd)
{
    struct fiemap map = {.fm_length = 1};
    return ioctl(fd, FS_IOC_FIEMAP, &map) < 0 && (errno == EOPNOTSUPP || errno == ENOTTY);
}

/* What sysfs says of a block device, without the newline; false: nothing. */
static bool read_sysfs(dev_t device, const char *name, char *text, size_t text_bytes)
{
    char path[128];
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device), minor(device), name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, text_bytes - 1);
    close(fd);
    if (length <= 1)
        return false;
    text[length - 1] = '\0';
    return true;
}

/* A loop device may lie on another one, or on a partition of one. */
static bool is_loop_on_memory(dev_t device)
{
    char path[PATH_MAX];
    struct statfs fs;
    struct stat st;
    for (int i = 0; i < LAYERS_MAX; i++) {
        if (!read_sysfs(device, "loop/backing_file", path, sizeof(path)) &&
            !read_sysfs(device, "../loop/backing_file", path, sizeof(path)))
            return false;
        if (stat(path, &st) < 0)
            return false;
        if (!S_ISBLK(st.st_mode))
            return statfs(path, &fs) == 0 && is_memory(&fs);
        device = st.st_rdev;
    }
    return false;
}

bool image_backing_is_memory(int fd)
{
    struct statfs fs;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return false;
    if (S_ISBLK(st.st_mode)) /* its node lives in a tmpfs, its data don't */
        return is_loop_on_memory(st.st_rdev);
    if (fstatfs(fd, &fs) < 0)
        return false;
    return is_memory(&fs) || (fs.f_type == OVERLAYFS_SUPER_MAGIC && is_overlay_on_memory(fd));
}

/* What these are bytes of is itself a part of something: so many bytes, UINT64_MAX to its end. */
static void place_within(struct image_backing *backing, uint64_t first_byte, uint64_t bytes)
{
    if (backing->end_byte > bytes)
        backing->end_byte = bytes;
    backing->first_byte += first_byte;
    if (backing->end_byte < UINT64_MAX)
        backing->end_byte += first_byte;
}

/* A partition is a part of its disk. */
static void find_disk(struct image_backing *backing)
{
    char start[32], size[32], disk[32];
    uint64_t first, sectors;
    unsigned int disk_major, disk_minor;
    if (!read_sysfs(backing->device, "partition", disk, sizeof(disk)) ||
        !read_sysfs(backing->device, "start", start, sizeof(start)) ||
        !read_sysfs(backing->device, "size", size, sizeof(size)) ||
        !read_sysfs(backing->device, "../dev", disk, sizeof(disk)) ||
        sscanf(start, "%" SCNu64, &first) != 1 || sscanf(size, "%" SCNu64, &sectors) != 1 ||
        sscanf(disk, "%u:%u", &disk_major, &disk_minor) != 2)
        return;
    backing->device = makedev(disk_major, disk_minor);
    place_within(backing, first * BLOCK_SECTOR_BYTES, sectors * BLOCK_SECTOR_BYTES);
}

/* A loop device, or a partition of one, is a part of its file, or of a block device. fd: of either.
 * False: there is no more to be found. */
static bool find_loop_file(int fd, struct image_backing *backing)
{
    struct loop_info64 loop;
    if (major(backing->device) != LOOP_MAJOR || ioctl(fd, LOOP_GET_STATUS64, &loop) < 0)
        return false;
    place_within(backing, loop.lo_offset, loop.lo_sizelimit != 0 ? loop.lo_sizelimit : UINT64_MAX);
    backing->is_device = loop.lo_rdevice != 0;
    backing->device = loop.lo_rdevice != 0 ? loop.lo_rdevice : loop.lo_device;
    backing->inode = loop.lo_rdevice != 0 ? 0 : loop.lo_inode;
    return backing->is_device;
}

/* The loop device of that number, by the name that the kernel gives its node. -1: not to be had. */
static int open_loop(dev_t device)
{
    char link[64], target[PATH_MAX], path[PATH_MAX];
    struct stat st;
    snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(device), minor(device));
    ssize_t length = major(device) == LOOP_MAJOR ? readlink(link, target, sizeof(target) - 1) : -1;
    if (length <= 0)
        return -1;
    target[length] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(path, sizeof(path), "/dev/%.64s", slash != NULL ? slash + 1 : target);
    if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode) || st.st_rdev != device)
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

void image_backing_find(int fd, struct image_backing *out)
{
    struct stat st;
    *out = (struct image_backing){0};
    if (fstat(fd, &st) < 0)
        return;
    out->end_byte = UINT64_MAX;
    out->is_device = S_ISBLK(st.st_mode);
    out->device = out->is_device ? st.st_rdev : st.st_dev;
    out->inode = out->is_device ? 0 : st.st_ino;
    if (!out->is_device)
        return;
    find_disk(out);
    bool below = find_loop_file(fd, out);
    for (int i = 0; below && i < LAYERS_MAX; i++) {
        find_disk(out);
        int loop_fd = open_loop(out->device);
        below = loop_fd >= 0 && find_loop_file(loop_fd, out);
        if (loop_fd >= 0)
            close(loop_fd);
    }
}

bool image_backing_overlaps(const struct image_backing *a, const struct image_backing *b)
{
    return a->is_device == b->is_device && a->device == b->device && a->inode == b->inode &&
           a->first_byte < b->end_byte && b->first_byte < a->end_byte;
}

/* where: "" of the device itself; "../" of the one that it is a partition of. */
static uint32_t read_parts(dev_t device, const char *where)
{
    char name[32], text[32];
    uint64_t value;
    snprintf(name, sizeof(name), "%squeue/max_segments", where);
    if (!read_sysfs(device, name, text, sizeof(text)))
        return 0;
    return decimal_parse(text, 1, UINT32_MAX, &value) == 0 ? (uint32_t)value : 0;
}

uint32_t image_backing_parts_max(dev_t device)
{
    uint32_t parts = read_parts(device, "");
    return parts != 0 ? parts : read_parts(device, "../");
}
