/* SPDX-License-Identifier: MIT */
#include "service/block/engine/image_backing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

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

/* The file behind a loop device: its path in path, or false. */
static bool loop_file(dev_t device, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "/sys/dev/block/%u:%u/loop/backing_file", major(device),
             minor(device));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, path, PATH_MAX - 1);
    close(fd);
    if (length <= 1)
        return false;
    path[length - 1] = '\0'; /* in place of the newline */
    return true;
}

bool image_backing_is_memory(int fd)
{
    char path[PATH_MAX];
    struct statfs fs;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return false;
    if (S_ISBLK(st.st_mode)) /* its node lives in a tmpfs, its data don't */
        return loop_file(st.st_rdev, path) && statfs(path, &fs) == 0 && is_memory(&fs);
    if (fstatfs(fd, &fs) < 0)
        return false;
    return is_memory(&fs) || (fs.f_type == OVERLAYFS_SUPER_MAGIC && is_overlay_on_memory(fd));
}
