/* SPDX-License-Identifier: MIT */
/*
 * sim: front ends, back ends, store, disk and clocks in one thread, moved by a scheduler that draws
 * everything from a seed. Invariants are looked at after every step (check.c); at the end nobody
 * asks any more, and everything that was asked must be answered.
 *
 *     sim [--seeds FROM:COUNT] [--seconds S] [--steps N] [--seed N] [--verbose]
 *
 * --seeds: these, one after the other (default 1:2000). --seconds: fresh seeds, from the time of
 * day, for so long. --seed N --verbose: one, with a line for each thing that happens. Exit status:
 * 0, or 1 at the first seed that fails; the last line says how to see it again.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ring/fault_guard.h"
#include "world.h"

enum {
    STEPS_DEFAULT = 600,
    DRAIN_STEPS_MAX = 100000,
    FAULT_SLOTS = 64, /* also of domains that have ended, for as long as the disk works for them */
};

uint32_t world_pick(struct world *w, uint32_t bound)
{
    return (uint32_t)prng_below(&w->random, bound);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(w->why, sizeof(w->why), format, args);
    va_end(args);
}

void world_say(struct world *w, const char *format, ...)
{
    va_list args;
    if (!w->verbose)
        return;
    printf("%6" PRIu64 " ", w->steps);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void after_step(struct world *w)
{
    w->steps++;
    world_check(w);
}

/* Rare events: somebody dies, is born, or a clock changes. */
static void disturb(struct world *w)
{
    struct front *f = &w->front[world_pick(w, SIM_FRONTS)];
    switch (world_pick(w, 8)) {
    case 0:
        world_say(w, "Dom0 dies");
        w->dom0_deaths += w->dom0_lives;
        dom0_death(w);
        break;
    case 1:
    case 2:
        if (f->phase == FRONT_ABSENT)
            break;
        world_say(w, "domain %u dies", f->domid);
        w->front_deaths++;
        front_death(f);
        break;
    default:
        world_say(w, "domain %u: another rate", f->domid);
        front_turn_clock(f);
        break;
    }
}

static void be_born(struct world *w)
{
    if (!w->dom0_lives) {
        world_say(w, "Dom0 starts");
        dom0_birth(w);
    }
    front_birth(&w->front[world_pick(w, SIM_FRONTS)]);
}

static void one_step(struct world *w)
{
    uint32_t dice = world_pick(w, 1000);
    if (dice < 4)
        disturb(w);
    else if (dice < 40)
        be_born(w);
    else if (dice < 400 && dom0_has_reason(w))
        dom0_step(w);
    else if (dice < 600)
        disk_step(w);
    else
        front_step(&w->front[world_pick(w, SIM_FRONTS)], true);
    after_step(w);
}

/* Nobody asks any more. Everybody goes on for as long as there is a reason to. */
static void drain(struct world *w)
{
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && w->why[0] == '\0'; i++) {
        bool moved = false;
        if (!w->dom0_lives || world_pick(w, 50) == 0)
            be_born(w);
        if (dom0_has_reason(w)) {
            dom0_step(w);
            moved = true;
            after_step(w);
        }
        if (fake_disk_current()->waiting_count > 0) {
            moved = true;
            if (world_pick(w, 3) == 0)
                disk_step(w);
        }
        for (int k = 0; k < SIM_FRONTS; k++) {
            struct front *f = &w->front[k];
            moved |= f->phase == FRONT_ABSENT;
            if (front_has_reason(f)) {
                front_step(f, false);
                moved = true;
            }
        }
        after_step(w);
        if (!moved)
            return;
    }
    world_fail(w, "it does not come to rest in %d steps", DRAIN_STEPS_MAX);
}

static void check_end(struct world *w)
{
    for (int i = 0; i < SIM_FRONTS; i++) {
        const struct front *f = &w->front[i];
        if (f->phase != FRONT_CONNECTED)
            world_fail(w, "domain %u rests in phase %d", f->domid, f->phase);
        bool all_free = true;
        for (uint32_t k = 0; k < f->queue_count; k++)
            all_free &= f->queue[k].shadow.free_count == f->queue[k].shadow.nr_entries;
        if (f->asked != f->answered || !all_free)
            world_fail(w, "domain %u: %" PRIu64 " requests, %" PRIu64 " answers%s", f->domid,
                       f->asked, f->answered, all_free ? "" : ", entries in use");
    }
}

/* For whoever dies by an assertion or a sanitizer: which seed it was. */
static uint64_t running_seed, running_steps;

