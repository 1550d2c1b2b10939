/* SPDX-License-Identifier: MIT */
#include "run/shim/call/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run/session.h"
#include "run/shim/call/calls.h"
#include "run/shim/call/exec_room.h"
#include "run/shim/call/signals.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/text.h"
#include "run/shim/core/user.h"

enum {
    PAGE = 4096,
    FD_PATH_BYTES = 32,
    NR_FACCESSAT2 = 439,
};

/* Would it run with other rights than the process has? Under a filter nothing does. */
static bool changes_rights(int fd, const struct stat *stat)
{
    char capabilities[64];
    long euid = SYS0(SYS_geteuid);

    if ((stat->st_mode & S_ISUID) && (long)stat->st_uid != euid)
        return true;
    if ((stat->st_mode & S_ISGID) && (stat->st_mode & S_IXGRP) &&
        (long)stat->st_gid != SYS0(SYS_getegid))
        return true;
    return euid != 0 &&
           SYS4(SYS_fgetxattr, fd, "security.capability", capabilities, sizeof(capabilities)) > 0;
}

static long open_program(int directory, const char *path, int flags)
{
    char fd_path[FD_PATH_BYTES];
    struct stat stat;

    if (*path == '\0' && (flags & AT_EMPTY_PATH)) {
        text_append_number(text_append(fd_path, "/proc/self/fd/"), (uint64_t)directory);
        path = fd_path;
    }
    long fd = SYS4(SYS_openat, directory, path,
                   O_RDONLY | O_NONBLOCK | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
    if (fd < 0)
        return fd;
    long rc = SYS2(SYS_fstat, fd, &stat);
    if (rc == 0 && !S_ISREG(stat.st_mode))
        rc = -EACCES;
    if (rc == 0)
        rc = SYS4(NR_FACCESSAT2, fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH);
    if (rc == 0 && changes_rights((int)fd, &stat)) {
        text_complain(path,
                      "a setuid or setgid program, or one with capabilities, can't be run on a "
                      "domain's clock");
        rc = -EPERM;
    }
    if (rc == 0)
        return fd;
    SYS1(SYS_close, fd);
    return rc;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* "#! INTERPRETER OPTION", parted in place. */
static long parse_line(struct exec_target *target, char *line, size_t size)
{
    char *at = line + 2, *end = line + 2;

    while ((size_t)(end - line) < size && *end != '\n' && *end != '\0')
        end++;
    if ((size_t)(end - line) == size)
        end--; /* cut off, as by the kernel */
    while (end > at && is_blank(end[-1]))
        end--;
    *end = '\0';
    while (is_blank(*at))
        at++;
    if (*at == '\0')
        return -ENOEXEC;
    target->interpreter[target->depth] = at;
    target->option[target->depth] = NULL;
    while (*at != '\0' && !is_blank(*at))
        at++;
    if (*at != '\0') {
        *at++ = '\0';
        while (is_blank(*at))
            at++;
        target->option[target->depth] = at;
    }
    return 0;
}

static long check_elf(const char *path, const Elf64_Ehdr *head)
{
    if (head->e_ident[EI_CLASS] == ELFCLASS64 && head->e_machine == EM_X86_64 &&
        (head->e_type == ET_EXEC || head->e_type == ET_DYN))
        return 0;
    text_complain(path, "not an x86-64 program: it can't be run on a domain's clock");
    return -ENOEXEC;
}

static long find_target(struct exec_target *target, int directory, const char *path, int flags)
{
    for (target->depth = 0;; target->depth++) {
        char *head = target->lines[target->depth];
        memset(head, 0, EXEC_HEAD_BYTES);
        long fd = open_program(directory, path, flags);
        if (fd < 0)
            return fd;
        long size = SYS4(SYS_pread64, fd, head, EXEC_HEAD_BYTES, 0);
        long rc = -ENOEXEC;
        if (size >= (long)sizeof(Elf64_Ehdr) && text_begins(head, ELFMAG))
            rc = check_elf(path, (const Elf64_Ehdr *)(const void *)head);
        else if (size > 2 && head[0] == '#' && head[1] == '!')
            rc = 1;
        if (rc == 0) {
            target->fd = (int)fd;
            return 0;
        }
        SYS1(SYS_close, fd);
        if (rc < 0)
            return rc;
        if (target->depth == EXEC_SCRIPT_DEPTH)
            return -ELOOP;
        rc = parse_line(target, head, (size_t)size);
        if (rc < 0)
            return rc;
        path = target->interpreter[target->depth];
        directory = AT_FDCWD;
        flags = 0;
    }
}

/* The shim with the arguments all[]; returns only when it failed. */
static long begin(const struct exec_target *target, const char *const all[], char *const envp[])
{
    uint64_t sigsys = SIGNALS_SIGSYS;

    /* A kick must wait until the shim has its handler again. */
    SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &sigsys, 0, SIGNALS_MASK_BYTES);
    long rc = SYS6(SYS_execveat, process.fds + SESSION_FD_SHIM, "", all, envp, AT_EMPTY_PATH, 0);
    SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigsys, 0, SIGNALS_MASK_BYTES);
    SYS1(SYS_close, target->fd);
    return rc;
}

