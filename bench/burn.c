/* SPDX-License-Identifier: MIT */
/*
 * burn: uses a share of one CPU and touches nothing else.
 *
 *   burn PERCENT SECONDS
 *
 * In bursts of BURST_NS, with sleeps between them: what a process costs its neighbours only by
 * being there. The control for a process that works as much and also asks Dom0 for something.
 */
#include <err.h>
#include <stdint.h>
#include <stdlib.h>

#include "arguments.h"
#include "base/clock.h"
#include "placement.h"

enum { BURST_NS = 50000 };

int main(int argc, char **argv)
{
    if (argc != 3)
        errx(2, "usage: burn PERCENT SECONDS");
    const double share = argument_real("PERCENT", argv[1], 100) / 100;
    const double seconds = argument_real("SECONDS", argv[2], 3600);
    const uint64_t start_ns = clock_monotonic_ns();
    const uint64_t end_ns = start_ns + (uint64_t)(seconds * 1e9);
    uint64_t now_ns, used_ns;

    /* Until the share of the time so far is used up, so that what the sleeps and the process's own
     * start cost is part of it. */
    while ((now_ns = clock_monotonic_ns()) < end_ns) {
        used_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        const double due_ns = share * (double)(now_ns - start_ns);
        if ((double)used_ns < due_ns) {
            while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - used_ns < BURST_NS)
                continue;
        } else if (share < 1) {
            const struct timespec pause = {.tv_nsec = BURST_NS};
            nanosleep(&pause, NULL);
        }
    }
    return 0;
}
