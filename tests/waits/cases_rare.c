/* SPDX-License-Identifier: MIT */
/* What few programs do, and what C libraries will do: other numbers of known options, clone3. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/waits/clock_calls.h"
#include "tests/waits/sleep.h"
#include "tests/waits/waits.h"

enum { NR_CLONE3 = 435, RCVTIMEO_64 = 66, USER_DISPATCH = 59 };

#define CLEAR_HANDLERS UINT64_C(0x100000000)

/* struct clone_args, of Linux 5.3. */
struct clone3 {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static void by_receive_64(void)
{
    const int64_t span[2] = {wait_ns / 1000000000, wait_ns % 1000000000 / 1000};
    char byte;
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
    if (setsockopt(fds[0], SOL_SOCKET, RCVTIMEO_64, span, sizeof(span)) < 0)
        absent("SO_RCVTIMEO of 64 bits");
    begin();
    if (recv(fds[0], &byte, 1, 0) >= 0 || errno != EAGAIN)
        broken("recv");
    end(0);
}

static void boottime_first(void)
{
    begin();
    int64_t monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    end(clock_ns(CLOCK_BOOTTIME) >= monotonic_ns ? 0 : 1000000000);
}

static void reap(pid_t pid)
{
    int status;
    must(pid, "clone3");
    if (waitpid(pid, &status, 0) != pid || status != 0)
        broken("the child's end");
    end(0);
}

static void by_clone3(uint64_t flags)
{
    struct clone3 how = {.flags = flags, .exit_signal = SIGCHLD};
    begin();
    long pid = syscall(NR_CLONE3, &how, sizeof(how));
    if (pid < 0 && errno == ENOSYS)
        pid = fork(); /* as C libraries do */
    if (pid == 0) {
        sleep_once();
        _exit(0);
    }
    reap((pid_t)pid);
}

static void after_clone3(void)
{
    by_clone3(0);
}

static void after_clone3_without_handlers(void)
{
    by_clone3(CLEAR_HANDLERS);
}

/* On the parent's stack, while the parent stands. */
static void after_clone3_as_vfork(void)
{
    struct clone3 how = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};
    struct timespec span = wait_timespec();
    begin();
    long pid = inline_call(NR_CLONE3, (long)&how, sizeof(how), 0, 0, 0, 0);
    if (pid == 0) {
        inline_call(SYS_nanosleep, (long)&span, 0, 0, 0, 0, 0);
        inline_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    }
    if (pid == -ENOSYS)
        absent("clone3");
    reap((pid_t)pid);
}

static volatile char dispatch;

static void allow(int number)
{
    (void)number;
    dispatch = 0;
}

/* A program that has its own system calls dispatched to itself, or is refused that. */
static void user_dispatch(void)
{
    struct sigaction action = {.sa_handler = allow};
    must(sigaction(SIGSYS, &action, NULL), "sigaction");
    if (prctl(USER_DISPATCH, 1, 0, 0, &dispatch) == 0) {
        dispatch = 1;
        inline_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
    }
    sleep_and_end();
}

const struct wait_case cases_rare[] = {
    {"SO_RCVTIMEO of 64 bits", KIND_WAIT, by_receive_64, 0, 0, 0, 0, 0},
    {"BOOTTIME is not behind MONOTONIC", KIND_EQUAL, boottime_first, 0, 0, 0, 0, 0},
    {"after clone3", KIND_WAIT, after_clone3, 0, 0, 0, 0, 0},
    {"after clone3 without handlers", KIND_WAIT, after_clone3_without_handlers, 0, 0, 0, 0, 0},
    {"after clone3 as vfork", KIND_WAIT, after_clone3_as_vfork, 0, 0, 0, 0, 0},
    {"system calls dispatched to the program", KIND_WAIT, user_dispatch, 0, 0, 0, 0, 0},
    {.name = NULL},
};
