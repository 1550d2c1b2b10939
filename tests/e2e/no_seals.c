/* SPDX-License-Identifier: MIT */
/*
 * no_seals: runs a program under a seccomp filter that takes sealed files in memory away.
 *
 *     no_seals create|seal ERROR PROGRAM ARGUMENT...
 *
 * create: memfd_create fails with ERROR; seal: fcntl(F_ADD_SEALS) does. ERROR is a number.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 4)
        errx(2, "usage: no_seals create|seal ERROR PROGRAM ARGUMENT...");
    unsigned error = (unsigned)atoi(argv[2]) & SECCOMP_RET_DATA;
    unsigned call = strcmp(argv[1], "create") == 0 ? __NR_memfd_create : __NR_fcntl;
    unsigned any_command = call == __NR_memfd_create;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, any_command ? 0 : F_ADD_SEALS, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, any_command ? UINT32_MAX : F_ADD_SEALS, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        err(77, "cannot install a seccomp filter");
    execvp(argv[3], argv + 3);
    err(1, "%s", argv[3]);
}
