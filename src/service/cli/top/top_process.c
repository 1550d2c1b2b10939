/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATH_SIZE = 320, STAT_SIZE = 1024 };

/* What follows the program's name, which may hold anything, in a file like /proc/PID/stat. */
static const char *read_stat(const char *path, char text[STAT_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, STAT_SIZE - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return NULL;
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end + 2 : NULL;
}

static bool any_thread_runs(uint64_t pid)
{
    char path[PATH_SIZE], text[STAT_SIZE];
    bool runs = false;
    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return false;
    for (struct dirent *task; !runs && (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/%" PRIu64 "/task/%s/stat", pid, task->d_name);
        const char *rest = task->d_name[0] == '.' ? NULL : read_stat(path, text);
        runs = rest != NULL && *rest == 'R';
    }
    closedir(tasks);
    return runs;
}

/* To the nanosecond, where /proc counts ticks of 10 ms; 0: there is no such process any more. */
static uint64_t cpu_time_ns(uint64_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid((pid_t)pid, &clock) == 0 ? clock_ns(clock) : 0;
}

struct top_process top_process_look(uint64_t pid)
{
    struct top_process process = {0};
    char path[PATH_SIZE], text[STAT_SIZE], state;
    unsigned long long pages;
    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
    const char *rest = pid == 0 ? NULL : read_stat(path, text);
    /* proc(5): the fields 3 and 24 */
    if (rest == NULL ||
        sscanf(rest,
               "%c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%llu",
               &state, &pages) != 2)
        return process;
    process.visible = true;
    process.dying = state == 'Z' || state == 'X';
    process.running = any_thread_runs(pid);
    process.cpu_ns = cpu_time_ns(pid);
    process.rss_kib = pages * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024);
    return process;
}

bool top_process_shares_numbers(uint64_t pid)
{
    char path[PATH_SIZE], theirs[64], ours[64];
    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/ns/pid", pid);
    ssize_t length = readlink(path, theirs, sizeof(theirs));
    return length > 0 && readlink("/proc/self/ns/pid", ours, sizeof(ours)) == length &&
           memcmp(theirs, ours, (size_t)length) == 0;
}
