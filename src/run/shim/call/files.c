/* SPDX-License-Identifier: MIT */
/*
 * files: what /proc tells of time and of the shim: uptime, processes' times; and the link exe,
 * where the kernel does not let the process have another program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/proc_stat.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/text.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"

/* What memory of ours is named, before the path; and so what /proc says of it. No program names its
 * own like that. */
#define MEMORY_MARK   "domu:"
#define MEMORY_PREFIX "/memfd:" MEMORY_MARK

enum { LINK_BYTES = 40, PROC_PATH_BYTES = 64, PAGE = 4096, NR_OPENAT2 = 437 };

static bool same(const char *a, const char *b)
{
    return text_begins(a, b) && text_begins(b, a);
}

/* Does a path name the program of this process? */
static bool is_own_exe(long address)
{
    char path[LINK_BYTES] = {0}, own[LINK_BYTES];
    long size = sizeof(path) - 1;

    if (address % PAGE > PAGE - size)
        size = PAGE - address % PAGE;
    if (user_read(path, address, (size_t)size) < 0)
        return false;
    text_append(text_append_number(text_append(own, "/proc/"), (uint64_t)SYS0(SYS_getpid)), "/exe");
    return same(path, "/proc/self/exe") || same(path, "/proc/thread-self/exe") || same(path, own);
}

/* "SECONDS.HUNDREDTHS" */
static char *append_seconds(char *at, uint64_t ns)
{
    const uint64_t hundredths = ns / (SCALE_NS_PER_SEC / 100);

    at = text_append_number(at, hundredths / 100);
    at = text_append(at, hundredths % 100 < 10 ? ".0" : ".");
    return text_append_number(at, hundredths % 100);
}

/* The second number in /proc/uptime: for how long the processors had nothing to do. */
static uint64_t idle_ns(long fd)
{
    char line[LINK_BYTES * 2] = {0};
    const char *at = line;

    SYS4(SYS_pread64, fd, line, sizeof(line) - 1, 0);
    while (*at != '\0' && *at++ != ' ')
        ;
    return (uint64_t)text_number(&at) * SCALE_NS_PER_SEC;
}

static size_t show_uptime(long real_fd, char *line)
{
    uint64_t ahead_ns = 0;

    vclock_ahead_ns(CLOCK_BOOTTIME, &ahead_ns);
    char *end = text_append(append_seconds(line, vclock_now_ns() + ahead_ns), " ");
    end = append_seconds(end, scale_to_virtual_ns(vclock_tdf_running(), idle_ns(real_fd), false));
    end = text_append(end, "\n");
    return (size_t)(end - line);
}

/* The text of now, in memory that has the path for its name: see call_again. */
static long open_text(const char *path, const char *line, size_t length, long flags)
{
    char name[PROC_PATH_BYTES + sizeof(MEMORY_MARK)];

    text_append(text_append(name, MEMORY_MARK), path);
    long fd = SYS2(SYS_memfd_create, name, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd >= 0) {
        SYS4(SYS_pwrite64, fd, line, length, 0);
        filter_install_more(FILTER_AGAIN);
    }
    return fd;
}

static size_t show(long real_fd, const char *path, struct proc_stat *stat)
{
    return proc_stat_is_path(path) ? proc_stat_show(real_fd, path, stat)
                                   : show_uptime(real_fd, stat->line);
}

