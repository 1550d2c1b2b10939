/* SPDX-License-Identifier: MIT */
#include "base/owned_path.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int owned_path_note(struct owned_path *owned, const char *path)
{
    struct stat status;
    *owned = (struct owned_path){0};
    if (lstat(path, &status) != 0)
        return -errno;
    *owned = (struct owned_path){.device = status.st_dev, .inode = status.st_ino};
    return 0;
}

bool owned_path_is_there(const struct owned_path *owned, const char *path)
{
    struct stat status;
    return owned->inode != 0 && lstat(path, &status) == 0 && status.st_dev == owned->device &&
           status.st_ino == owned->inode;
}

void owned_path_remove(struct owned_path *owned, const char *path)
{
    if (owned_path_is_there(owned, path))
        (void)unlink(path); /* a name that can't be removed is stale: the next start clears it */
    *owned = (struct owned_path){0};
}
