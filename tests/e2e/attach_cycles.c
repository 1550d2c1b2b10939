/* SPDX-License-Identifier: MIT */
/*
 * attach_cycles SOCKET CYCLES SPEC: a domain reads its xvda all the time, on a thread; another
 * disk, SPEC (all words by name, vdev=xvdc, writable), is attached to it, opened, written, closed
 * and detached CYCLES times. In ten blocks: each begins with a time in which nothing is attached,
 * as long as its cycles take, but at least 0.2 s. Prints cycles N seconds S alone R1 beside R2
 * least L most M ratio Q with the medians of the blocks' reads a second alone and beside the
 * cycles, the least and greatest of their ratios, and the median of these. Exit 1: something
 * failed.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/prng.h"
#include "service/cli/control_client.h"
#include "splitdom/blkfront.h"

enum { BLOCKS = 10, XVDC = 51744, SECTOR_BYTES = 512, TIMEOUT_S = 30 };

#define ALONE_MIN_NS 200000000

struct load {
    struct blkfront *bf;
    uint64_t sectors;
    atomic_ullong reads;
    atomic_bool ends;
};

static void *read_on(void *arg)
{
    struct load *load = arg;
    uint8_t data[SECTOR_BYTES];
    struct prng prng;
    prng_init(&prng, 1, 0);
    while (!atomic_load(&load->ends)) {
        int rc = blkfront_read(load->bf, prng_below(&prng, load->sectors), 1, data);
        if (rc < 0)
            errx(1, "the other disk: %s", strerror(-rc));
        atomic_fetch_add(&load->reads, 1);
    }
    return NULL;
}

static void tell(const char *socket, enum control_op op, uint32_t domid, const char *text)
{
    struct why why;
    if (control_client_tell(socket, op, domid, text, TIMEOUT_S, &why) < 0)
        errx(1, "%s: %s", text, why.text);
}

static void cycle(const char *socket, struct domu *domu, const char *spec, uint64_t sector)
{
    const struct blkfront_options options = {
        .size = sizeof(options), .vdev = XVDC, .depth = 1, .sectors_per_request = 1};
    struct blkfront_error why;
    struct blkfront *bf;
    uint8_t data[SECTOR_BYTES];
    memset(data, (int)sector, sizeof(data));
    tell(socket, CONTROL_BLOCK_ATTACH, domu_domid(domu), spec);
    if (blkfront_open(domu, &options, &bf, &why) < 0)
        errx(1, "open: %s", why.text);
    int rc = blkfront_write(bf, sector % 64, 1, data);
    if (rc < 0)
        errx(1, "write: %s", strerror(-rc));
    blkfront_close(bf);
    tell(socket, CONTROL_BLOCK_DETACH, domu_domid(domu), "xvdc");
}

struct measure {
    uint64_t began_ns;
    unsigned long long reads;
};

static struct measure begin(struct load *load)
{
    return (struct measure){clock_monotonic_ns(), atomic_load(&load->reads)};
}

static double rate(struct load *load, struct measure m)
{
    double seconds = (double)(clock_monotonic_ns() - m.began_ns) / 1e9;
    return (double)(atomic_load(&load->reads) - m.reads) / seconds;
}

/* Without sleeping more often than the load has to be looked at. */
static void let_pass(uint64_t ns)
{
    struct timespec until = clock_timespec(clock_monotonic_ns() + ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, BLOCKS, sizeof(*values), compare);
    return (values[BLOCKS / 2 - 1] + values[BLOCKS / 2]) / 2;
}

int main(int argc, char **argv)
{
    const struct domu_options domain = {.size = sizeof(domain), .pages = 256};
    const struct blkfront_options options = {.size = sizeof(options), .depth = 1};
    struct blkfront_geometry geometry;
    struct blkfront_error why;
    struct domu_error error;
    struct domu *domu;
    static struct load load;
    pthread_t thread;
    double alone[BLOCKS], beside[BLOCKS], ratio[BLOCKS];
    if (argc != 4)
        errx(2, "usage: attach_cycles SOCKET CYCLES SPEC");
    uint64_t cycles = strtoull(argv[2], NULL, 10), began_ns = clock_monotonic_ns(), last_ns = 0;
    if (domu_open(&domain, &domu, &error) < 0)
        errx(1, "%s", error.text);
    if (blkfront_open(domu, &options, &load.bf, &why) < 0)
        errx(1, "%s", why.text);
    blkfront_geometry(load.bf, &geometry);
    load.sectors = geometry.last_sector + 1;
    if (pthread_create(&thread, NULL, read_on, &load) != 0)
        errx(1, "no thread");
    for (int block = 0; block < BLOCKS; block++) {
        struct measure m = begin(&load);
        let_pass(last_ns > ALONE_MIN_NS ? last_ns : ALONE_MIN_NS);
        alone[block] = rate(&load, m);
        m = begin(&load);
        for (uint64_t i = 0; i < cycles / BLOCKS; i++)
            cycle(argv[1], domu, argv[3], (uint64_t)block * cycles + i);
        last_ns = clock_monotonic_ns() - m.began_ns;
        beside[block] = rate(&load, m);
        ratio[block] = beside[block] / alone[block];
    }
    atomic_store(&load.ends, true);
    pthread_join(thread, NULL);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    double middle = median(ratio); /* sorted from here on */
    printf("cycles %llu seconds %.1f alone %.0f beside %.0f least %.3f most %.3f ratio %.3f\n",
           (unsigned long long)(cycles / BLOCKS * BLOCKS), seconds, median(alone), median(beside),
           ratio[0], ratio[BLOCKS - 1], middle);
    blkfront_close(load.bf);
    domu_close(domu);
    return 0;
}