/* The stack may be a program's for its signals, of 4 KiB. NULL: no memory. */
static struct proc_stat *get_room(void)
{
    const long at = SYS6(SYS_mmap, 0, sizeof(struct proc_stat), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at < 0 ? NULL : (struct proc_stat *)at;
}

static void put_room(struct proc_stat *room)
{
    SYS2(SYS_munmap, room, sizeof(*room));
}

static long open_shown(long real_fd, const char *path, long flags)
{
    struct proc_stat *room = get_room();
    long fd = real_fd;

    if (room == NULL)
        return fd;
    const size_t length = show(real_fd, path, room);
    if (length > 0) {
        fd = open_text(path, room->line, length, flags);
        if (fd >= 0) { /* by the number that an open has: the lowest */
            SYS3(SYS_dup3, fd, real_fd, flags & O_CLOEXEC);
            SYS1(SYS_close, fd);
            fd = real_fd;
        } else {
            SYS1(SYS_close, real_fd);
        }
    }
    put_room(room);
    return fd;
}

static bool is_shown(const char *path)
{
    return same(path, "/proc/uptime") || proc_stat_is_path(path);
}

/* Of a file that was opened: the path of /proc that it has, if its name may be one of these. It can
 * be reached in many ways, relative ones and links among them. False: it is none. */
static bool find_shown(long fd, const char *path, char real[PROC_PATH_BYTES])
{
    char link[LINK_BYTES];
    const char *name = text_base_name(path);

    if (!same(name, "uptime") && !same(name, "stat") && !same(name, "schedstat"))
        return false;
    text_append_number(text_append(link, "/proc/self/fd/"), (uint64_t)fd);
    long length = SYS3(SYS_readlink, link, real, PROC_PATH_BYTES - 1);
    if (length < 0)
        return false;
    real[length] = '\0';
    return is_shown(real);
}

/* The text stays where the file can't be opened. */
static void show_again(long fd, const char *path)
{
    const long real_fd = SYS2(SYS_open, path, O_RDONLY | O_CLOEXEC);
    struct proc_stat *room = real_fd < 0 ? NULL : get_room();

    if (room != NULL) {
        const size_t length = show(real_fd, path, room);
        if (length > 0) {
            SYS4(SYS_pwrite64, fd, room->line, length, 0);
            SYS2(SYS_ftruncate, fd, length);
        }
        put_room(room);
    }
    if (real_fd >= 0)
        SYS1(SYS_close, real_fd);
}

/* lseek, pread64, preadv, preadv2: who goes back to the beginning reads what is there now. A
 * descriptor of ours says by the name of its memory what it shows, also to a child, as a copy, and
 * after an exec. */
long call_again(struct trap *trap)
{
    char link[LINK_BYTES], name[PROC_PATH_BYTES + sizeof(MEMORY_PREFIX)];
    const long fd = (int)trap->args[0];

    if (fd < 0 || (trap->nr == SYS_lseek && trap->args[2] != SEEK_SET) ||
        SYS2(SYS_fcntl, fd, F_GET_SEALS) < 0)
        return trap_pass(trap);
    text_append_number(text_append(link, "/proc/self/fd/"), (uint64_t)fd);
    long length = SYS3(SYS_readlink, link, name, sizeof(name) - 1);
    name[length < 0 ? 0 : length] = '\0';
    if (text_begins(name, MEMORY_PREFIX)) {
        char *path = name + sizeof(MEMORY_PREFIX) - 1;
        for (char *at = path; *at != '\0'; at++)
            if (*at == ' ') /* " (deleted)" */
                *at = '\0';
        if (is_shown(path))
            show_again(fd, path);
    }
    return trap_pass(trap);
}

/* open, openat, openat2. */
long call_open(struct trap *trap)
{
    const unsigned first = trap->nr == SYS_open ? 0 : 1;
    char real[PROC_PATH_BYTES];
    uint64_t flags = (uint64_t)trap->args[first + 1];
    long fd = trap_pass(trap);
    const char *path = (const char *)trap->args[first]; /* opened: it can be read */

    if (fd < 0 || !find_shown(fd, path, real))
        return fd;
    if (trap->nr == NR_OPENAT2 && user_read(&flags, trap->args[2], sizeof(flags)) < 0)
        return fd;
    if ((flags & (O_ACCMODE | O_PATH)) != O_RDONLY)
        return fd;
    return open_shown(fd, real, (long)flags);
}

/* readlink, readlinkat. */
long call_readlink(struct trap *trap)
{
    const unsigned first = trap->nr == SYS_readlink ? 0 : 1;

    if (process.exe[0] == '\0' || (int)trap->args[first + 2] <= 0 || !is_own_exe(trap->args[first]))
        return trap_pass(trap);
    long length = (long)text_length(process.exe);
    if (length > (int)trap->args[first + 2])
        length = (int)trap->args[first + 2];
    return user_write(trap->args[first + 1], process.exe, (size_t)length) < 0 ? -EFAULT : length;
}
