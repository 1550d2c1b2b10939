/* SPDX-License-Identifier: MIT */
/*
 * log: lines with a time in front, in a file. This module depends on no other room.
 *
 *     2026-01-31T12:00:00.000Z Dom0 serves disk1.img (204800 sectors)
 *
 * Each line is one write, so lines of several threads do not mix. A line that can't be written is
 * lost: logging never fails its caller. Any thread may log; each log_limit belongs to one thread.
 */
#ifndef SPLITDOM_BASE_LOG_H
#define SPLITDOM_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct log;

enum {
    LOG_LINE_MAX = 1024,             /* bytes with time and newline; longer lines are cut */
    LOG_LIMIT_LINES = 10,            /* of one source within ... */
    LOG_LIMIT_PERIOD_MS = 10 * 1000, /* ... so much time of CLOCK_MONOTONIC */
};

/* The allowance of one source, for instance one domain: a hostile domain must not fill the disk.
 * Initially all zeros. */
struct log_limit {
    uint64_t period_start_ns;
    uint32_t line_count;       /* in this period */
    uint64_t suppressed_count; /* not yet reported */
};

struct log_options {
    const char *path;                /* a previous run's file is renamed to PATH.old */
    bool to_stderr;                  /* each line goes to stderr too, without the time */
    uint64_t (*now_ns)(void *clock); /* for limits; NULL: CLOCK_MONOTONIC */
    void *clock;
};

/* Errors: -ENOMEM; -errno from opening the file. */
int log_open(const struct log_options *options, struct log **out);
void log_close(struct log *log); /* NULL allowed */

/* The file's descriptor, for stderr to be redirected to. */
int log_fd(const struct log *log);

/* One line; control characters in it are shown as '?'. */
void log_line(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As log_line while the source has allowance left. The first line of its next period says how many
 * lines were dropped. */
void log_limited(struct log *log, struct log_limit *limit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
