/* SPDX-License-Identifier: MIT */
/*
 * time_readers: reads one domain's clock from everywhere, until its standard input ends.
 *
 *   time_readers TDF        reconnects; SPLITDOM_RUNDIR, SPLITDOM_NAME: which service
 *
 * Whoever reads has been told of a reading just before, and must not read less:
 *   spinner, naps    threads; told by a word that all of them share
 *   by page          a thread; told by another process, over a shared page
 *   by pipe          a thread; told by another process, over pipes
 *   handler          of a signal that interrupts any of them
 *   disk             a thread; told by what a read's completion says
 * First line of output: "clock PID ADDRESS", where the version of the clock's page is in this
 * process. Last line: the totals, as NAME=VALUE. Exit status: 0; 1 time stepped back; 2 trouble.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "domu/blkfront/blkfront_private.h"
#include "ring/barrier.h"
#include "splitdom/tdf.h"

enum { NR_NAPPERS = 2, NR_THREADS = NR_NAPPERS + 4, TICK_US = 1300 };

/* What the other process passes on: it copies told to back. */
struct exchange {
    uint64_t told, back;
    uint32_t stop;
};

static struct blkfront *bf;
static struct exchange *exchange;
static int to_other[2], from_other[2];

static uint64_t newest_ns;
static uint32_t stop;
static uint64_t readings, held, orphaned, steps_back, worst_step_ns;

static void add(uint64_t *word, uint64_t value)
{
    uint64_t found = load_full_u64(word);
    while (!compare_exchange_full_u64(word, &found, found + value))
        ;
}

static void raise_to(uint64_t *word, uint64_t value)
{
    uint64_t found = load_full_u64(word);
    while (found < value && !compare_exchange_full_u64(word, &found, value))
        ;
}

/* One reading by somebody who knows of known_ns. */
static uint64_t look(uint64_t known_ns)
{
    uint64_t now_ns;
    int rc = blkfront_clock_ns(bf, &now_ns);

    if (now_ns < known_ns) {
        add(&steps_back, 1);
        raise_to(&worst_step_ns, known_ns - now_ns);
    }
    raise_to(&newest_ns, now_ns);
    add(&readings, 1);
    if (rc == -ETIMEDOUT)
        add(&held, 1);
    if (rc == -ENOTCONN)
        add(&orphaned, 1);
    return now_ns;
}

static void nap(long ns)
{
    struct timespec pause = {.tv_nsec = ns};
    (void)nanosleep(&pause, NULL);
}

static void *spinner(void *arg)
{
    (void)arg;
    while (load_full_u32(&stop) == 0) {
        for (int i = 0; i < 1000; i++)
            (void)look(load_full_u64(&newest_ns));
        nap(100000); /* leaves the CPU to Dom0 at times */
    }
    return NULL;
}

static void *napper(void *arg)
{
    (void)arg;
    while (load_full_u32(&stop) == 0) {
        (void)look(load_full_u64(&newest_ns));
        nap(20000);
    }
    return NULL;
}

static void *by_page(void *arg)
{
    (void)arg;
    while (load_full_u32(&stop) == 0) {
        store_full_u64(&exchange->told, look(load_full_u64(&exchange->back)));
        nap(20000);
    }
    return NULL;
}

static void *by_pipe(void *arg)
{
    uint64_t known_ns = 0;
    (void)arg;
    while (load_full_u32(&stop) == 0) {
        known_ns = look(known_ns);
        if (write(to_other[1], &known_ns, sizeof(known_ns)) != sizeof(known_ns) ||
            read(from_other[0], &known_ns, sizeof(known_ns)) != sizeof(known_ns))
            err(2, "the other process");
        nap(20000);
    }
    return NULL;
}

static void *disk(void *arg)
{
    struct blkfront_completion done;
    uint8_t bytes[512];
    (void)arg;
    while (load_full_u32(&stop) == 0) {
        if (blkfront_submit(bf, 1, 1, bytes, NULL) < 0 || blkfront_reap(bf, &done, 1, 1) != 1)
            errx(2, "a read failed: %s", blkfront_failure(bf));
        if (done.completed_ns < done.submitted_ns)
            add(&steps_back, 1);
        (void)look(done.completed_ns);
        nap(200000);
    }
    return NULL;
}

static void on_tick(int signal_number)
{
    (void)signal_number;
    (void)look(load_full_u64(&newest_ns));
}

/* The other process, which has no clock of its own: it passes on what it is told. */
static void other(bool page)
{
    uint64_t ns;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (page) {
        while (load_full_u32(&exchange->stop) == 0) {
            store_full_u64(&exchange->back, load_full_u64(&exchange->told));
            nap(10000);
        }
    } else {
        close(to_other[1]);
        while (read(to_other[0], &ns, sizeof(ns)) == sizeof(ns)) {
            if (write(from_other[1], &ns, sizeof(ns)) != sizeof(ns))
                break;
        }
    }
    _exit(0);
}

/* Before the domain is opened: a child has no use for its handle. */
static void start_others(void)
{
    exchange =
        mmap(NULL, sizeof(*exchange), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (exchange == MAP_FAILED || pipe(to_other) < 0 || pipe(from_other) < 0)
        err(2, "pipes");
    for (int page = 0; page < 2; page++) {
        pid_t pid = fork();
        if (pid < 0)
            err(2, "fork");
        if (pid == 0)
            other(page != 0);
    }
}

static void open_domain(const char *text)
{
    struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                       .depth = 4,
                                       .sectors_per_request = 1,
                                       .reconnect = true};
    struct blkfront_error why;
    struct tdf tdf;
    if (tdf_parse(text, &tdf) < 0 || tdf.num == 0)
        errx(2, "%s is no rate", text);
    options.tdf_num = tdf.num;
    options.tdf_den = tdf.den;
    if (blkfront_connect(&options, &bf, &why) < 0)
        errx(2, "%s", why.text);
    printf("clock %d %" PRIxPTR "\n", (int)getpid(),
           (uintptr_t)&bf->shared_info->vcpu_info[0].time.version);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    void *(*const run[NR_THREADS])(void *) = {spinner, napper, napper, by_page, by_pipe, disk};
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, TICK_US}, {0, TICK_US}}, never = {{0, 0}, {0, 0}};
    struct blkfront_stats stats;
    pthread_t threads[NR_THREADS];
    char byte;

    if (argc != 2)
        errx(2, "usage: time_readers TDF");
    start_others();
    open_domain(argv[1]);
    uint64_t begin_ns = look(0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < NR_THREADS; i++) {
        if (pthread_create(&threads[i], NULL, run[i], NULL) != 0)
            errx(2, "no thread");
    }
    while (read(STDIN_FILENO, &byte, 1) != 0)
        ;
    store_full_u32(&stop, 1);
    for (int i = 0; i < NR_THREADS; i++)
        pthread_join(threads[i], NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    store_full_u32(&exchange->stop, 1);
    close(to_other[1]);
    uint64_t passed_ns = look(newest_ns) - begin_ns;
    blkfront_stats(bf, &stats);
    blkfront_close(bf);
    while (wait(NULL) > 0)
        ;
    printf("steps_back=%" PRIu64 " worst_ns=%" PRIu64 " readings=%" PRIu64 " held=%" PRIu64
           " orphaned=%" PRIu64 " passed_ns=%" PRIu64 " reconnects=%" PRIu64 "\n",
           steps_back, worst_step_ns, readings, held, orphaned, passed_ns, stats.reconnects);
    return steps_back != 0;
}
