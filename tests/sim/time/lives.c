/* SPDX-License-Identifier: MIT */
/*
 * lives: a domain's clock through a million lives of its Dom0, in one thread, on a seeded
 * scheduler.
 *
 *   lives [--lives N] [--seed S] [--unsaved]     default 1,000,000 lives, seed 1
 *
 * The product's own code (tdf/clock.c, tdf/pvclock.c, tdf/source.c, domu/domain_clock.c) is cut
 * into steps at each access to shared memory (steps.h). On fibers of their own run
 *
 *   Dom0     changes the rate, pauses, re-anchors; dies or is stopped at any step; the next one's
 *            clock starts afresh
 *   owner    notices the death at some time, and takes the next Dom0's page over
 *   readers  three threads that read; any of them, and the owner, is interrupted at times by a
 *            signal handler that reads too
 *
 * With --unsaved the line of a Dom0 that died in an update is lost, and the clock stands where its
 * readers were by then; one of them may be ahead of the others.
 *
 * At each step somebody else may go on. Time passes in nanoseconds, and at times in minutes.
 * What must hold of each reading:
 *   - no less than the newest one that anybody had got when it began;
 *   - unless an update or a change came in between, no earlier than its line at its beginning, and
 *     (but with --unsaved) no later than that at its end by more than the headroom;
 *   - ready within a bounded number of steps of its own, whoever does not run.
 * Exit status: 0, or 1 at the first reading that is wrong.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "domu/domain_clock.h"
#include "fiber.h"
#include "steps.h"
#include "tdf/clock.h"
#include "tdf/pvclock.h"

enum {
    NR_READERS = 3,
    NR_VCPUS = 3,
    NR_FIBERS = 2 + NR_READERS,
    DOM0 = 0,
    OWNER = 1,
    STEPS_MAX = 256 * 32, /* of one reading */
    MS = 1000000,
};

/* A tick is a nanosecond, and no clock runs faster than by 1000. */
#define HEADROOM_NS (UINT64_C(1000) << 14)

static const struct tdf rates[] = {{1, 1000}, {1, 10}, {1, 1}, {10, 1}, {1000, 1}, {0, 1}};
enum { NR_RATES = sizeof(rates) / sizeof(rates[0]) };

static struct sim {
    struct prng random;
    struct fiber fibers[NR_FIBERS], outside;
    int running;
    bool muted; /* what happens is one step */
    bool unsaved;
    uint64_t now_ns, steps, lives, lives_wanted, readings, handlers, torn_deaths, stops;
    char why[200];

    /* Dom0 */
    jmp_buf birth;
    bool alive, updating;
    uint64_t dies_in, stopped_until; /* steps */
    struct tdf_source source;
    struct tdf_clock writer;
    struct shared_info page, pages_to_come;
    uint64_t updates;          /* that began, through all lives */
    struct vcpu_time_info due; /* the line that counts if Dom0 dies now */

    /* the domain */
    struct domain_clock clock;
    uint64_t changes; /* by the owner, begun and ended */
    uint64_t newest_ns;
    bool in_handler;
    uint64_t steps_of_reading; /* of the handler's, while there is one */
} sim;

static uint64_t below(uint64_t bound)
{
    return prng_below(&sim.random, bound);
}

static void fail(const char *what, uint64_t got_ns, uint64_t bound_ns)
{
    if (sim.why[0] == '\0')
        snprintf(sim.why, sizeof(sim.why),
                 "life %" PRIu64 ", step %" PRIu64 ": %s: %" PRIu64 ", bound %" PRIu64, sim.lives,
                 sim.steps, what, got_ns, bound_ns);
    fiber_switch(&sim.fibers[sim.running], &sim.outside);
}

static void go_on_in(int fiber)
{
    int from = sim.running;

    if (fiber == from)
        return;
    sim.running = fiber;
    fiber_switch(&sim.fibers[from], &sim.fibers[fiber]);
}

static void somebody_goes_on(void)
{
    int next = (int)below(NR_FIBERS);

    if (next == DOM0 && (!sim.alive || sim.steps < sim.stopped_until))
        next = OWNER;
    go_on_in(next);
}

/* Mostly some ns; seldom somebody is not scheduled for long, or nobody does anything for a minute.
 */