/* How many there are; -EFAULT. Each page of the array is asked for before it is read. */
static long count_arguments(char *const argv[])
{
    for (long i = 0;; i++) {
        const long at = (long)&argv[i];
        char *argument;
        const bool enters_page =
            ((at + (long)sizeof(argument) - 1) & (PAGE - 1)) < (long)sizeof(argument);
        if (i > 0 && !enters_page)
            argument = argv[i];
        else if (user_read(&argument, at, sizeof(argument)) < 0)
            return -EFAULT;
        if (argument == NULL)
            return i;
    }
}

static void fill(const struct exec_target *target, const char *path, char *const argv[],
                 size_t argc, const char *how, const char **all)
{
    size_t count = 0, skip = 0;

    all[count++] = how;
    all[count++] = path;
    for (unsigned i = target->depth; i-- > 0;) {
        all[count++] = target->interpreter[i];
        if (target->option[i] != NULL)
            all[count++] = target->option[i];
    }
    if (target->depth > 0) {
        all[count++] = path;
        skip = 1; /* the script's name took the place of argv[0] */
    }
    for (size_t i = skip; i < argc; i++)
        all[count++] = argv[i];
    all[count] = NULL;
}

static long exec_in(struct exec_room *room, int directory, const char *path, char *const argv[],
                    char *const envp[], int flags)
{
    struct exec_target *target = &room->target;
    char how[96], fd_path[FD_PATH_BYTES];
    static char *const no_arguments[] = {"", NULL}; /* no program begins without its name */

    long argc = argv == NULL ? 0 : count_arguments(argv);
    if (argc < 0)
        return argc;
    if (argc == 0) {
        argv = no_arguments;
        argc = 1;
    }
    long rc = find_target(target, directory, path, flags);
    if (rc < 0)
        return rc;
    if (*path == '\0') {
        text_append_number(text_append(fd_path, "/dev/fd/"), (uint64_t)directory);
        path = fd_path;
    }
    char *end = text_append_number(text_append(how, "domu:"), (uint64_t)process.fds);
    end = text_append_number(text_append(end, ":"), process.clock_offset_bytes);
    text_append_number(text_append(end, ":"), (uint64_t)target->fd);
    const char **all =
        exec_room_arguments(room, (size_t)argc + EXEC_ARGUMENTS + 2 * EXEC_SCRIPT_DEPTH + 2);
    if (all == NULL) {
        SYS1(SYS_close, target->fd);
        return -ENOMEM;
    }
    fill(target, path, argv, (size_t)argc, how, all);
    return begin(target, all, envp);
}

/* Where no room is free: on the stack, which is seldom small. */
static __attribute__((noinline)) long
exec_on_stack(int directory, const char *path, char *const argv[], char *const envp[], int flags)
{
    struct exec_room room;

    room.more = NULL;
    long rc = exec_in(&room, directory, path, argv, envp, flags);
    if (room.more != NULL)
        SYS2(SYS_munmap, room.more, room.more_bytes);
    return rc;
}

long exec_program(int directory, const char *path, char *const argv[], char *const envp[],
                  int flags)
{
    struct exec_room *room = exec_room_enter();

    if (room == NULL)
        return exec_on_stack(directory, path, argv, envp, flags);
    long rc = exec_in(room, directory, path, argv, envp, flags);
    exec_room_leave(room);
    return rc;
}

long call_execve(struct trap *trap)
{
    char probe;

    if (user_read(&probe, trap->args[0], 1) < 0)
        return -EFAULT;
    return exec_program(AT_FDCWD, (const char *)trap->args[0], (char *const *)trap->args[1],
                        (char *const *)trap->args[2], 0);
}

long call_execveat(struct trap *trap)
{
    char probe;

    if (user_read(&probe, trap->args[1], 1) < 0)
        return -EFAULT;
    return exec_program((int)trap->args[0], (const char *)trap->args[1],
                        (char *const *)trap->args[2], (char *const *)trap->args[3],
                        (int)trap->args[4]);
}
