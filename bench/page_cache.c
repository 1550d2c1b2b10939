/* SPDX-License-Identifier: MIT */
/*
 * page_cache: T threads that read sectors out of a file's first part with pread, through the page
 * cache: cached reads as a program has them when there is no service at all.
 *
 *   page_cache FILE THREADS SECTORS SECONDS
 *
 * Prints: reads=N per_second=X mean_ns=Y
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"
#include "placement.h"
#include "ring/barrier.h"

enum { SECTOR_BYTES = 512, THREADS_MAX = 4096 };

struct run {
    int fd;
    uint64_t sector_count;
    uint32_t stop;
};

struct reader {
    struct run *run;
    pthread_t thread;
    uint64_t seed;
    uint64_t reads;
};

static void *read_sectors(void *argument)
{
    struct reader *reader = argument;
    struct run *run = reader->run;
    unsigned char sector[SECTOR_BYTES];
    struct prng prng;
    uint64_t reads = 0;

    prng_init(&prng, 1, reader->seed);
    while (load_relaxed_u32(&run->stop) == 0) {
        const uint64_t number = prng_below(&prng, run->sector_count);

        if (pread(run->fd, sector, SECTOR_BYTES, (off_t)(number * SECTOR_BYTES)) != SECTOR_BYTES)
            err(1, "pread");
        reads++;
    }
    reader->reads = reads;
    return NULL;
}

static void warm_up(const struct run *run)
{
    unsigned char sector[SECTOR_BYTES];

    for (uint64_t i = 0; i < run->sector_count; i++)
        if (pread(run->fd, sector, SECTOR_BYTES, (off_t)(i * SECTOR_BYTES)) != SECTOR_BYTES)
            errx(1, "the file has fewer than %" PRIu64 " sectors", run->sector_count);
}

int main(int argc, char **argv)
{
    struct run run = {.fd = -1};
    struct reader *readers;
    uint64_t reads = 0, started_ns, elapsed_ns;

    if (argc != 5)
        errx(2, "usage: page_cache FILE THREADS SECTORS SECONDS");
    const int threads = (int)argument_u32("THREADS", argv[2], 1, THREADS_MAX);
    const double seconds = argument_seconds("SECONDS", argv[4]);
    run.sector_count = argument_u32("SECTORS", argv[3], 1, UINT32_MAX);
    run.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (run.fd < 0)
        err(1, "%s", argv[1]);
    warm_up(&run);
    readers = calloc((size_t)threads, sizeof(*readers));
    if (readers == NULL)
        err(1, "memory");
    started_ns = clock_monotonic_ns();
    for (int i = 0; i < threads; i++) {
        readers[i] = (struct reader){.run = &run, .seed = (uint64_t)i};
        if (pthread_create(&readers[i].thread, NULL, read_sectors, &readers[i]) != 0)
            errx(1, "cannot start thread %d", i + 1);
    }
    usleep((useconds_t)(seconds * 1e6));
    store_full_u32(&run.stop, 1);
    for (int i = 0; i < threads; i++) {
        pthread_join(readers[i].thread, NULL);
        reads += readers[i].reads;
    }
    elapsed_ns = clock_monotonic_ns() - started_ns;
    printf("reads=%" PRIu64 " per_second=%.0f mean_ns=%.1f\n", reads,
           (double)reads * 1e9 / (double)elapsed_ns, (double)elapsed_ns * threads / (double)reads);
    free(readers);
    close(run.fd);
    return 0;
}
