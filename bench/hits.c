/* SPDX-License-Identifier: MIT */
/*
 * hits: T threads of one domain that read sectors out of a disk's first part, as fast as the
 * library gives them: cached reads as page_cache has them of the kernel, with no reading of a clock
 * around each.
 *
 *   hits SERVICE THREADS SECTORS SECONDS [DEPTH]
 *
 * DEPTH: one thread submits so many at a time and reaps them. The service is found as any client
 * finds it ($SPLITDOM_RUNDIR).
 *
 * Prints: reads=N per_second=X mean_ns=Y cpu_ns=Z ring=P, where cpu_ns is what this process has
 * spent on a read, and ring how many of a hundred reads were a hand-over to Dom0.
 */
#include <err.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"
#include "ring/barrier.h"
#include "splitdom/blkfront.h"

enum { SECTOR_BYTES = 512, THREADS_MAX = 4096, DEPTH_MAX = 512 };

struct run {
    struct blkfront *bf;
    uint64_t sector_count;
    uint32_t depth; /* 0: calls that block */
    uint32_t stop;
};

struct reader {
    struct run *run;
    pthread_t thread;
    uint64_t seed;
    uint64_t reads;
};

static void check(int rc, const char *what)
{
    if (rc < 0)
        errx(1, "%s: %s", what, strerror(-rc));
}

static uint64_t read_blocking(struct run *run, struct prng *prng)
{
    unsigned char sector[SECTOR_BYTES];
    uint64_t reads = 0;

    for (; load_relaxed_u32(&run->stop) == 0; reads++)
        check(blkfront_read(run->bf, prng_below(prng, run->sector_count), 1, sector), "read");
    return reads;
}

static uint64_t read_asynchronously(struct run *run, struct prng *prng)
{
    static unsigned char data[DEPTH_MAX][SECTOR_BYTES];
    struct blkfront_completion done[DEPTH_MAX];
    struct blkfront_io io[DEPTH_MAX];
    uint64_t reads = 0;

    for (uint32_t i = 0; i < run->depth; i++)
        io[i] =
            (struct blkfront_io){.operation = BLKFRONT_READ, .sector_count = 1, .buffer = data[i]};
    while (load_relaxed_u32(&run->stop) == 0) {
        for (uint32_t i = 0; i < run->depth; i++)
            io[i].sector = prng_below(prng, run->sector_count);
        for (uint32_t i = 0; i < run->depth;) {
            int count = blkfront_submit_many(run->bf, &io[i], run->depth - i);
            check(count, "submit");
            i += (uint32_t)count;
        }
        for (uint32_t left = run->depth; left > 0;) {
            int count = blkfront_reap(run->bf, done, run->depth, 1);
            check(count, "reap");
            for (int i = 0; i < count; i++)
                check(done[i].status, "read");
            left -= (uint32_t)count;
        }
        reads += run->depth;
    }
    return reads;
}

static void *read_sectors(void *argument)
{
    struct reader *reader = argument;
    struct prng prng;

    prng_init(&prng, 1, reader->seed);
    reader->reads = reader->run->depth > 0 ? read_asynchronously(reader->run, &prng)
                                           : read_blocking(reader->run, &prng);
    return NULL;
}

static void warm_up(const struct run *run)
{
    unsigned char sector[SECTOR_BYTES];

    for (uint64_t i = 0; i < run->sector_count; i++)
        check(blkfront_read(run->bf, i, 1, sector), "the first reads");
}

/* Returns how many reads there were. */
static uint64_t run_readers(struct run *run, uint32_t count, double seconds)
{
    struct reader *readers = calloc(count, sizeof(*readers));
    uint64_t reads = 0;

    if (readers == NULL)
        err(1, "memory");
    for (uint32_t i = 0; i < count; i++) {
        readers[i] = (struct reader){.run = run, .seed = i};
        if (pthread_create(&readers[i].thread, NULL, read_sectors, &readers[i]) != 0)
            errx(1, "cannot start thread %u", i + 1);
    }
    usleep((useconds_t)(seconds * 1e6));
    store_full_u32(&run->stop, 1);
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(readers[i].thread, NULL);
        reads += readers[i].reads;
    }
    free(readers);
    return reads;
}

int main(int argc, char **argv)
{
    struct blkfront_options options = {.size = sizeof(options)};
    struct blkfront_stats before, after;
    struct blkfront_error why;
    struct run run = {0};

    if (argc != 5 && argc != 6)
        errx(2, "usage: hits SERVICE THREADS SECTORS SECONDS [DEPTH]");
    uint32_t threads = argument_u32("THREADS", argv[2], 1, THREADS_MAX);
    double seconds = argument_seconds("SECONDS", argv[4]);
    run.sector_count = argument_u32("SECTORS", argv[3], 1, UINT32_MAX);
    run.depth = argc == 6 ? argument_u32("DEPTH", argv[5], 1, DEPTH_MAX) : 0;
    if (run.depth > 0 && threads > 1)
        errx(2, "DEPTH is for one thread");
    options.name = argv[1];
    options.depth = run.depth;
    if (blkfront_connect(&options, &run.bf, &why) < 0)
        errx(1, "%s", why.text);
    warm_up(&run);
    blkfront_stats(run.bf, &before);
    uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), started_ns = clock_monotonic_ns();
    uint64_t reads = run_readers(&run, threads, seconds);
    uint64_t elapsed_ns = clock_monotonic_ns() - started_ns;
    cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
    blkfront_stats(run.bf, &after);
    printf("reads=%" PRIu64 " per_second=%.0f mean_ns=%.1f cpu_ns=%.1f ring=%.1f\n", reads,
           (double)reads * 1e9 / (double)elapsed_ns, (double)elapsed_ns * threads / (double)reads,
           (double)cpu_ns / (double)reads,
           100 * (double)(after.requests - before.requests) / (double)reads);
    blkfront_close(run.bf);
    return 0;
}
