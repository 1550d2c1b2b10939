/* SPDX-License-Identifier: MIT */
/*
 * deny_calls: runs a program under a seccomp filter in which the named system calls fail, as
 * container profiles (EPERM) and older kernels (ENOSYS) let them fail. deny_calls EPERM|ENOSYS
 * CALL[,CALL...] PROGRAM ARGUMENT... deny_calls --list            the calls that it knows, one a
 * line
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name)                                                                                 \
    {                                                                                              \
#name, SYS_##name                                                                          \
    }

/* Not in every kernel since 5.10, or denied by profiles of containers, or a matter of rights. */
static const struct {
    const char *name;
    uint32_t number;
} calls[] = {
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(statx),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(pidfd_getfd),
    CALL(memfd_create),
    CALL(openat2),
    CALL(close_range),
    CALL(rseq),
    CALL(membarrier),
    CALL(clone3),
    CALL(set_robust_list),
    CALL(getrandom),
    CALL(getcpu),
    CALL(sched_setaffinity),
    CALL(sched_getaffinity),
    CALL(sched_setscheduler),
    CALL(sched_getscheduler),
    CALL(sched_getparam),
    CALL(sched_setattr),
    CALL(prlimit64),
    CALL(fallocate),
    CALL(copy_file_range),
    CALL(madvise),
    CALL(mlock),
    CALL(mlock2),
    CALL(flock),
    CALL(inotify_init1),
    CALL(signalfd4),
    CALL(timerfd_create),
    CALL(eventfd2),
    CALL(epoll_create1),
    CALL(epoll_pwait2),
    CALL(accept4),
    CALL(dup3),
    CALL(pipe2),
    CALL(preadv2),
    CALL(pwritev2),
    CALL(faccessat2),
    CALL(futex_waitv),
    CALL(setsid),
    CALL(ftruncate),
    CALL(fcntl),
    CALL(ioctl),
    CALL(clock_nanosleep),
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]), CODE_MAX = 2 * CALLS + 2 };

static uint32_t number_of(const char *name, size_t length)
{
    for (size_t i = 0; i < CALLS; i++) {
        if (strlen(calls[i].name) == length && memcmp(calls[i].name, name, length) == 0)
            return calls[i].number;
    }
    errx(2, "no call '%.*s': see --list", (int)length, name);
}

/* Adds to code what denies the named calls; returns its new length. */
static unsigned short deny(struct sock_filter *code, unsigned short length, const char *names,
                           uint32_t error)
{
    while (*names != '\0') {
        size_t name_length = strcspn(names, ",");
        if (length + 2 > CODE_MAX)
            errx(2, "too many calls");
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                      number_of(names, name_length), 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
        names += name_length;
        names += *names == ',';
    }
    return length;
}

int main(int argc, char **argv)
{
    struct sock_filter code[CODE_MAX] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {.len = 1, .filter = code};

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < CALLS; i++)
            puts(calls[i].name);
        return 0;
    }
    if (argc < 4 || (strcmp(argv[1], "EPERM") != 0 && strcmp(argv[1], "ENOSYS") != 0))
        errx(2, "usage: deny_calls EPERM|ENOSYS CALL[,CALL...] PROGRAM ARGUMENT...");
    program.len = deny(code, 1, argv[2], argv[1][1] == 'P' ? EPERM : ENOSYS);
    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        err(77, "cannot install a seccomp filter");
    execvp(argv[3], argv + 3);
    err(1, "%s", argv[3]);
}
