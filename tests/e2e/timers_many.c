/* SPDX-License-Identifier: MIT */
/*
 * timers_many: so many processes arm a timer and end; then the rate changes from 2 to 4, and the
 * timer of this process must be armed by that, though it makes no call that is caught meanwhile.
 *
 *     timers_many PROCESSES
 *
 * Exit 1: it is still armed by the rate of before; 3: that came before all were there.
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

enum { RINGS_S = 100000, PATIENCE_S = 10 };

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts); /* not caught */
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int arm(void)
{
    const struct itimerspec spec = {.it_value.tv_sec = RINGS_S};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) < 0)
        err(1, "timerfd");
    return fd;
}

/* As the kernel has it, in real time. */
static double left_s(int info)
{
    char text[512];
    long seconds;

    const ssize_t n = pread(info, text, sizeof(text) - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    const char *value = strstr(text, "it_value: (");
    if (value == NULL || sscanf(value, "it_value: (%ld", &seconds) != 1)
        errx(1, "no timer in: %s", text);
    return (double)seconds;
}

static void let_others_arm(int count)
{
    int status;

    for (int i = 0; i < count; i++) {
        const pid_t pid = fork();
        if (pid < 0)
            err(1, "fork");
        if (pid == 0) {
            arm();
            _exit(0);
        }
        if (waitpid(pid, &status, 0) != pid || status != 0)
            errx(1, "process %d: %#x", i, status);
    }
}

int main(int argc, char **argv)
{
    const struct session *session = (const struct session *)SESSION_ADDRESS;
    char path[64];

    if (argc != 2 || atoi(argv[1]) <= 0)
        errx(2, "usage: timers_many PROCESSES");
    let_others_arm(atoi(argv[1]));
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arm());
    int info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0)
        err(1, "%s", path);
    if (__atomic_load_n(&session->generation, __ATOMIC_SEQ_CST) != 0)
        errx(3, "the rate has changed too early");

    while (__atomic_load_n(&session->generation, __ATOMIC_SEQ_CST) == 0)
        sched_yield();
    for (const double end_s = now_s() + PATIENCE_S; left_s(info) < 3.0 * RINGS_S;)
        if (now_s() > end_s)
            errx(1, "the timer rings in %.0f s, at half the rate", left_s(info));
    return 0;
}
