/* SPDX-License-Identifier: MIT */
/*
 * The calls that can be made to fail: __wrap_NAME takes the place of NAME in all of our code, and
 * __real_NAME is what it was (ld's --wrap). Each fails as it does when the machine has no more of
 * what it asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "fault.h"

/* A macro, because each has a type and parameters of its own. */
#define FAILS(TYPE, NAME, PARAMETERS, ARGUMENTS, ERROR, FAILED)                                    \
    TYPE __real_##NAME PARAMETERS;                                                                 \
    TYPE __wrap_##NAME PARAMETERS;                                                                 \
    TYPE __wrap_##NAME PARAMETERS                                                                  \
    {                                                                                              \
        if (fault_strikes(#NAME)) {                                                                \
            errno = fault_error(ERROR);                                                            \
            return FAILED;                                                                         \
        }                                                                                          \
        return __real_##NAME ARGUMENTS;                                                            \
    }

#define INTERRUPTED(TYPE, NAME, PARAMETERS, ARGUMENTS)                                             \
    TYPE __real_##NAME PARAMETERS;                                                                 \
    TYPE __wrap_##NAME PARAMETERS;                                                                 \
    TYPE __wrap_##NAME PARAMETERS                                                                  \
    {                                                                                              \
        if (fault_interrupts(#NAME)) {                                                             \
            errno = fault_error(EINTR);                                                            \
            return -1;                                                                             \
        }                                                                                          \
        return __real_##NAME ARGUMENTS;                                                            \
    }

/* ---- memory, counted ----------------------------------------------------------------------------
 */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __real_free(void *block);
void __wrap_free(void *block);

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *counted(void *block)
{
    fault_count_blocks(block != NULL);
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fault_strikes("malloc") ? no_memory() : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fault_strikes("calloc") ? no_memory() : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fault_strikes("realloc"))
        return no_memory();
    return block == NULL ? counted(__real_realloc(block, size)) : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fault_strikes("aligned_alloc") ? no_memory()
                                          : counted(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    int error = fault_strikes("posix_memalign") ? fault_error(ENOMEM)
                                                : __real_posix_memalign(out, alignment, size);

    fault_count_blocks(error == 0);
    return error;
}

char *__wrap_strdup(const char *text)
{
    return fault_strikes("strdup") ? no_memory() : counted(__real_strdup(text));
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    int length;

    if (fault_strikes("asprintf")) {
        *out = NULL;
        return -1;
    }
    va_start(args, format);
    length = vasprintf(out, format, args);
    va_end(args);
    fault_count_blocks(length >= 0);
    return length;
}

void __wrap_free(void *block)
{
    fault_count_blocks(-(block != NULL));
    __real_free(block);
}

FAILS(void *, mmap, (void *at, size_t size, int prot, int flags, int fd, off_t offset),
      (at, size, prot, flags, fd, offset), ENOMEM, MAP_FAILED)

void *__real_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to)
{
    if (!fault_strikes("mremap"))
        return __real_mremap(at, size, new_size, flags, to);
    errno = fault_error(ENOMEM);
    return MAP_FAILED;
}

/* ---- descriptors --------------------------------------------------------------------------------
 */

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
/* The mode is read whether it was given or not, as the C library does with O_CREAT. */
int __wrap_open(const char *path, int flags, mode_t mode)
{
    if (!fault_strikes("open"))
        return __real_open(path, flags, mode);
    errno = fault_error(EMFILE);
    return -1;
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    const bool interrupted = fault_interrupts("accept4");

    if (!interrupted && !fault_strikes("accept4"))
        return __real_accept4(fd, address, size, flags);
    errno = fault_error(interrupted ? EINTR : EMFILE);
    return -1;
}

FAILS(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE, -1)
FAILS(int, eventfd, (unsigned int count, int flags), (count, flags), EMFILE, -1)
FAILS(int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE, -1)
FAILS(int, epoll_create1, (int flags), (flags), EMFILE, -1)
FAILS(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), EMFILE, -1)
FAILS(int, memfd_create, (const char *name, unsigned int flags), (name, flags), EMFILE, -1)
FAILS(int, fchmod, (int fd, mode_t mode), (fd, mode), EPERM, -1)
FAILS(int, pipe2, (int fds[2], int flags), (fds, flags), EMFILE, -1)
FAILS(int, dup, (int fd), (fd), EMFILE, -1)
FAILS(int, dup2, (int fd, int to), (fd, to), EMFILE, -1)
FAILS(int, dup3, (int fd, int to, int flags), (fd, to, flags), EMFILE, -1)
FAILS(int, pidfd_open, (pid_t pid, unsigned int flags), (pid, flags), EMFILE, -1)
FAILS(FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
FAILS(FILE *, fdopen, (int fd, const char *mode), (fd, mode), ENOMEM, NULL)

/* Lines are made by the C library and freed by us. Optimised, getline is __getdelim. */
static ssize_t count_line(bool had, ssize_t n, char *const *line)
{
    if (!had && *line != NULL)
        fault_count_blocks(1);
    return n;
}

ssize_t __real_getline(char **line, size_t *bytes, FILE *file);
ssize_t __wrap_getline(char **line, size_t *bytes, FILE *file);
ssize_t __wrap_getline(char **line, size_t *bytes, FILE *file)
{
    const bool had = *line != NULL;
    if (!fault_strikes("getline"))
        return count_line(had, __real_getline(line, bytes, file), line);
    errno = ENOMEM;
    return -1;
}

ssize_t __real___getdelim(char **line, size_t *bytes, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *bytes, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *bytes, int end, FILE *file)
{
    const bool had = *line != NULL;
    if (!fault_strikes("getline"))
        return count_line(had, __real___getdelim(line, bytes, end, file), line);
    errno = ENOMEM;
    return -1;
}

int __real_epoll_ctl(int fd, int op, int target, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int target, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int target, struct epoll_event *event)
{
    if (op == EPOLL_CTL_DEL || !fault_strikes("epoll_ctl")) /* taking away needs nothing */
        return __real_epoll_ctl(fd, op, target, event);
    errno = fault_error(ENOSPC);
    return -1;
}

/* ---- room, threads, processes -------------------------------------------------------------------
 */

FAILS(int, ftruncate, (int fd, off_t size), (fd, size), ENOSPC, -1)
FAILS(int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC, -1)
FAILS(pid_t, fork, (void), (), EAGAIN, -1)

int __real_posix_fallocate(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes)
{
    if (fault_interrupts("posix_fallocate"))
        return fault_error(EINTR);
    return fault_strikes("posix_fallocate") ? fault_error(ENOSPC)
                                            : __real_posix_fallocate(fd, offset, bytes);
}

/* ---- io_uring -----------------------------------------------------------------------------------
 */

#ifdef HAVE_LIBURING

int __real_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
                                      struct io_uring_params *params)
{
    if (fault_strikes("io_uring_queue_init_params"))
        return -fault_error(ENOMEM);
    return __real_io_uring_queue_init_params(entries, ring, params);
}

