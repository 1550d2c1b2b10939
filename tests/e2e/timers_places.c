/* SPDX-License-Identifier: MIT */
/*
 * timers_places: a process with timers stands in one place of the session's table, also where
 * another one had the first that it might have had, and has left since. For a second place it would
 * never answer that its timers are armed.
 *
 *     timers_places
 *
 * Exit 1: it stands in more places than one, or the first is not its own.
 */
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

enum { FAR_S = 100000 };

static uint64_t *place(unsigned i)
{
    return &((struct session *)SESSION_ADDRESS)->waiters[i];
}

static void arm(int fd)
{
    const struct itimerspec spec = {.it_value.tv_sec = FAR_S};

    if (timerfd_settime(fd, 0, &spec, NULL) < 0)
        err(1, "timerfd_settime");
}

/* How many places it has; the first is *at. */
static int places(uint64_t who, unsigned *at)
{
    int count = 0;

    for (unsigned i = 0; i < SESSION_WAITERS; i++) {
        if (__atomic_load_n(place(i), __ATOMIC_SEQ_CST) != who)
            continue;
        if (count++ == 0)
            *at = i;
    }
    return count;
}

int main(void)
{
    const uint64_t who = (uint64_t)getpid() << 32;
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    unsigned first, second;

    if (fd < 0)
        err(1, "timerfd_create");
    arm(fd);
    if (places(who, &first) != 1)
        errx(1, "a process with a timer has no place, or several");
    pid_t other = fork();
    if (other < 0)
        err(1, "fork");
    if (other == 0)
        for (;;)
            pause();
    /* As if that one had come first: who arms a timer takes the next place. */
    __atomic_store_n(place(first), (uint64_t)other << 32 | (uint32_t)other, __ATOMIC_SEQ_CST);
    arm(fd);
    if (places(who, &second) != 1 || second == first)
        errx(1, "a process with a timer has no place beside another");
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    __atomic_store_n(place(first), 0, __ATOMIC_SEQ_CST);
    arm(fd);
    const int count = places(who, &first);
    if (count != 1)
        errx(1, "a process with a timer has %d places", count);
    return 0;
}
