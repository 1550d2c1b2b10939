/* SPDX-License-Identifier: MIT */
/*
 * timers_held: timerfds that ring, by the rate of before, while this process is stopped and the
 * rate changes: whoever reads them later must find them due by the rate of now.
 *
 *     timers_held
 *
 * A child continues the process. Exit 1: one was early, or told more expiries than there were.
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)

enum { RINGS_MS = 100, CONTINUES_MS = 60 };

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static int arm(int64_t interval_ns)
{
    const struct itimerspec spec = {.it_value = {.tv_nsec = RINGS_MS * MS},
                                    .it_interval = {.tv_nsec = interval_ns}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) < 0)
        err(1, "timerfd");
    return fd;
}

/* Read until it has rung twice, or once. */
static int judge(const char *name, int fd, int64_t from_ns, unsigned times)
{
    uint64_t count, all = 0;

    while (all < times) {
        if (read(fd, &count, sizeof(count)) != sizeof(count))
            err(1, "read");
        all += count;
        const int64_t past_ns = now_ns() - from_ns;
        if ((int64_t)all * RINGS_MS * MS > past_ns) {
            printf("%s: %llu expiries after %.1f ms\n", name, (unsigned long long)all,
                   (double)past_ns / 1e6);
            return 1;
        }
    }
    return 0;
}

static bool is_stopped(pid_t pid)
{
    char path[64], line[128];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = strncmp(line, "State:\tT", 8) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

int main(void)
{
    const struct timespec span = {.tv_nsec = CONTINUES_MS * MS};
    const pid_t self = getpid();
    const int64_t from_ns = now_ns();
    const int once = arm(0), often = arm(RINGS_MS * MS);

    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        while (!is_stopped(self))
            sched_yield();
        nanosleep(&span, NULL);
        _exit(kill(self, SIGCONT) < 0);
    }
    (void)raise(SIGSTOP);
    int bad = judge("once", once, from_ns, 1) + judge("periodic", often, from_ns, 3);
    waitpid(pid, NULL, 0);
    return bad > 0;
}