static void time_passes(uint64_t dice)
{
    sim.now_ns += dice & 15;
    if ((dice >> 8 & 1023) == 0)
        sim.now_ns += 1 + below(10 * MS);
    if ((dice >> 8 & 0x3ffff) == 1)
        sim.now_ns += below(UINT64_C(60000) * MS);
}

/* ---- readings ---- */

struct beginning {
    uint64_t known_ns, now_ns, updates, changes;
    bool settled;
};

static uint64_t shown_at(const struct vcpu_time_info *line, uint64_t counter)
{
    return pvclock_ns_at(line, counter) + sim.clock.offset_ns;
}

static void check_reading(const struct beginning *began, int rc, uint64_t now_ns)
{
    if (now_ns < began->known_ns)
        fail("time steps back", now_ns, began->known_ns);
    if (sim.newest_ns < now_ns)
        sim.newest_ns = now_ns;
    sim.readings++;
    bool settled = began->settled && !sim.updating && sim.updates == began->updates &&
                   sim.changes == began->changes;
    if (!settled)
        return;
    if (rc != 0 && rc != -ENOTCONN)
        fail("a line that nobody changes is not read", (uint64_t)-rc, 0);
    if (now_ns < shown_at(&sim.due, began->now_ns))
        fail("later than its line", now_ns, shown_at(&sim.due, began->now_ns));
    if (!sim.unsaved && now_ns > shown_at(&sim.due, sim.now_ns) + HEADROOM_NS)
        fail("ahead of its line", now_ns, shown_at(&sim.due, sim.now_ns) + HEADROOM_NS);
}

static void one_reading(uint64_t *steps)
{
    struct beginning began = {.known_ns = sim.newest_ns,
                              .now_ns = sim.now_ns,
                              .updates = sim.updates,
                              .changes = sim.changes,
                              .settled = !sim.updating && sim.changes % 2 == 0};
    uint64_t now_ns;

    *steps = 0;
    int rc = domain_clock_read_ns(&sim.clock, &now_ns);
    if (*steps > STEPS_MAX)
        fail("a reading takes more steps than it may", *steps, STEPS_MAX);
    check_reading(&began, rc, now_ns);
}

/* ---- steps ---- */

static uint64_t steps_of[NR_FIBERS];

static void dom0_step(void)
{
    if (--sim.dies_in > 0) {
        if (below(4000) == 0) {
            sim.stopped_until = sim.steps + below(3000);
            sim.stops++;
            go_on_in(OWNER);
        }
        return;
    }
    sim.alive = false;
    _longjmp(sim.birth, 1);
}

void lives_step(void)
{
    if (sim.muted)
        return;
    sim.steps++;
    uint64_t dice = prng_next(&sim.random);
    time_passes(dice);
    if (sim.in_handler) { /* nobody else goes on meanwhile */
        sim.steps_of_reading++;
        return;
    }
    steps_of[sim.running]++;
    if (sim.running == DOM0)
        dom0_step();
    else if ((dice >> 32 & 63) == 0) {
        sim.in_handler = true;
        one_reading(&sim.steps_of_reading);
        sim.in_handler = false;
        sim.handlers++;
    }
    if ((dice >> 40 & 7) == 0)
        somebody_goes_on();
}

uint64_t lives_counter(void)
{
    lives_step();
    return sim.now_ns;
}

void lives_yield(void)
{
    lives_step();
    if (!sim.muted && !sim.in_handler) {
        sim.now_ns += MS + below(20 * MS);
        somebody_goes_on();
    }
}

/* ---- those who act ---- */

/* Published to vCPU 0 up to here: from now on this line counts. */
static void note_line(void)
{
    if (!(sim.page.vcpu_info[0].time.version & 1))
        sim.due = sim.page.vcpu_info[0].time;
}

static void dom0_updates(void)
{
    sim.updates++;
    sim.updating = true;
    if (below(4) == 0)
        tdf_clock_reanchor(&sim.writer);
    else if (tdf_clock_set_tdf(&sim.writer, rates[below(NR_RATES)]) < 0)
        fail("a rate is refused", 0, 0);
    note_line();
    sim.updating = false;
}

static void dom0(void *arg)
{
    (void)arg;
    if (_setjmp(sim.birth) != 0) {
        /* Dead. If in an update, whatever was published so far is all there is. */
        sim.torn_deaths += sim.page.vcpu_info[0].time.version & 1;
        note_line();
        sim.updating = (sim.page.vcpu_info[0].time.version & 1) != 0;
        while (!sim.alive)
            go_on_in(OWNER);
    }
    for (;;) {
        for (uint64_t idle = below(20); idle > 0; idle--)
            lives_step();
        dom0_updates();
    }
}

