/* SPDX-License-Identifier: MIT */
/* Waits in children, after exec, in handlers, and after a program has done what programs do. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/waits/sleep.h"

static void after_fork(void)
{
    if (fork() != 0)
        _exit(0);
    sleep_and_end();
}

/* A child that outlives its parent, and has no terminal. */
static void daemon_like(void)
{
    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    sleep_and_end();
}

static void after_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    sleep_and_end();
}

static void *fork_here(void *unused)
{
    (void)unused;
    if (fork() == 0)
        sleep_and_end();
    _exit(0);
}

static void fork_in_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fork_here, NULL);
    pthread_join(thread, NULL);
}

/* Parent and child see one time. */
static void clocks_agree(void)
{
    int fds[2];
    int64_t times[2];
    must(pipe(fds), "pipe");
    begin();
    int64_t from = clock_ns(CLOCK_MONOTONIC);
    pid_t pid = fork();
    if (pid == 0) {
        times[0] = clock_ns(CLOCK_MONOTONIC);
        times[1] = clock_ns(CLOCK_REALTIME);
        (void)!write(fds[1], times, sizeof(times));
        _exit(0);
    }
    must(read(fds[0], times, sizeof(times)), "read");
    int64_t to = clock_ns(CLOCK_MONOTONIC);
    waitpid(pid, NULL, 0);
    end(from <= times[0] && times[0] <= to ? 0 : 1000000000);
}

static void only_sleep(void)
{
    sleep_and_end();
}

static char *empty[] = {NULL};
extern char **environ;

static void after_exec(void)
{
    waits_exec_case("a wait", environ);
}
static void after_exec_without_environment(void)
{
    waits_exec_case("a wait", empty);
}

static void after_vfork_exec(void)
{
    if (vfork() == 0)
        waits_exec_case("a wait", environ);
    wait(NULL);
    _exit(0);
}

/* As programs do that become daemons, and shells. */
static void after_exec_closed(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        if (fd != mark_fd())
            close(fd);
    }
    waits_exec_case("a wait", environ);
}

static void all_closed(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        if (fd != mark_fd())
            close(fd);
    }
    sleep_and_end();
}

static void range_closed(void)
{
    if (mark_fd() > 3)
        syscall(436, 3, mark_fd() - 1, 0);
    syscall(436, mark_fd() + 1, ~0U, 0);
    sleep_and_end();
}

static void range_closed_exec(void)
{
    if (mark_fd() > 3)
        syscall(436, 3, mark_fd() - 1, 0);
    syscall(436, mark_fd() + 1, ~0U, 0);
    waits_exec_case("a wait", environ);
}

static void spawned(void)
{
    char ns[32], fd[16], path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    must(length, "readlink");
    path[length] = '\0';
    snprintf(ns, sizeof(ns), "%lld", (long long)wait_ns);
    snprintf(fd, sizeof(fd), "%d", mark_fd());
    char *arguments[] = {path, (char[]){"--case"}, (char[]){"a wait"}, fd, ns, NULL};
    pid_t pid;
    int error = posix_spawn(&pid, path, NULL, NULL, arguments, environ);
    if (error != 0)
        broken("posix_spawn");
    waitpid(pid, NULL, 0);
    _exit(0);
}

static void by_shell(void)
{
    char script[160];
    /* A shell, and a program that is not ours. */
    snprintf(script, sizeof(script), "sleep %lld.%09lld", (long long)(wait_ns / 1000000000),
             (long long)(wait_ns % 1000000000));
    begin();
    if (system(script) != 0)
        broken("a shell's sleep");
    end(0);
}

static void no_new_privs(void)
{
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
    waits_exec_case("a wait", environ);
}

static int clone_main(void *unused)
{
    (void)unused;
    sleep_and_end();
    return 0;
}

static void cloned(void)
{
    static char stack[262144];
    must(clone(clone_main, stack + sizeof(stack), SIGCHLD, NULL), "clone");
    wait(NULL);
    _exit(0);
}

static int exec_true(void *unused)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    (void)unused;
    execve("/bin/true", arguments, environ);
    _exit(1);
}

/* As musl's posix_spawn: a child in our memory, on 5 KiB where a signal's frame takes three. More
 * often than a mediation has places to prepare for an exec. */
static void exec_on_small_stack(void)
{
    const size_t size = getauxval(AT_MINSIGSTKSZ) + 1744, page = 4096;
    const size_t all = (size + 2 * page - 1) / page * page;
    char *memory = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) < 0)
        broken("mmap");
    char *guard = memory + page;
    for (int i = 0; i < 20; i++) {
        int status = -1;
        pid_t pid = clone(exec_true, guard + size, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            broken("a child on a small stack could not be executed");
    }
    sleep_and_end();
}

static void few_descriptors(void)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)mark_fd() + 3, .rlim_max = (rlim_t)mark_fd() + 3};
    must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    waits_exec_case("a wait", environ);
}

const struct wait_case cases_process[] = {
    {"a wait", KIND_WAIT, only_sleep, 0, 0, 0, 0, 0},
    {"after fork", KIND_WAIT, after_fork, 0, 0, 0, 0, 0},
    {"after vfork", KIND_WAIT, after_vfork, 0, 0, 0, 0, 0},
    {"after clone", KIND_WAIT, cloned, 0, 0, 0, 0, 0},
    {"as a daemon", KIND_WAIT, daemon_like, 0, 0, 0, 0, 0},
    {"fork in a thread", KIND_WAIT, fork_in_thread, 0, 0, 0, 0, 0},
    {"parent and child agree", KIND_EQUAL, clocks_agree, 0, 0, 0, 0, 0},
    {"after exec", KIND_WAIT, after_exec, 0, 0, 0, 0, 0},
    {"after exec without environment", KIND_WAIT, after_exec_without_environment, 0, 0, 0, 0, 0},
    {"after vfork and exec", KIND_WAIT, after_vfork_exec, 0, 0, 0, 0, 0},
    {"after posix_spawn", KIND_WAIT, spawned, 0, 0, 0, 0, 0},
    {"after exec, descriptors closed", KIND_WAIT, after_exec_closed, 0, 0, 0, 0, 0},
    {"descriptors closed", KIND_WAIT, all_closed, 0, 0, 0, 0, 0},
    {"close_range", KIND_WAIT, range_closed, 0, 0, 0, 0, 0},
    {"close_range and exec", KIND_WAIT, range_closed_exec, 0, 0, 0, 0, 0},
    {"few descriptors allowed, exec", KIND_WAIT, few_descriptors, 0, 0, 0, 0, 0},
    {"exec on a small stack", KIND_WAIT, exec_on_small_stack, 0, 0, 0, 0, 0},
    {"a shell's sleep", KIND_WAIT, by_shell, 0, 20000000, 0, 0, 0},
    {"no_new_privs, exec", KIND_WAIT, no_new_privs, 0, 0, 0, 0, 0},
    {.name = NULL},
};
