/* SPDX-License-Identifier: MIT */
/* progress: a line on stderr that says how far the run is, rewritten a few times a second. */
#ifndef SPLITDOM_CLIENT_PROGRESS_H
#define SPLITDOM_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_PERIOD_MS = 250 };

struct progress {
    FILE *out;
    uint64_t request_count;
    bool terminal; /* rewrite the line in place; else one line each time */
    bool shown;
};

void progress_init(struct progress *progress, FILE *out, bool terminal, uint64_t request_count);

/* The run is so far after real_ns of real time. */
void progress_show(struct progress *progress, uint64_t done_count, uint64_t real_ns);

/* Wipes the line. */
void progress_end(struct progress *progress);

#endif
