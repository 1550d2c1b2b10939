/* SPDX-License-Identifier: MIT */
/*
 * timers_calls: a process with a timer makes one call that is caught after the other, while the
 * rate changes from 1 to 2 and back, so that kicks come at every instant of a call. After each call
 * the timer must be armed by the rate of the generation (run/session.h) that the call has found.
 *
 *     timers_calls SPAN_MS   so many milliseconds of CLOCK_MONOTONIC
 *
 * Exit 1: it was armed by the rate of before.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

enum { RINGS_S = 100000 };

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* As the kernel has it, in real time. */
static double left_s(int info)
{
    char text[512];
    long seconds, ns;

    const ssize_t n = pread(info, text, sizeof(text) - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    const char *value = strstr(text, "it_value: (");
    if (value == NULL || sscanf(value, "it_value: (%ld, %ld)", &seconds, &ns) != 2)
        errx(1, "no timer in: %s", text);
    return (double)seconds + (double)ns / 1e9;
}

static uint32_t generation(void)
{
    const struct session *session = (const struct session *)SESSION_ADDRESS;

    return __atomic_load_n(&session->generation, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv)
{
    const struct itimerspec spec = {.it_value.tv_sec = RINGS_S};
    const struct timespec none = {0};
    char path[64];

    if (argc != 2 || atoi(argv[1]) <= 0)
        errx(2, "usage: timers_calls SPAN_MS");
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) < 0)
        err(1, "timerfd");
    const double due_s = now_s() + RINGS_S, end_s = now_s() + atoi(argv[1]) / 1e3;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0)
        err(1, "%s", path);
    while (now_s() < end_s) {
        for (int i = 0; i < 10; i++)
            nanosleep(&none, NULL);
        const uint32_t before = generation();
        nanosleep(&none, NULL);
        const double rate = left_s(info) / (due_s - now_s());
        if (generation() == before && (rate > 1.5) != (before % 2 == 1))
            errx(1, "after change %u the timer rings by the rate %.3f", before, rate);
    }
    return 0;
}
