/* SPDX-License-Identifier: MIT */
/*
 * aio_changes: io_getevents for two events of which one never comes, while somebody else changes
 * the rate.
 *
 *     aio_changes SPAN_MS    the other is there: the call returns with it when its time is over
 *     aio_changes signal     the other comes after a change, and then a signal, which ends the call
 *     aio_changes instant    the other, the kick of a change and a signal come at one instant
 *     aio_changes none       asks for at least none: is told of the other, and does not wait
 */
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

#define NS_PER_MS INT64_C(1000000)

enum { HANG_S = 10 };

static struct io_event events[2];
static aio_context_t context;
static int pipes[2][2];

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec;
}

static void submit(void)
{
    struct iocb blocks[2], *list[2] = {&blocks[0], &blocks[1]};

    if (syscall(SYS_io_setup, 2, &context) < 0)
        errx(77, "no kernel AIO");
    for (int i = 0; i < 2; i++) {
        if (pipe(pipes[i]) < 0)
            err(1, "pipe");
        blocks[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL,
                                  .aio_fildes = (unsigned)pipes[i][0],
                                  .aio_buf = POLLIN,
                                  .aio_data = (unsigned)i};
    }
    if (syscall(SYS_io_submit, context, 2, list) != 2)
        errx(77, "no IOCB_CMD_POLL");
}

static void wait_for_two(struct timespec *span)
{
    const long count = syscall(SYS_io_getevents, context, 2L, 2L, events, span);

    if (count != 1 || events[0].data != 0)
        err(1, "io_getevents: %ld", count);
}

static void until_over(int64_t span_ns)
{
    struct timespec span = {span_ns / (1000 * NS_PER_MS), span_ns % (1000 * NS_PER_MS)};

    if (write(pipes[0][1], "x", 1) != 1)
        err(1, "write");
    const int64_t from_ns = now_ns();
    wait_for_two(&span);
    if (now_ns() - from_ns < span_ns)
        errx(1, "it ended after %lld of %lld ms", (long long)((now_ns() - from_ns) / NS_PER_MS),
             (long long)(span_ns / NS_PER_MS));
}

/* Is that thread in a wait that the session knows of? */
static int stands(const struct session *session, pid_t pid)
{
    const uint64_t who = (uint64_t)pid << 32 | (uint32_t)pid;

    for (unsigned i = 0; i < SESSION_WAITERS; i++)
        if (__atomic_load_n(&session->waiters[i], __ATOMIC_SEQ_CST) == who)
            return 1;
    return 0;
}

static void caught(int signo)
{
    (void)signo;
}

/* How often it has gone to sleep, if it sleeps; else -1. */
static long sleeps(pid_t pid)
{
    static const char word[] = "\nvoluntary_ctxt_switches:";
    char path[64], text[4096];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    const char *count = strstr(text, word);
    return count == NULL || strstr(text, "\nState:\tS") == NULL ? -1
                                                                : atol(count + sizeof(word) - 1);
}

/* The parent waits; the rate changes; it waits again; the event is there; one signal. */
static int disturb(pid_t parent)
{
    const struct session *session = (const struct session *)SESSION_ADDRESS;
    long before;

    while (!stands(session, parent) || (before = sleeps(parent)) < 0)
        sched_yield();
    while (__atomic_load_n(&session->generation, __ATOMIC_SEQ_CST) == 0 || sleeps(parent) <= before)
        sched_yield();
    return write(pipes[0][1], "x", 1) != 1 || kill(parent, SIGUSR1) < 0;
}

static char state_of(pid_t pid)
{
    char path[64], text[256];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    const char *after = strrchr(text, ')');
    return after == NULL ? '\0' : after[2];
}

/* As the supervisor does it. */
static int kick(pid_t pid)
{
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SI_QUEUE};

    info.si_pid = getpid();
    info.si_value.sival_ptr = (void *)(uintptr_t)SESSION_KICK;
    return (int)syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGSYS, &info);
}

/* How many events there have been: the third of four words that the kernel shares is that of those
 * that were taken, the fourth that of those that have come. */
static uint32_t come(void)
{
    return __atomic_load_n((const uint32_t *)context + 3, __ATOMIC_SEQ_CST);
}

/* The parent waits; an event is there; it is stopped, so that it finds all else at once when it
 * goes on. */
static int disturb_at_once(pid_t parent)
{
    struct session *session = (struct session *)SESSION_ADDRESS;

    while (!stands(session, parent) || state_of(parent) != 'S')
        sched_yield();
    if (write(pipes[0][1], "x", 1) != 1)
        return 1;
    while (come() == 0)
        sched_yield();
    kill(parent, SIGSTOP);
    while (state_of(parent) != 'T')
        sched_yield();
    __atomic_add_fetch(&session->generation, 1, __ATOMIC_SEQ_CST);
    return kick(parent) < 0 || kill(parent, SIGUSR1) < 0 || kill(parent, SIGCONT) < 0;
}

static void without_a_wait(void)
{
    const struct timespec span = {.tv_sec = HANG_S};

    if (write(pipes[0][1], "x", 1) != 1)
        err(1, "write");
    const long count = syscall(SYS_io_getevents, context, 0L, 2L, events, &span);
    if (count != 1 || events[0].data != 0)
        err(1, "io_getevents of at least none: %ld", count);
}

static void until_signal(int (*disturb_it)(pid_t parent))
{
    const struct sigaction action = {.sa_handler = caught};
    struct timespec span = {.tv_sec = HANG_S};
    const pid_t self = getpid();

    sigaction(SIGUSR1, &action, NULL);
    const int64_t from_ns = now_ns();
    pid_t pid = fork();
    if (pid == 0)
        _exit(disturb_it(self));
    wait_for_two(&span);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (now_ns() - from_ns >= HANG_S * 1000 * NS_PER_MS)
        errx(1, "no signal has ended it");
}

int main(int argc, char **argv)
{
    const int64_t span_ns = argc == 2 ? atoll(argv[1]) * NS_PER_MS : 0;

    submit();
    if (span_ns > 0)
        until_over(span_ns);
    else if (argc == 2 && strcmp(argv[1], "signal") == 0)
        until_signal(disturb);
    else if (argc == 2 && strcmp(argv[1], "instant") == 0)
        until_signal(disturb_at_once);
    else if (argc == 2 && strcmp(argv[1], "none") == 0)
        without_a_wait();
    else
        errx(2, "usage: aio_changes SPAN_MS|signal|instant|none");
    return 0;
}
