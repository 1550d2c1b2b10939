/* SPDX-License-Identifier: MIT */
/*
 * calls_kicks: a thread makes calls that are caught, one after the other, while another sends it
 * kicks (run/session.h) all the time: none of them is lost.
 *
 *     calls_kicks CALLS
 *
 * Exit 1: a call was not made, but returned its own number.
 */
#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

enum { PHASES = 4096 };

struct target {
    pid_t tid;
    uint32_t calls; /* atomic: how many it has made */
    bool done;      /* atomic */
};

/* One kick for each call at most, at every phase of one. */
static void *kicker(void *arg)
{
    struct target *target = arg;
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SI_QUEUE};
    uint32_t seen = 0, calls;

    info.si_pid = getpid();
    info.si_value.sival_ptr = (void *)(uintptr_t)SESSION_KICK;
    for (unsigned phase = 0; !__atomic_load_n(&target->done, __ATOMIC_ACQUIRE); phase++) {
        while ((calls = __atomic_load_n(&target->calls, __ATOMIC_ACQUIRE)) == seen &&
               !__atomic_load_n(&target->done, __ATOMIC_ACQUIRE))
            sched_yield();
        seen = calls;
        for (unsigned i = phase % PHASES; i > 0; i--)
            __asm__ volatile("" ::: "memory");
        syscall(SYS_rt_tgsigqueueinfo, getpid(), target->tid, SIGSYS, &info);
    }
    return NULL;
}

/* As a libc makes them: the number is a constant. */
static long nanosleep_none(void)
{
    const struct timespec none = {0};
    long rc;

    __asm__ volatile("mov %1, %%eax\n\tsyscall"
                     : "=&a"(rc)
                     : "i"(SYS_nanosleep), "D"(&none), "S"(NULL)
                     : "rcx", "r11", "memory");
    return rc;
}

static long poll_ready(struct pollfd *fds, unsigned count)
{
    long rc;

    __asm__ volatile("mov %1, %%eax\n\tsyscall"
                     : "=&a"(rc)
                     : "i"(SYS_poll), "D"(fds), "S"((long)count), "d"(100000L)
                     : "rcx", "r11", "memory");
    return rc;
}

static void expect(struct target *target, long rc, long expected)
{
    const uint32_t calls = __atomic_add_fetch(&target->calls, 1, __ATOMIC_RELEASE);

    if (rc != expected)
        errx(1, "call %u returned %ld, not %ld", calls, rc, expected);
}

int main(int argc, char **argv)
{
    struct target target = {.tid = (pid_t)syscall(SYS_gettid)};
    struct pollfd fds[SYS_poll];
    pthread_t thread;
    int pipes[2];

    if (argc != 2 || atol(argv[1]) <= 0)
        errx(2, "usage: calls_kicks CALLS");
    if (pipe(pipes) < 0 || write(pipes[1], "", 1) != 1)
        err(1, "a pipe");
    /* One that returns its own number because that many are ready is not to be made twice. */
    for (unsigned i = 0; i < SYS_poll; i++)
        fds[i] = (struct pollfd){.fd = pipes[0], .events = POLLIN};
    if (pthread_create(&thread, NULL, kicker, &target) != 0)
        errx(1, "a thread");
    for (long i = 0; i < atol(argv[1]); i++) {
        expect(&target, nanosleep_none(), 0);
        expect(&target, poll_ready(fds, SYS_poll - 1), SYS_poll - 1);
        expect(&target, poll_ready(fds, SYS_poll), SYS_poll);
    }
    __atomic_store_n(&target.done, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    return 0;
}
