/* SPDX-License-Identifier: MIT */
/*
 * misses: T threads that read sectors all over a disk, of several services in turn, a few
 * milliseconds of each: whatever the disk and the machine do meanwhile meets all of them. Processes
 * one after the other, as other sections have them, differ by more than what is looked for here.
 *
 *   misses THREADS SECONDS SLICE_MS SERVICE:PID... [depth:N]
 *
 * depth: one thread keeps N reads in flight. PID: of the service, whose processor time is counted
 * with ours. A service may be named twice: what differs between the two is noise. The services are
 * found as any client finds them ($SPLITDOM_RUNDIR).
 *
 * Prints a line for each: rps=X cpu_us=Y (for a read, on both sides) found=P (of a hundred reads,
 * those that were no hand-over).
 */
#include <err.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/prng.h"
#include "ring/barrier.h"
#include "splitdom/blkfront.h"

enum { SECTOR_BYTES = 512, THREADS_MAX = 512, DEPTH_MAX = 512, SIDES_MAX = 8, WARM_UP_TURNS = 2 };

/* A service, as a domain of ours has it. */
struct side {
    struct blkfront *bf;
    clockid_t clock; /* of the service's processor time */
    uint64_t sector_count;
    uint64_t reads, elapsed_ns, cpu_ns, requests;
};

struct run {
    struct side side[SIDES_MAX];
    uint32_t side_count, threads, depth;
    uint64_t slice_ns;
    pthread_barrier_t begin, end;
    const struct side *turn; /* these two between the barriers; NULL: all is over */
    uint64_t until_ns;
};

struct reader {
    struct run *run;
    pthread_t thread;
    struct prng prng;
    uint64_t reads; /* in this slice */
};

static void check(int rc, const char *what)
{
    if (rc < 0)
        errx(1, "%s: %s", what, strerror(-rc));
}

static uint64_t read_blocking(struct reader *reader)
{
    const struct side *side = reader->run->turn;
    unsigned char sector[SECTOR_BYTES];
    uint64_t reads = 0;

    for (; clock_monotonic_ns() < reader->run->until_ns; reads++)
        check(blkfront_read(side->bf, prng_below(&reader->prng, side->sector_count), 1, sector),
              "read");
    return reads;
}

static void submit(struct reader *reader, void *buffer)
{
    const struct side *side = reader->run->turn;

    check(
        blkfront_submit(side->bf, prng_below(&reader->prng, side->sector_count), 1, buffer, buffer),
        "submit");
}

static uint64_t read_asynchronously(struct reader *reader)
{
    static unsigned char data[DEPTH_MAX][SECTOR_BYTES];
    const struct run *run = reader->run;
    struct blkfront_completion done[DEPTH_MAX];
    uint64_t reads = 0;

    for (uint32_t i = 0; i < run->depth; i++)
        submit(reader, data[i]);
    for (uint32_t in_flight = run->depth; in_flight > 0;) {
        int count = blkfront_reap(run->turn->bf, done, run->depth, 1);
        check(count, "reap");
        bool goes_on = clock_monotonic_ns() < run->until_ns;
        in_flight -= (uint32_t)count;
        reads += (uint32_t)count;
        for (int i = 0; i < count; i++)
            check(done[i].status, "read");
        for (int i = 0; goes_on && i < count; i++, in_flight++)
            submit(reader, done[i].buffer);
    }
    return reads;
}

static void *read_sectors(void *argument)
{
    struct reader *reader = argument;
    struct run *run = reader->run;

    while (pthread_barrier_wait(&run->begin), run->turn != NULL) {
        reader->reads = run->depth > 0 ? read_asynchronously(reader) : read_blocking(reader);
        pthread_barrier_wait(&run->end);
    }
    return NULL;
}

static uint64_t cpu_ns(const struct side *side)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + clock_ns(side->clock);
}

/* All that was asked for is answered within the slice's time. */
static void take_turn(struct run *run, struct reader *readers, struct side *side, bool counts)
{
    struct blkfront_stats before, after;
    uint64_t reads = 0;

    blkfront_stats(side->bf, &before);
    run->turn = side;
    uint64_t started_cpu_ns = cpu_ns(side), started_ns = clock_monotonic_ns();
    run->until_ns = started_ns + run->slice_ns;
    pthread_barrier_wait(&run->begin);
    pthread_barrier_wait(&run->end);
    uint64_t elapsed_ns = clock_monotonic_ns() - started_ns;
    uint64_t spent_ns = cpu_ns(side) - started_cpu_ns;
    blkfront_stats(side->bf, &after);
    for (uint32_t i = 0; i < run->threads; i++)
        reads += readers[i].reads;
    if (!counts)
        return;
    side->reads += reads;
    side->elapsed_ns += elapsed_ns;
    side->cpu_ns += spent_ns;
    side->requests += after.requests - before.requests;
}

