/* SPDX-License-Identifier: MIT */
/*
 * time_cut: ends or stops Dom0 in the middle of a clock update.
 *
 *   time_cut kill|stop DOM0 FUNCTION CLIENT ADDRESS SKIP
 *
 * Lets Dom0 run to FUNCTION, where an update begins (its address in the program's file, as nm
 * prints it), and from there leads its main thread by single steps until the word at ADDRESS in
 * CLIENT's memory, the version of its clock's page, is odd; then SKIP steps more (half as many if
 * it is even by then, in the next update); then SIGKILL or SIGSTOP. Somebody else must make Dom0
 * update the clock meanwhile. Addresses are hexadecimal. Exit status: 0; 1 Dom0 has ended or never
 * updates; 77 it may not be traced.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS_MAX = 30 * 1000 * 1000 };

static int client_memory;
static off_t address;

static bool is_odd(void)
{
    uint32_t version;
    if (pread(client_memory, &version, sizeof(version), address) != sizeof(version))
        errx(1, "the client has ended");
    return version & 1;
}

/* One instruction, or a system call as a whole. Signals are passed on. */
static void step(pid_t pid)
{
    static int pass_on;
    int status;
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(intptr_t)pass_on) < 0 ||
        waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        errx(1, "Dom0 has ended");
    pass_on = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

static void attach(pid_t pid)
{
    int status;
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0) {
        warn("Dom0 may not be traced");
        exit(errno == EPERM ? 77 : 1);
    }
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        errx(1, "Dom0 has ended");
}

#if defined(__x86_64__)

/* Where the program's file is mapped. Its own addresses are offsets into that. */
static uint64_t load_address(pid_t pid)
{
    char path[64], program[512], line[600];
    uint64_t start = 0;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, program, sizeof(program) - 1);
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL || length < 0)
        errx(1, "Dom0 has ended");
    program[length] = '\0';
    while (start == 0 && fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, program) != NULL) /* sorted: the first one is the file's beginning */
            start = strtoull(line, NULL, 16);
    }
    fclose(maps);
    if (start == 0)
        errx(1, "where is %s mapped?", program);
    return start;
}

/* A breakpoint, there only until it is met. */
static void run_to(pid_t pid, uint64_t function)
{
    struct user_regs_struct regs;
    int status;
    uint64_t base = load_address(pid), where = function < base ? base + function : function;
    errno = 0;
    long text = ptrace(PTRACE_PEEKTEXT, pid, (void *)where, NULL);
    if (errno != 0 || ptrace(PTRACE_POKETEXT, pid, (void *)where, (void *)((text & ~0xffL) | 0xcc)))
        err(1, "the breakpoint");
    do {
        if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid ||
            !WIFSTOPPED(status))
            errx(1, "Dom0 has ended");
    } while (WSTOPSIG(status) != SIGTRAP);
    if (ptrace(PTRACE_POKETEXT, pid, (void *)where, (void *)text) < 0 ||
        ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        err(1, "the breakpoint");
    regs.rip = where;
    if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0)
        err(1, "the breakpoint");
}

#else

static void run_to(pid_t pid, uint64_t function) /* it takes longer without */
{
    (void)pid;
    (void)function;
}

#endif

/* To instruction `skip` of those at which the version is odd. */
static void lead_into_update(pid_t pid, uint64_t function, long skip)
{
    long steps = 0, in_update = -1;
    run_to(pid, function);
    while (in_update < skip) {
        if (steps++ == STEPS_MAX)
            errx(1, "no update in %d steps", STEPS_MAX);
        step(pid);
        if (is_odd()) {
            in_update++;
        } else if (in_update >= 0) {
            in_update = -1;
            skip /= 2;
            run_to(pid, function);
        }
    }
}

int main(int argc, char **argv)
{
    char path[64];
    if (argc != 7 || (strcmp(argv[1], "kill") != 0 && strcmp(argv[1], "stop") != 0))
        errx(2, "usage: time_cut kill|stop DOM0 FUNCTION CLIENT ADDRESS SKIP");
    pid_t pid = (pid_t)strtol(argv[2], NULL, 10);
    snprintf(path, sizeof(path), "/proc/%s/mem", argv[4]);
    address = (off_t)strtoull(argv[5], NULL, 16);
    client_memory = open(path, O_RDONLY | O_CLOEXEC);
    if (client_memory < 0) {
        warn("%s", path);
        return errno == EACCES || errno == EPERM ? 77 : 1;
    }
    attach(pid);
    lead_into_update(pid, strtoull(argv[3], NULL, 16), strtol(argv[6], NULL, 10));
    if (strcmp(argv[1], "kill") == 0)
        return kill(pid, SIGKILL) < 0;
    if (kill(pid, SIGSTOP) < 0 || ptrace(PTRACE_DETACH, pid, NULL, (void *)SIGSTOP) < 0)
        err(1, "Dom0 goes on");
    return 0;
}
