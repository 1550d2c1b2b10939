/* SPDX-License-Identifier: MIT */
/*
 * fault_left: what a program of unit tests leaves behind at its end: memory, descriptors, threads,
 * mappings of shared memory that were not there at its beginning. The program fails then, whatever
 * its tests have said. Nor is memory of malloc zero by chance. Linked whole with unit tests; nobody
 * calls it.
 */
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

enum { PATIENCE_MS = 10000, ALONE_MS = 100, NO_ZERO = 0xa5 };

struct left {
    int64_t blocks;
    uint32_t descriptors, threads, mappings;
};

/* From the constructor to the destructor. */
static struct {
    pid_t pid;
    struct left before;
} program;

/* The thread sanitizer has one of its own that begins when it likes. */
#ifdef __SANITIZE_THREAD__
static uint32_t threads_now(void)
{
    return 1;
}
#else
/* The kernel's of an io_uring are on the list, too; they come and go as it likes. */
static bool is_ours(const char *thread)
{
    char path[64], name[8] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", thread);
    FILE *comm = fopen(path, "re");
    bool known = comm != NULL && fgets(name, sizeof(name), comm) != NULL;

    if (comm != NULL)
        fclose(comm);
    return known && strncmp(name, "iou-", 4) != 0;
}

static uint32_t threads_now(void)
{
    DIR *dir = opendir("/proc/self/task");
    uint32_t count = 0;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' && is_ours(entry->d_name);
    if (dir != NULL)
        closedir(dir);
    return count;
}
#endif

/* Those of private memory merge and split as they like. */
static uint32_t shared_mappings_now(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], sharing;
    uint32_t count = 0;

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        count += sscanf(line, "%*s %*c%*c%*c%c", &sharing) == 1 && sharing == 's';
    if (maps != NULL)
        fclose(maps);
    return count;
}

static struct left left_now(void)
{
    return (struct left){.blocks = fault_live_blocks(),
                         .descriptors = fault_open_descriptors(),
                         .threads = threads_now(),
                         .mappings = shared_mappings_now()};
}

static bool is_more(const struct left *a, const struct left *b)
{
    return a->blocks > b->blocks || a->descriptors > b->descriptors || a->threads > b->threads ||
           a->mappings > b->mappings;
}

__attribute__((constructor)) static void look_before(void)
{
    (void)mallopt(M_PERTURB, NO_ZERO);
    program.pid = getpid();
    program.before = left_now();
}

/* Is there somebody who may still give back what he has? A thread that was joined may be on the
 * kernel's list for a moment more. */
static bool may_settle(const struct left *now, int waited_ms)
{
#ifdef __SANITIZE_THREAD__
    (void)now;
    return waited_ms < PATIENCE_MS; /* threads were not counted */
#else
    return waited_ms < (now->threads > 1 ? PATIENCE_MS : ALONE_MS);
#endif
}

__attribute__((destructor)) static void look_after(void)
{
    const struct left *before = &program.before;
    struct left after = left_now();

    if (getpid() != program.pid) /* a child that did not _exit */
        return;
    for (int ms = 0; is_more(&after, before) && may_settle(&after, ms); ms++) {
        (void)poll(NULL, 0, 1);
        after = left_now();
    }
    if (!is_more(&after, before))
        return;
    fprintf(stderr, "left behind: %d blocks, %d descriptors, %d threads, %d shared mappings\n",
            (int)(after.blocks - before->blocks), (int)(after.descriptors - before->descriptors),
            (int)(after.threads - before->threads), (int)(after.mappings - before->mappings));
    _exit(1);
}