/* A Dom0 is born, with a clock for the domain that is not the domain's yet. */
static void next_dom0(void)
{
    sim.muted = true;
    if (tdf_clock_init(&sim.writer, &sim.source, &sim.page, NR_VCPUS, rates[below(NR_RATES - 1)]) <
        0)
        fail("no clock", 0, 0);
    sim.muted = false;
    note_line();
    sim.dies_in = 1 + below(200);
    sim.stopped_until = 0;
}

/* If no line is to be saved the clock stands, and that is the line that counts. */
static void take_copy(void)
{
    bool lost = sim.unsaved && (sim.page.vcpu_info[0].time.version & 1) != 0;
    sim.changes++;
    domain_clock_orphan(&sim.clock, &sim.page, lost ? 1 : NR_VCPUS);
    if (lost)
        sim.due = sim.clock.copy;
    sim.updating = false;
    sim.changes++;
}

static void owner(void *arg)
{
    (void)arg;
    for (;;) {
        while (sim.alive)
            lives_step();
        for (uint64_t late = below(30); late > 0; late--)
            lives_step();
        take_copy();
        for (uint64_t idle = below(40); idle > 0; idle--)
            lives_step();
        sim.changes++;
        next_dom0(); /* the new page comes where the old one was */
        sim.alive = true;
        uint64_t born_ns = pvclock_ns_at(&sim.due, sim.now_ns);
        domain_clock_adopt(&sim.clock, &sim.page.vcpu_info[0].time, born_ns);
        sim.changes++;
        if (++sim.lives >= sim.lives_wanted)
            fiber_switch(&sim.fibers[OWNER], &sim.outside);
    }
}

static void reader(void *arg)
{
    uint64_t *steps = arg;

    for (;;) {
        for (uint64_t idle = below(20); idle > 0; idle--)
            lives_step();
        one_reading(steps);
    }
}

/* ---- */

static void start_fiber(int i, void (*run)(void *), void *arg)
{
    if (fiber_start(&sim.fibers[i], run, arg) < 0)
        errx(2, "no memory for a fiber");
}

static void run(uint64_t seed, uint64_t lives)
{
    prng_init(&sim.random, seed, 0);
    sim.lives_wanted = lives;
    sim.now_ns = 1000 * UINT64_C(1000000);
    tdf_source_monotonic(&sim.source);
    next_dom0();
    sim.alive = true;
    domain_clock_start(&sim.clock, &sim.page.vcpu_info[0].time, sim.now_ns);
    sim.newest_ns = sim.now_ns;
    start_fiber(DOM0, dom0, NULL);
    start_fiber(OWNER, owner, NULL);
    for (int i = 0; i < NR_READERS; i++)
        start_fiber(OWNER + 1 + i, reader, &steps_of[OWNER + 1 + i]);
    sim.running = OWNER;
    fiber_switch(&sim.outside, &sim.fibers[OWNER]);
    for (int i = 0; i < NR_FIBERS; i++)
        fiber_free(&sim.fibers[i]);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"lives", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"unsaved", no_argument, NULL, 'u'},
                                            {NULL, 0, NULL, 0}};
    uint64_t lives = 1000000, seed = 1;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'n':
            lives = strtoull(optarg, NULL, 10);
            break;
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'u':
            sim.unsaved = true;
            break;
        default:
            fputs("usage: lives [--lives N] [--seed S] [--unsaved]\n", stderr);
            return 2;
        }
    }
    run(seed, lives);
    printf("seed %" PRIu64 ": %" PRIu64 " lives (%" PRIu64 " ended in an update, %" PRIu64
           " stops), %" PRIu64 " updates, %" PRIu64 " readings, %" PRIu64
           " of them in handlers, %" PRIu64 " steps\n",
           seed, sim.lives, sim.torn_deaths, sim.stops, sim.updates, sim.readings, sim.handlers,
           sim.steps);
    if (sim.why[0] != '\0') {
        printf("%s\nagain: %s --seed %" PRIu64 " --lives %" PRIu64 "%s\n", sim.why,
               program_invocation_name, seed, lives, sim.unsaved ? " --unsaved" : "");
        return 1;
    }
    puts("no reading was below one that its reader knew of");
    return 0;
}
