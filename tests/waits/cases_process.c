/* SPDX-License-Identifier: MIT */
/* Waits in children, after exec, in handlers, and after a program has done what programs do. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/waits/waits.h"

static void sleep_once(void)
{
    struct timespec span = wait_timespec();
    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
}

/* What cases end with: a wait and a look at the clock that must agree. */
static void sleep_and_end(void)
{
    int64_t from = clock_ns(CLOCK_MONOTONIC);
    begin();
    sleep_once();
    int64_t took = clock_ns(CLOCK_MONOTONIC) - from;
    if (took < wait_ns || took > 3 * wait_ns + 1000000000)
        broken("the clock does not show the wait");
    end(0);
}

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

static void in_handler(int number)
{
    (void)number;
    sleep_and_end();
}

static void wait_in_handler(void)
{
    signal(SIGUSR2, in_handler);
    raise(SIGUSR2);
}

static void wait_on_other_stack(void)
{
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
}

static void all_blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sleep_and_end();
}

static void all_blocked_by_syscall(void)
{
    uint64_t all = ~UINT64_C(0);
    must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), "rt_sigprocmask");
    sleep_and_end();
}

/* And exec hands the mask on. */
static void all_blocked_exec(void)
{
    uint64_t all = ~UINT64_C(0);
    must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), "rt_sigprocmask");
    waits_exec_case("a wait", environ);
}

static void nothing(int number)
{
    (void)number;
}

static void every_handler(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sigfillset(&action.sa_mask);
    for (int number = 1; number < 65; number++)
        (void)sigaction(number, &action, NULL);
    sleep_and_end();
}

static void every_ignored_exec(void)
{
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    waits_exec_case("a wait", environ);
}

/* What is blocked is what a program has blocked. */
static void mask_is_kept(void)
{
    sigset_t all, now;
    sigfillset(&all);
    sigdelset(&all, SIGUSR2);
    begin();
    sigprocmask(SIG_SETMASK, &all, NULL);
    sleep_once();
    sigprocmask(SIG_SETMASK, NULL, &now);
    int wrong = 0;
    for (int number = 1; number < 32; number++) {
        int wanted = number != SIGUSR2 && number != SIGKILL && number != SIGSTOP;
        if (sigismember(&now, number) != wanted)
            wrong = number;
    }
    end(wrong * 1000000000LL);
}

static void *sleep_in_thread(void *unused)
{
    (void)unused;
    sleep_and_end();
    return NULL;
}

static void small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384 + 8192);
    must(-pthread_create(&thread, &attributes, sleep_in_thread, NULL), "thread");
    pthread_join(thread, NULL);
}

#ifdef __GLIBC__
/* On a stack of the program's own, as coroutines have. */
static void coroutine(void)
{
    static ucontext_t here, there;
    static char stack[16384];
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    there.uc_link = &here;
    makecontext(&there, sleep_and_end, 0);
    swapcontext(&here, &there);
}
#endif

static sigjmp_buf back;

static void jump(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* Out of a wait by a jump, then another wait. */
static void after_jump(void)
{
    struct timespec span = {.tv_nsec = 1000000};
    signal(SIGUSR2, jump);
    pid_t self = getpid();
    if (fork() == 0) {
        nanosleep(&span, NULL);
        kill(self, SIGUSR2);
        _exit(0);
    }
    if (sigsetjmp(back, 1) == 0) {
        for (;;)
            poll(NULL, 0, 100000);
    }
    sleep_and_end();
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
    {"in a signal handler", KIND_WAIT, wait_in_handler, 0, 0, 0, 0, 0},
    {"on a signal stack", KIND_WAIT, wait_on_other_stack, 0, 0, 0, 0, 0},
    {"all signals blocked", KIND_WAIT, all_blocked, 0, 0, 0, 0, 0},
    {"all blocked by syscall()", KIND_WAIT, all_blocked_by_syscall, 0, 0, 0, 0, 0},
    {"all blocked, exec", KIND_WAIT, all_blocked_exec, 0, 0, 0, 0, 0},
    {"a handler for each signal", KIND_WAIT, every_handler, 0, 0, 0, 0, 0},
    {"each signal ignored, exec", KIND_WAIT, every_ignored_exec, 0, 0, 0, 0, 0},
    {"the mask is kept", KIND_EQUAL, mask_is_kept, 0, 0, 0, 0, 0},
    {"on a small stack", KIND_WAIT, small_stack, 0, 0, 0, 0, 0},
#ifdef __GLIBC__
    {"in a coroutine", KIND_WAIT, coroutine, 0, 0, 0, 0, 0},
#endif
    {"after a jump out of a wait", KIND_WAIT, after_jump, 0, 0, 0, 0, 0},
    {"no_new_privs, exec", KIND_WAIT, no_new_privs, 0, 0, 0, 0, 0},
    {.name = NULL},
};
