/* SPDX-License-Identifier: MIT */
/*
 * log: timestamped lines in Dom0's log file. One thread.
 */
#ifndef SPLITDOM_SERVICE_LOG_H
#define SPLITDOM_SERVICE_LOG_H

#include <stdint.h>

struct log;

/* Opens path for appending (NULL: standard error). Errors: -errno. */
int log_open(const char *path, struct log **out);
void log_close(struct log *log); /* NULL allowed */

/*
 * Writes one line, with the time before it. At most LOG_LINES_PER_SECOND lines a second (and a
 * burst of as many): the rest is counted and reported by the next line that gets through, so that a
 * domain can't fill the disk. log may be NULL: nothing happens.
 */
void log_line(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { LOG_LINES_PER_SECOND = 100 };

#endif
