/* SPDX-License-Identifier: MIT */
#include "base/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int memory_file_create(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* Linux before 6.3 */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, S_IRUSR | S_IWUSR) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

int memory_file_seal(int fd, int seals)
{
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int memory_file_check(int fd, int seals)
{
    struct statfs fs;
    int found = fcntl(fd, F_GET_SEALS);
    if (found < 0)
        return errno == EBADF ? -EBADF : -EBADFD;
    /* A file of huge pages can have seals too, but a mapping of it can fail for lack of reserved
     * huge pages. */
    if ((found & seals) != seals || fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
        return -EBADFD;
    return 0;
}
