/* SPDX-License-Identifier: MIT */
/*
 * proc_stat: /proc/PID/stat, where ps and its like find when a process began and what CPU time it
 * has used, in the domain's time; and /proc/PID/schedstat, where that is told to the nanosecond.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_PROC_STAT_H
#define SPLITDOM_RUN_SHIM_CALL_PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>

enum { PROC_STAT_BYTES = 1024 }; /* more than such a line has */

/* "/proc/PID/stat", "/proc/PID/task/TID/stat"; self and thread-self, too. Or schedstat. */
bool proc_stat_is_path(const char *path);

/* Too much for a small stack. */
struct proc_stat {
    char line[PROC_STAT_BYTES]; /* what is shown, as text */
    char text[PROC_STAT_BYTES]; /* what the kernel shows */
};

/* The line that a descriptor of such a path shows; 0: it shows none, else its length. */
size_t proc_stat_show(long fd, const char *path, struct proc_stat *stat);

#endif
