/* SPDX-License-Identifier: MIT */
#include "run/socket_name.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_S = 1 };

/* Is the name free, or a dead server's? */
static int look(const char *path, struct why *why)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : why_fail_errno(why, -errno, "%s", path);
    if (!S_ISSOCK(status.st_mode))
        return why_fail(why, -EEXIST, "%s is no socket: choose another name", path);
    int fd = unix_socket_connect(path, SOCK_STREAM, PATIENCE_S);
    if (fd == -ECONNREFUSED || fd == -ENOENT)
        return 0;
    if (fd >= 0)
        close(fd);
    return why_fail(why, -EADDRINUSE, "somebody listens at %s already: choose another name", path);
}

int socket_name_listen(struct unix_listener *listener, const char *path, struct why *why)
{
    int rc = look(path, why);

    if (rc < 0) {
        *listener = UNIX_LISTENER_CLOSED;
        return rc;
    }
    rc = unix_listener_open(listener, path, SOCK_STREAM, SOMAXCONN);
    return rc < 0 ? why_fail_errno(why, rc, "cannot listen at %s", path) : 0;
}
