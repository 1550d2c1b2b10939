/* SPDX-License-Identifier: MIT */
#include "service/cli/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* lock_release removes the file: what was locked may no longer be what the path names. */
static bool is_current(const char *path, int fd)
{
    struct stat ours, current;

    return fstat(fd, &ours) == 0 && stat(path, &current) == 0 && ours.st_ino == current.st_ino &&
           ours.st_dev == current.st_dev;
}

/* Who stands in the way of a lock on fd: 0 nobody, -1 a process that has no pid here. */
static int ask(int fd, pid_t *holder)
{
    struct flock lock = whole_file();

    if (fcntl(fd, F_GETLK, &lock) != 0)
        return -errno;
    *holder = lock.l_type == F_UNLCK ? 0 : lock.l_pid > 0 ? lock.l_pid : -1;
    return 0;
}

int lock_acquire(const char *path, pid_t *holder)
{
    *holder = 0;
    for (;;) {
        struct flock lock = whole_file();
        const int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
            return -errno;
        if (fcntl(fd, F_SETLK, &lock) != 0) {
            const int rc = errno == EACCES ? -EAGAIN : -errno;
            if (rc == -EAGAIN && ask(fd, holder) == 0 && *holder < 0)
                *holder = 0;
            close(fd);
            return rc;
        }
        if (is_current(path, fd))
            return fd;
        close(fd); /* the previous holder removed it between open and lock: once more */
    }
}

void lock_release(const char *path, int fd)
{
    unlink(path); /* before the lock goes, so that nobody's newer file is removed */
    close(fd);
}

int lock_holder(const char *path, pid_t *holder)
{
    const int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    int rc;

    *holder = 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    rc = ask(fd, holder);
    close(fd);
    return rc;
}
