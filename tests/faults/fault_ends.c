/* SPDX-License-Identifier: MIT */
/*
 * fault_ends: how a unit test leaves its process. Each one that is linked with the faults fails at
 * its end where it has not given back all its blocks of memory, or more descriptors are open or
 * more memory is mapped that others may share than when it began.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

enum { PATIENCE_MS = 2000 }; /* a thread that nobody waits for may be giving back what it had */

static struct {
    pid_t pid; /* whose end counts: a child has what its parent had */
    uint32_t descriptors, mappings;
} begin;

static uint32_t shared_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], rights[5];
    uint32_t count = 0;
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        count += sscanf(line, "%*s %4s", rights) == 1 && rights[3] == 's';
    if (maps != NULL)
        fclose(maps);
    return count;
}

__attribute__((constructor)) static void remember(void)
{
    begin.pid = getpid();
    begin.descriptors = fault_open_descriptors();
    begin.mappings = shared_mappings();
}

__attribute__((destructor)) static void compare(void)
{
    uint32_t descriptors = 0, mappings = 0;
    if (getpid() != begin.pid)
        return;
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        descriptors = fault_open_descriptors();
        mappings = shared_mappings();
        if (fault_live_blocks() <= 0 && descriptors <= begin.descriptors &&
            mappings <= begin.mappings)
            return;
        usleep(1000);
    }
    fflush(NULL);
    fprintf(stderr, "left behind: %d blocks, %d descriptors, %d shared mappings\n",
            (int)fault_live_blocks(), (int)(descriptors - begin.descriptors),
            (int)(mappings - begin.mappings));
    _exit(1);
}
