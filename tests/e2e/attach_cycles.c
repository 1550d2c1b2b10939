/* SPDX-License-Identifier: MIT */
/*
 * attach_cycles SOCKET CYCLES SPEC PID: a domain reads its xvda all the time, on a thread; another
 * disk, SPEC (all words by name, vdev=xvdc, writable), is attached to it, opened, written, closed
 * and detached CYCLES times. In ten blocks: each begins with a time in which nothing is attached,
 * as long as its cycles take, but at least 0.2 s. Prints one line:
 *     cycles N seconds S
 *     alone R1 beside R2          medians of the blocks' reads a second
 *     tool T dom0 D               what one cycle takes of the CPUs, in microseconds: this program,
 *                                 all but the thread that reads; Dom0, which is process PID, beyond
 *                                 what so many reads took while nothing was attached
 *     share H                     the latter as a part of a CPU's time: Dom0 has one thread
 *     others O                    which part of all CPUs other processes had while cycles ran
 *     least L most M ratio Q      of the blocks' rates, and their median
 * Exit 1: something failed.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/prng.h"
#include "service/cli/control_client.h"
#include "splitdom/blkfront.h"

enum { BLOCKS = 10, XVDC = 51744, SECTOR_BYTES = 512, TIMEOUT_S = 30 };

#define ALONE_MIN_NS 200000000

struct load {
    struct blkfront *bf;
    clockid_t dom0, thread; /* CPU times: of Dom0, and of the thread that reads */
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

/* What there is so far; or what a stretch of time had of it. CPU times in seconds. */
struct measure {
    double seconds, reads, thread, tool, dom0, busy;
};

/* Of all CPUs, so far. */
static double busy_seconds(void)
{
    unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
                               &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
        errx(1, "/proc/stat is not as proc(5) says");
    fclose(file);
    return (double)(user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
}

static struct measure look(const struct load *load)
{
    double thread = (double)clock_ns(load->thread) / 1e9;
    return (struct measure){.seconds = (double)clock_monotonic_ns() / 1e9,
                            .reads = (double)atomic_load(&load->reads),
                            .thread = thread,
                            .tool = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9 - thread,
                            .dom0 = (double)clock_ns(load->dom0) / 1e9,
                            .busy = busy_seconds()};
}

static struct measure since(const struct load *load, struct measure m)
{
    struct measure now = look(load);
    return (struct measure){.seconds = now.seconds - m.seconds,
                            .reads = now.reads - m.reads,
                            .thread = now.thread - m.thread,
                            .tool = now.tool - m.tool,
                            .dom0 = now.dom0 - m.dom0,
                            .busy = now.busy - m.busy};
}

static void add(struct measure *to, struct measure m)
{
    to->seconds += m.seconds;
    to->reads += m.reads;
    to->thread += m.thread;
    to->tool += m.tool;
    to->dom0 += m.dom0;
    to->busy += m.busy;
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

/* The domain, and the thread that reads its disk. */
static void start_load(struct load *load, struct domu **domu, pthread_t *thread, const char *pid)
{
    const struct domu_options domain = {.size = sizeof(domain), .pages = 256};
    const struct blkfront_options options = {.size = sizeof(options), .depth = 1};
    struct blkfront_geometry geometry;
    struct blkfront_error why;
    struct domu_error error;
    if (clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &load->dom0) != 0)
        errx(1, "no process %s", pid);
    if (domu_open(&domain, domu, &error) < 0)
        errx(1, "%s", error.text);
    if (blkfront_open(*domu, &options, &load->bf, &why) < 0)
        errx(1, "%s", why.text);
    blkfront_geometry(load->bf, &geometry);
    load->sectors = geometry.last_sector + 1;
    if (pthread_create(thread, NULL, read_on, load) != 0 ||
        pthread_getcpuclockid(*thread, &load->thread) != 0)
        errx(1, "no thread");
}

struct result {
    double alone[BLOCKS], beside[BLOCKS], ratio[BLOCKS];
    struct measure all_alone, all_beside;
};

static void print_result(struct result *r, uint64_t cycles, double seconds)
{
    const struct measure *b = &r->all_beside;
    double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN), n = (double)cycles;
    double dom0 = b->dom0 - r->all_alone.dom0 * b->reads / r->all_alone.reads;
    double others = (b->busy - b->thread - b->tool - b->dom0) / (cpus * b->seconds);
    double middle = median(r->ratio); /* sorted from here on */
    printf("cycles %.0f seconds %.1f alone %.0f beside %.0f tool %.0f dom0 %.0f share %.3f others "
           "%.3f least %.3f most %.3f ratio %.3f\n",
           n, seconds, median(r->alone), median(r->beside), 1e6 * b->tool / n, 1e6 * dom0 / n,
           dom0 / b->seconds, others, r->ratio[0], r->ratio[BLOCKS - 1], middle);
}

int main(int argc, char **argv)
{
    static struct load load;
    static struct result result;
    struct domu *domu;
    pthread_t thread;
    if (argc != 5)
        errx(2, "usage: attach_cycles SOCKET CYCLES SPEC PID");
    uint64_t cycles = strtoull(argv[2], NULL, 10), began_ns = clock_monotonic_ns(), last_ns = 0;
    start_load(&load, &domu, &thread, argv[4]);
    for (int block = 0; block < BLOCKS; block++) {
        struct measure alone = look(&load);
        let_pass(last_ns > ALONE_MIN_NS ? last_ns : ALONE_MIN_NS);
        alone = since(&load, alone);
        struct measure beside = look(&load);
        for (uint64_t i = 0; i < cycles / BLOCKS; i++)
            cycle(argv[1], domu, argv[3], (uint64_t)block * cycles + i);
        beside = since(&load, beside);
        last_ns = (uint64_t)(beside.seconds * 1e9);
        result.alone[block] = alone.reads / alone.seconds;
        result.beside[block] = beside.reads / beside.seconds;
        result.ratio[block] = result.beside[block] / result.alone[block];
        add(&result.all_alone, alone);
        add(&result.all_beside, beside);
    }
    atomic_store(&load.ends, true);
    pthread_join(thread, NULL);
    print_result(&result, cycles / BLOCKS * BLOCKS,
                 (double)(clock_monotonic_ns() - began_ns) / 1e9);
    blkfront_close(load.bf);
    domu_close(domu);
    return 0;
}
