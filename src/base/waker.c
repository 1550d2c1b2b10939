/* SPDX-License-Identifier: MIT */
#include "base/waker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 20000000 };

/* "12 (a name) T 3 ...": the letter behind the last bracket. A file that is gone: it has ended. */
static bool is_stopped(const char *path)
{
    char text[128] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *after = length > 0 ? strrchr(text, ')') : NULL;
    return after != NULL && (strncmp(after, ") T", 3) == 0 || strncmp(after, ") t", 3) == 0);
}

/* In a child of a process with threads: no memory, no streams. The parent may not have stopped yet,
 * or may never do. */
static _Noreturn void watch(pid_t parent, const char *parents_path, const char *path)
{
    const struct timespec span = {.tv_nsec = LOOK_NS};
    signal(SIGSYS, SIG_IGN); /* a change of rate is told to all descendants */
    while (getppid() == parent && (is_stopped(path) || !is_stopped(parents_path)))
        nanosleep(&span, NULL);
    if (getppid() == parent)
        kill(parent, SIGCONT);
    _exit(0);
}

pid_t waker_start(pid_t child)
{
    char path[32], parents_path[32];
    const pid_t parent = getpid();
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
    snprintf(parents_path, sizeof(parents_path), "/proc/%d/stat", (int)parent);
    pid_t pid = fork();
    if (pid == 0)
        watch(parent, parents_path, path);
    return pid < 0 ? -errno : pid;
}

void waker_end(pid_t waker)
{
    if (waker > 0)
        kill(waker, SIGKILL);
}
