/* SPDX-License-Identifier: MIT */
#include "client/progress.h"

#include <inttypes.h>

void progress_init(struct progress *progress, FILE *out, bool terminal, uint64_t request_count)
{
    *progress = (struct progress){.out = out, .terminal = terminal, .request_count = request_count};
}

void progress_show(struct progress *progress, uint64_t done_count, uint64_t real_ns)
{
    double percent = 100.0 * (double)done_count / (double)progress->request_count;
    double rate = real_ns > 0 ? (double)done_count * 1e9 / (double)real_ns : 0;

    /* The cursor goes back to the left, so that a message from elsewhere overwrites the line. */
    fprintf(progress->out, "%sclient: %" PRIu64 " of %" PRIu64 " reads (%.1f %%), %.0f/s%c",
            progress->terminal ? "\033[K" : "", done_count, progress->request_count, percent, rate,
            progress->terminal ? '\r' : '\n');
    fflush(progress->out);
    progress->shown = true;
}

void progress_end(struct progress *progress)
{
    if (progress->shown && progress->terminal)
        fputs("\033[K", progress->out);
    progress->shown = false;
}
