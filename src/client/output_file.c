/* SPDX-License-Identifier: MIT */
#include "client/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Does path name the file behind fd? */
static bool is_file_of(const char *path, int fd)
{
    struct stat named, open_one;
    return fstat(fd, &open_one) == 0 && lstat(path, &named) == 0 &&
           named.st_dev == open_one.st_dev && named.st_ino == open_one.st_ino;
}

/*
 * Locks and empties a regular file. -ESTALE: the previous holder of the lock has removed the file
 * meanwhile. On a file system without locks (-ENOLCK, -EOPNOTSUPP) the file is not locked.
 */
static int claim(const char *path, bool follow, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return -EBUSY;
        if (errno != ENOLCK && errno != EOPNOTSUPP)
            return -errno;
    }
    if (!follow && !is_file_of(path, fd))
        return -ESTALE;
    return ftruncate(fd, 0) != 0 ? -errno : 0;
}

int output_file_open(const char *path, bool follow)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
    for (;;) {
        int fd = open(path, flags, 0666);
        if (fd < 0)
            return -errno;
        int rc = claim(path, follow, fd);
        if (rc == 0)
            return fd;
        close(fd);
        if (rc != -ESTALE)
            return rc;
    }
}

void output_file_remove(const char *path, int fd)
{
    if (is_file_of(path, fd))
        (void)unlink(path); /* if that fails, an empty file stays */
}
