/* SPDX-License-Identifier: MIT */
/*
 * standstill: for how much of the time does a virtual machine stand still when all of it works? A
 * host may allow it so much processor time in each period, the emulation of its disk included; when
 * that is spent, all of it stops until the period is over. Whoever burns more of it then reads
 * less, and every latency has a tail as long as the rest of the period.
 *
 *   standstill IMAGE [SECONDS]     IMAGE -: nobody reads a disk
 *
 * One thread a CPU (of the first 64) looks at the clock all the time, and a few read the disk
 * beside them. What all clock threads miss at once is counted, from 2 ms on: the guest's own
 * scheduler takes one CPU from a thread, not all from all of them.
 *
 * Prints: lost_percent=X stops_per_second=Y longest_ms=Z
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"
#include "placement.h"

enum {
    WATCHERS_MAX = 64,
    READERS = 8,
    GAPS_MAX = 100000,
    GAP_MIN_NS = 2000000,
    BLOCK_BYTES = 4096
};

struct gap {
    uint64_t from_ns, to_ns;
};

struct watcher {
    pthread_t thread;
    int cpu;
    uint64_t until_ns;
    struct gap *gaps;
    uint32_t gap_count;
};

struct disk_reader {
    pthread_t thread;
    int fd;
    uint64_t blocks, seed, until_ns;
};

static void *watch(void *argument)
{
    struct watcher *watcher = argument;
    uint64_t last_ns, now_ns;

    if (placement_bind(watcher->cpu) != 0)
        errx(1, "cannot run on CPU %d", watcher->cpu);
    for (last_ns = clock_monotonic_ns(); last_ns < watcher->until_ns; last_ns = now_ns) {
        now_ns = clock_monotonic_ns();
        if (now_ns - last_ns >= GAP_MIN_NS && watcher->gap_count < GAPS_MAX)
            watcher->gaps[watcher->gap_count++] = (struct gap){last_ns, now_ns};
    }
    return NULL;
}

static void *read_disk(void *argument)
{
    struct disk_reader *reader = argument;
    struct prng prng;
    void *block = NULL;

    if (posix_memalign(&block, BLOCK_BYTES, BLOCK_BYTES) != 0)
        errx(1, "memory");
    prng_init(&prng, 1, reader->seed);
    while (clock_monotonic_ns() < reader->until_ns)
        if (pread(reader->fd, block, BLOCK_BYTES,
                  (off_t)(prng_below(&prng, reader->blocks) * BLOCK_BYTES)) < 0)
            err(1, "pread");
    free(block);
    return NULL;
}

/* The part of gap in which this watcher missed the clock, too. */
static struct gap common(const struct watcher *watcher, struct gap gap)
{
    struct gap best = {0, 0};

    for (uint32_t i = 0; i < watcher->gap_count; i++) {
        const struct gap *other = &watcher->gaps[i];
        const uint64_t from_ns = other->from_ns > gap.from_ns ? other->from_ns : gap.from_ns;
        const uint64_t to_ns = other->to_ns < gap.to_ns ? other->to_ns : gap.to_ns;

        if (to_ns > from_ns && to_ns - from_ns > best.to_ns - best.from_ns)
            best = (struct gap){from_ns, to_ns};
    }
    return best;
}

static void report(const struct watcher *watchers, int count, double seconds)
{
    uint64_t lost_ns = 0, longest_ns = 0, stops = 0;

    for (uint32_t i = 0; i < watchers[0].gap_count; i++) {
        struct gap gap = watchers[0].gaps[i];

        for (int w = 1; w < count; w++)
            gap = common(&watchers[w], gap);
        if (gap.to_ns - gap.from_ns < GAP_MIN_NS)
            continue;
        stops++;
        lost_ns += gap.to_ns - gap.from_ns;
        if (gap.to_ns - gap.from_ns > longest_ns)
            longest_ns = gap.to_ns - gap.from_ns;
    }
    printf("lost_percent=%.1f stops_per_second=%.1f longest_ms=%.1f\n",
           (double)lost_ns / seconds / 1e7, (double)stops / seconds, (double)longest_ns / 1e6);
}

int main(int argc, char **argv)
{
    const double seconds = argc == 3 ? argument_seconds("SECONDS", argv[2]) : 1;
    struct watcher watchers[WATCHERS_MAX] = {0};
    struct disk_reader readers[READERS] = {0};
    struct stat stat = {0};
    cpu_set_t allowed;
    uint64_t until_ns;
    int fd = -1, count = 0, reader_count = 0;

    if (argc < 2 || argc > 3)
        errx(2, "usage: standstill IMAGE|- [SECONDS]");
    if (strcmp(argv[1], "-") != 0) {
        reader_count = READERS;
        fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &stat) < 0)
            err(1, "%s", argv[1]);
        if (stat.st_size < BLOCK_BYTES)
            errx(1, "%s: smaller than a block", argv[1]);
    }
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        err(1, "sched_getaffinity");
    until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
    for (int cpu = 0; cpu < CPU_SETSIZE && count < WATCHERS_MAX; cpu++) {
        struct watcher *watcher = &watchers[count];

        if (!CPU_ISSET((size_t)cpu, &allowed))
            continue;
        watcher->cpu = cpu;
        watcher->until_ns = until_ns;
        watcher->gaps = calloc(GAPS_MAX, sizeof(*watcher->gaps));
        if (watcher->gaps == NULL || pthread_create(&watcher->thread, NULL, watch, watcher) != 0)
            errx(1, "cannot start a thread for CPU %d", cpu);
        count++;
    }
    for (int i = 0; i < reader_count; i++) {
        readers[i] = (struct disk_reader){.fd = fd,
                                          .blocks = (uint64_t)stat.st_size / BLOCK_BYTES,
                                          .seed = (uint64_t)i,
                                          .until_ns = until_ns};
        if (pthread_create(&readers[i].thread, NULL, read_disk, &readers[i]) != 0)
            errx(1, "cannot start reader %d", i + 1);
    }
    for (int i = 0; i < count; i++)
        pthread_join(watchers[i].thread, NULL);
    for (int i = 0; i < reader_count; i++)
        pthread_join(readers[i].thread, NULL);
    report(watchers, count, seconds);
    for (int i = 0; i < count; i++)
        free(watchers[i].gaps);
    return 0;
}
