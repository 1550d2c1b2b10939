/* SPDX-License-Identifier: MIT */
/*
 * fault_named: further calls that fault_arm_call makes fail. No walk does: where they are used,
 * they fail only on machines that are broken or foreign. __wrap_NAME and __real_NAME as in
 * fault_calls.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "fault.h"

/* A macro, because each has a type and parameters of its own. */
#define NAMED(TYPE, NAME, PARAMETERS, ARGUMENTS, FAILED)                                           \
    TYPE __real_##NAME PARAMETERS;                                                                 \
    TYPE __wrap_##NAME PARAMETERS;                                                                 \
    TYPE __wrap_##NAME PARAMETERS                                                                  \
    {                                                                                              \
        if (!fault_is_named(#NAME))                                                                \
            return __real_##NAME ARGUMENTS;                                                        \
        errno = fault_error(EIO);                                                                  \
        return FAILED;                                                                             \
    }

NAMED(int, fstat, (int fd, struct stat *status), (fd, status), -1)
NAMED(int, stat, (const char *path, struct stat *status), (path, status), -1)
NAMED(int, fstatfs, (int fd, struct statfs *status), (fd, status), -1)
NAMED(int, unlink, (const char *path), (path), -1)
NAMED(int, chdir, (const char *path), (path), -1)
NAMED(int, flock, (int fd, int operation), (fd, operation), -1)
NAMED(char *, realpath, (const char *path, char *out), (path, out), NULL)
NAMED(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at),
      -1)
/* The last parameter is read whether it was given or not, as the C library does. */
NAMED(int, ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument), -1)
NAMED(int, fcntl, (int fd, int command, long argument), (fd, command, argument), -1)

/* Error 0: it knows of all that it is asked, and each number is 0. */
int __real_statx(int fd, const char *path, int flags, unsigned int mask, struct statx *status);
int __wrap_statx(int fd, const char *path, int flags, unsigned int mask, struct statx *status);
int __wrap_statx(int fd, const char *path, int flags, unsigned int mask, struct statx *status)
{
    if (!fault_is_named("statx"))
        return __real_statx(fd, path, flags, mask, status);
    errno = fault_error(EIO);
    if (errno != 0)
        return -1;
    *status = (struct statx){.stx_mask = mask};
    return 0;
}

NAMED(FILE *, open_memstream, (char **out, size_t *size), (out, size), NULL)
NAMED(FILE *, fmemopen, (void *bytes, size_t size, const char *mode), (bytes, size, mode), NULL)

NAMED(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)
NAMED(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
      (fd, level, name, value, size), -1)
NAMED(int, listen, (int fd, int backlog), (fd, backlog), -1)

NAMED(int, timerfd_settime,
      (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
      (fd, flags, value, old), -1)
NAMED(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old), -1)
NAMED(ssize_t, getrandom, (void *bytes, size_t size, unsigned int flags), (bytes, size, flags), -1)

#ifdef HAVE_LIBURING

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
    return fault_is_named("io_uring_submit") ? -fault_error(EBUSY) : __real_io_uring_submit(ring);
}

#endif
