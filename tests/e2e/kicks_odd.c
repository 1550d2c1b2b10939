/* SPDX-License-Identifier: MIT */
/*
 * kicks_odd: kicks (run/session.h) as they come when much goes on.
 *
 *     kicks_odd many KICKS    as fast as another thread can send them: the stack that they take is
 *                             bounded
 *     kicks_odd full MS       while this process may have no queued signals, when the kernel tells
 *                             nothing of a kick but its number: waits for so long, alive
 *
 * Exit 1: more stack than STACK_USED_MAX, or the wait was too short.
 */
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

enum { STACK_BYTES = 1 << 20, STACK_USED_MAX = 1 << 16, PAINT = 0x5a };

struct target {
    pid_t tid;     /* atomic; 0: not there yet */
    uint32_t done; /* atomic */
};

static void *target_main(void *arg)
{
    struct target *target = arg;

    __atomic_store_n(&target->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&target->done, __ATOMIC_ACQUIRE))
        ;
    return NULL;
}

static int many(unsigned kicks)
{
    struct target target = {0};
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SI_QUEUE};
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;
    uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        err(2, "stack");
    memset(stack, PAINT, STACK_BYTES);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK_BYTES);
    info.si_pid = getpid();
    info.si_value.sival_ptr = (void *)(uintptr_t)SESSION_KICK;
    if (pthread_create(&thread, &attributes, target_main, &target) != 0)
        errx(2, "pthread_create");
    while (__atomic_load_n(&target.tid, __ATOMIC_ACQUIRE) == 0)
        ;
    for (; kicks > 0; kicks--)
        syscall(SYS_rt_tgsigqueueinfo, getpid(), target.tid, SIGSYS, &info);
    __atomic_store_n(&target.done, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    while (untouched < STACK_BYTES && stack[untouched] == PAINT)
        untouched++;
    printf("%zu bytes of stack\n", STACK_BYTES - untouched);
    return STACK_BYTES - untouched > STACK_USED_MAX;
}

static int full(int64_t ms)
{
    const struct rlimit none = {0};
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    struct timespec from, to;

    if (setrlimit(RLIMIT_SIGPENDING, &none) < 0)
        err(2, "setrlimit");
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (nanosleep(&span, NULL) < 0)
        err(1, "nanosleep");
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < ms;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "many") == 0)
        return many((unsigned)atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "full") == 0)
        return full(atoi(argv[2]));
    errx(2, "usage: kicks_odd many KICKS | full MS");
}