int __real_io_uring_register_buffers(struct io_uring *ring, const struct iovec *vectors,
                                     unsigned int count);
int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *vectors,
                                     unsigned int count);
int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *vectors,
                                     unsigned int count)
{
    if (fault_strikes("io_uring_register_buffers"))
        return -fault_error(ENOMEM);
    return __real_io_uring_register_buffers(ring, vectors, count);
}

int __real_io_uring_register_files(struct io_uring *ring, const int *fds, unsigned int count);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *fds, unsigned int count);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *fds, unsigned int count)
{
    if (fault_strikes("io_uring_register_files"))
        return -fault_error(ENOMEM);
    return __real_io_uring_register_files(ring, fds, count);
}

int __real_io_uring_register_files_update(struct io_uring *ring, unsigned int offset,
                                          const int *fds, unsigned int count);
int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned int offset,
                                          const int *fds, unsigned int count);
int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned int offset,
                                          const int *fds, unsigned int count)
{
    if (fault_strikes("io_uring_register_files_update"))
        return -fault_error(ENOMEM);
    return __real_io_uring_register_files_update(ring, offset, fds, count);
}

int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
    if (fault_interrupts("io_uring_submit_and_wait"))
        return -fault_error(EINTR);
    return __real_io_uring_submit_and_wait(ring, count);
}

#endif

/* ---- what a signal may interrupt ----------------------------------------------------------------
 */

INTERRUPTED(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
INTERRUPTED(ssize_t, write, (int fd, const void *buffer, size_t size), (fd, buffer, size))
INTERRUPTED(ssize_t, pread, (int fd, void *buffer, size_t size, off_t at), (fd, buffer, size, at))
INTERRUPTED(ssize_t, send, (int fd, const void *buffer, size_t size, int flags),
            (fd, buffer, size, flags))
INTERRUPTED(ssize_t, recv, (int fd, void *buffer, size_t size, int flags),
            (fd, buffer, size, flags))
INTERRUPTED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
            (fd, message, flags))
INTERRUPTED(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
INTERRUPTED(int, connect, (int fd, const struct sockaddr *address, socklen_t size),
            (fd, address, size))
INTERRUPTED(int, poll, (struct pollfd * fds, nfds_t count, int timeout_ms),
            (fds, count, timeout_ms))
INTERRUPTED(int, epoll_wait, (int fd, struct epoll_event *events, int max, int timeout_ms),
            (fd, events, max, timeout_ms))
INTERRUPTED(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left))
INTERRUPTED(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
/* Our code calls it for futexes. Only sleeping can be interrupted. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number != SYS_futex || (b & FUTEX_CMD_MASK) != FUTEX_WAIT || !fault_interrupts("futex"))
        return __real_syscall(number, a, b, c, d, e, f);
    errno = fault_error(EINTR);
    return -1;
}
