/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/one_line.h"

struct log {
    int fd;
    bool to_stderr;
    uint64_t (*now_ns)(void *clock);
    void *clock;
};

int log_open(const struct log_options *options, struct log **out)
{
    struct log *log = calloc(1, sizeof(*log));
    char old[PATH_MAX];

    *out = NULL;
    if (log == NULL)
        return -ENOMEM;
    log->to_stderr = options->to_stderr;
    log->now_ns = options->now_ns != NULL ? options->now_ns : clock_monotonic_fn;
    log->clock = options->clock;
    /* Only a regular file is renamed to PATH.old, not a device or a pipe. */
    struct stat before;
    if (lstat(options->path, &before) == 0 && S_ISREG(before.st_mode) &&
        snprintf(old, sizeof(old), "%s.old", options->path) < (int)sizeof(old))
        rename(options->path, old);
    log->fd = open(options->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log->fd < 0) {
        int rc = -errno;
        free(log);
        return rc;
    }
    *out = log;
    return 0;
}

void log_close(struct log *log)
{
    if (log == NULL)
        return;
    close(log->fd);
    free(log);
}

int log_fd(const struct log *log)
{
    return log->fd;
}

/* Length of the time stamp that was put in front. */
static size_t stamp(char *line, size_t bytes)
{
    struct timespec now;
    struct tm parts;
    size_t length;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    length = strftime(line, bytes, "%Y-%m-%dT%H:%M:%S", &parts);
    length += (size_t)snprintf(line + length, bytes - length, ".%03ldZ ", now.tv_nsec / 1000000);
    return length;
}

/* A failure is ignored: there is no other place to report it. */
static void put(int fd, const char *bytes, size_t count)
{
    while (write(fd, bytes, count) < 0 && errno == EINTR)
        continue;
}

static void write_line(struct log *log, const char *format, va_list arguments)
{
    char line[LOG_LINE_MAX];
    size_t start = stamp(line, sizeof(line));

    vsnprintf(line + start, sizeof(line) - start - 1, format, arguments);
    one_line_keep(line + start);
    size_t end = strlen(line);
    line[end++] = '\n';
    put(log->fd, line, end);
    if (log->to_stderr)
        put(STDERR_FILENO, line + start, end - start);
}

void log_line(struct log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(log, format, arguments);
    va_end(arguments);
}

/* True if the source may write a line now. */
static bool allow(struct log *log, struct log_limit *limit)
{
    uint64_t period_ns = UINT64_C(1000000) * LOG_LIMIT_PERIOD_MS;
    uint64_t now_ns = log->now_ns(log->clock);

    if (limit->line_count == 0 || now_ns - limit->period_start_ns >= period_ns) {
        limit->period_start_ns = now_ns;
        limit->line_count = 0;
    }
    if (limit->line_count == LOG_LIMIT_LINES) {
        limit->suppressed_count++;
        return false;
    }
    limit->line_count++;
    return true;
}

void log_limited(struct log *log, struct log_limit *limit, const char *format, ...)
{
    va_list arguments;

    if (!allow(log, limit))
        return;
    if (limit->suppressed_count > 0) {
        log_line(log, "(%" PRIu64 " lines from the source of the next one were left out)",
                 limit->suppressed_count);
        limit->suppressed_count = 0;
    }
    va_start(arguments, format);
    write_line(log, format, arguments);
    va_end(arguments);
}