static void on_death(int signal_number)
{
    dprintf(STDOUT_FILENO,
            "seed %" PRIu64 ": signal %d\nagain: %s --steps %" PRIu64 " --seed %" PRIu64
            " --verbose\n",
            running_seed, signal_number, program_invocation_name, running_steps, running_seed);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

struct totals {
    uint64_t steps, answers, dom0_deaths, front_deaths, connections, queues, narrowed;
    uint64_t indirect, barriers;
};

/* Returns whether all went well. */
static bool run_seed(uint64_t seed, uint64_t steps, bool verbose, struct log *log,
                     struct totals *totals)
{
    static const uint32_t blocks[] = {512, 4096, 1024, 4096};
    struct world *w = calloc(1, sizeof(*w));
    if (w == NULL)
        abort();
    running_seed = seed;
    running_steps = steps;
    w->verbose = verbose;
    w->log = log;
    w->now_ns = 1000000000;
    w->next_number = ORACLE_ZEROS + 1;
    w->block_size_bytes = blocks[seed % 4];
    prng_init(&w->random, seed, 0);
    if (tdf_source_manual(&w->source, 1000000000, w->now_ns, 0) < 0)
        abort();
    oracle_init(&w->oracle, SIM_IMAGE_SECTORS, w->next_number);
    oracle_fill(w->content, w->next_number++, 0, SIM_IMAGE_SECTORS);
    for (int i = 0; i < SIM_FRONTS; i++) {
        w->front[i] = (struct front){.world = w, .domid = (domid_t)(i + 1)};
        front_death(&w->front[i]);
    }
    dom0_birth(w);
    while (w->steps < steps && w->why[0] == '\0')
        one_step(w);
    if (w->why[0] == '\0')
        drain(w);
    if (w->why[0] == '\0')
        check_end(w);
    if (w->why[0] == '\0')
        world_check_disk(w);
    bool good = w->why[0] == '\0';
    if (!good)
        printf("seed %" PRIu64 ", step %" PRIu64 ": %s\n", seed, w->steps, w->why);
    totals->steps += w->steps;
    totals->dom0_deaths += w->dom0_deaths;
    totals->front_deaths += w->front_deaths;
    totals->connections += w->connections;
    totals->queues += w->queues;
    totals->narrowed += w->narrowed;
    totals->indirect += w->indirect;
    totals->barriers += w->barriers;
    for (int i = 0; i < SIM_FRONTS; i++) {
        totals->answers += w->front[i].answered;
        front_fini(&w->front[i]);
    }
    dom0_death(w);
    oracle_fini(&w->oracle);
    free(w);
    return good;
}

static int run(uint64_t first, uint64_t count, time_t seconds, uint64_t steps, bool verbose)
{
    struct totals totals = {0};
    struct log *log;
    const time_t begin = time(NULL);
    uint64_t done = 0;
    if (log_open(&(struct log_options){.path = "/dev/null"}, &log) < 0 ||
        fault_guard_install(FAULT_SLOTS) < 0)
        return 2;
    bool good = true;
    while (good && (seconds > 0 ? time(NULL) - begin < seconds : done < count)) {
        good = run_seed(first + done, steps, verbose, log, &totals);
        done++;
    }
    if (!good)
        printf("again: %s --steps %" PRIu64 " --seed %" PRIu64 " --verbose\n",
               program_invocation_name, steps, first + done - 1);
    else
        printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
               " requests (%" PRIu64 " indirect, %" PRIu64 " barriers), %" PRIu64
               " connections of %" PRIu64 " queues (%" PRIu64
               " with fewer or smaller rings than before), Dom0 died %" PRIu64
               " times, front ends %" PRIu64 "; all invariants hold\n",
               done, first, totals.steps, totals.answers, totals.indirect, totals.barriers,
               totals.connections, totals.queues, totals.narrowed, totals.dom0_deaths,
               totals.front_deaths);
    fault_guard_remove();
    log_close(log);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'r'},   {"seed", required_argument, NULL, 's'},
        {"seconds", required_argument, NULL, 't'}, {"steps", required_argument, NULL, 'n'},
        {"verbose", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0}};
    uint64_t first = 1, count = 2000, steps = STEPS_DEFAULT;
    time_t seconds = 0;
    bool verbose = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *colon = NULL;
        switch (c) {
        case 'r':
            first = strtoull(optarg, &colon, 10);
            count = *colon == ':' ? strtoull(colon + 1, NULL, 10) : 1;
            break;
        case 's':
            first = strtoull(optarg, NULL, 10);
            count = 1;
            break;
        case 't':
            seconds = (time_t)strtoull(optarg, NULL, 10);
            first = (uint64_t)time(NULL) * 1000000;
            break;
        case 'n':
            steps = strtoull(optarg, NULL, 10);
            break;
        case 'v':
            verbose = true;
            break;
        default:
            fprintf(stderr, "usage: sim [--seeds FROM:COUNT] [--seconds S] [--steps N] [--seed N] "
                            "[--verbose]\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_death);
    signal(SIGSEGV, on_death);
    return run(first, count, seconds, steps, verbose);
}
