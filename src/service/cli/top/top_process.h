/* SPDX-License-Identifier: MIT */
/* top_process: what /proc tells of a process. */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_PROCESS_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct top_process {
    bool visible; /* else all is 0 */
    bool running; /* one of its threads is, or waits for a CPU */
    bool dying;
    uint64_t cpu_ns;  /* of all threads, those that have ended too */
    uint64_t rss_kib; /* memory that it has */
};

/* pid 0 is no process. */
struct top_process top_process_look(uint64_t pid);
/* Whether we see processes by the same numbers as that process, one of our user's. */
bool top_process_shares_numbers(uint64_t pid);

#endif