/* The side that follows another one changes from turn to turn. */
static void take_turns(struct run *run, struct reader *readers, double seconds)
{
    uint64_t turns = (uint64_t)(seconds * 1e9) / (run->slice_ns * run->side_count) + 1;
    struct prng prng;

    prng_init(&prng, 1, 0);
    for (uint64_t turn = 0; turn < turns + WARM_UP_TURNS; turn++) {
        struct side *order[SIDES_MAX];
        for (uint32_t i = 0; i < run->side_count; i++) {
            uint32_t at = (uint32_t)prng_below(&prng, i + 1);
            order[i] = order[at];
            order[at] = &run->side[i];
        }
        for (uint32_t i = 0; i < run->side_count; i++)
            take_turn(run, readers, order[i], turn >= WARM_UP_TURNS);
    }
    run->turn = NULL;
    pthread_barrier_wait(&run->begin);
}

static void run_readers(struct run *run, double seconds)
{
    struct reader *readers = calloc(run->threads, sizeof(*readers));

    if (readers == NULL || pthread_barrier_init(&run->begin, NULL, run->threads + 1) != 0 ||
        pthread_barrier_init(&run->end, NULL, run->threads + 1) != 0)
        errx(1, "no memory for %u threads", run->threads);
    for (uint32_t i = 0; i < run->threads; i++) {
        readers[i].run = run;
        prng_init(&readers[i].prng, (uint64_t)clock_monotonic_ns(), i);
        if (pthread_create(&readers[i].thread, NULL, read_sectors, &readers[i]) != 0)
            errx(1, "cannot start thread %u", i + 1);
    }
    take_turns(run, readers, seconds);
    for (uint32_t i = 0; i < run->threads; i++)
        pthread_join(readers[i].thread, NULL);
    free(readers);
}

static void connect_side(struct run *run, char *word)
{
    struct blkfront_options options = {.size = sizeof(options), .depth = run->depth};
    struct side *side = &run->side[run->side_count++];
    struct blkfront_geometry geometry;
    struct blkfront_error why;
    char *colon = strrchr(word, ':');

    if (colon == NULL || colon == word)
        errx(2, "SERVICE:PID, not '%s'", word);
    *colon = '\0';
    pid_t pid = (pid_t)argument_u32("PID", colon + 1, 1, INT32_MAX);
    options.name = word;
    if (clock_getcpuclockid(pid, &side->clock) != 0)
        errx(1, "no process %d, of service '%s'", (int)pid, word);
    if (blkfront_connect(&options, &side->bf, &why) < 0)
        errx(1, "%s", why.text);
    check(blkfront_geometry(side->bf, &geometry), "geometry");
    side->sector_count = geometry.last_sector + 1 - geometry.first_sector;
}

static void print(const struct side *side)
{
    double reads = (double)side->reads;

    printf("rps=%.1f cpu_us=%.4f found=%.2f\n", reads * 1e9 / (double)side->elapsed_ns,
           (double)side->cpu_ns / reads / 1e3, 100 * (1 - (double)side->requests / reads));
}

int main(int argc, char **argv)
{
    static struct run run;

    if (argc < 5)
        errx(2, "usage: misses THREADS SECONDS SLICE_MS SERVICE:PID... [depth:N]");
    run.threads = argument_u32("THREADS", argv[1], 1, THREADS_MAX);
    double seconds = argument_seconds("SECONDS", argv[2]);
    run.slice_ns = UINT64_C(1000000) * argument_u32("SLICE_MS", argv[3], 1, 10000);
    int words = argc;
    if (strncmp(argv[argc - 1], "depth:", 6) == 0)
        run.depth = argument_u32("depth", argv[--words] + 6, 1, DEPTH_MAX);
    if (run.depth > 0 && run.threads > 1)
        errx(2, "depth is for one thread");
    if (words - 4 > SIDES_MAX)
        errx(2, "at most %d services", SIDES_MAX);
    for (int i = 4; i < words; i++)
        connect_side(&run, argv[i]);
    run_readers(&run, seconds);
    for (uint32_t i = 0; i < run.side_count; i++) {
        print(&run.side[i]);
        blkfront_close(run.side[i].bf);
    }
    return 0;
}
