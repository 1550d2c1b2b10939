/* SPDX-License-Identifier: MIT */
/*
 * sector_trace: sectors in the order in which they are to be read, from a file with one decimal
 * number a line, such as sectors.PID of an earlier run. Empty lines and lines that begin with '#'
 * are ignored. A loaded trace never changes: any thread may read it.
 */
#ifndef SPLITDOM_CLIENT_SECTOR_TRACE_H
#define SPLITDOM_CLIENT_SECTOR_TRACE_H

#include <stdint.h>

#include "base/why.h"

struct sector_trace {
    uint64_t *sectors;
    uint64_t count; /* at least 1 */
    uint64_t last;  /* the largest */
};

/*
 * Reads the file. Errors, with why: -EINVAL a line is no number (why names the line), or the file
 * has no number; -ENOMEM; others from the system. Then *trace is empty.
 */
int sector_trace_load(struct sector_trace *trace, const char *path, struct why *why);
void sector_trace_free(struct sector_trace *trace);

#endif
