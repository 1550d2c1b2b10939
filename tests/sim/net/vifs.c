/* SPDX-License-Identifier: MIT */
/*
 * vifs: network interfaces with bridges, rules and links in one process, moved by a seed: frames of
 * all kinds, rings of all sizes, one event channel or two, closing and opening, kills of either
 * half at any step, front ends that lie (vif_world.h). Looked at all the time and at rest: each
 * frame comes whole, in the order of its flow and once, or is counted; grants come back; no request
 * is answered twice; nobody sleeps over work; rates hold (vif_oracle.c, vif_laws.c).
 *
 *     vifs [--seeds FROM:COUNT] [--steps N] [--seed N] [--verbose]
 *
 * --seed N --verbose: one, with a line for each thing that happens. Exit status: 0, or 1 at the
 * first seed that fails; the last line says how to see it again.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vif_world.h"

enum { ACTIONS_DEFAULT = 1500, DRAIN_ACTIONS_MAX = 400000 };

/* ---- who can do something ---- */

enum { STRANDS_MAX = 1 + WORLD_FRONTS * (1 + 2 * WORLD_QUEUES_MAX) };

static uint32_t all_strands(struct world *w, struct strand *out[STRANDS_MAX])
{
    uint32_t count = 0;
    if (w->dom0_lives)
        out[count++] = &w->dom0;
    for (int i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->kind != FRONT_OURS)
            continue;
        out[count++] = &f->link;
        for (uint32_t k = 0; k < WORLD_QUEUES_MAX; k++) {
            out[count++] = &f->sender[k].strand;
            out[count++] = &f->receiver[k].strand;
        }
    }
    return count;
}

/* When the next strand wakes by itself; UINT64_MAX: none does. */
static uint64_t next_ns(struct world *w)
{
    struct strand *strands[STRANDS_MAX];
    uint32_t count = all_strands(w, strands);
    uint64_t next = w->dom0_lives ? timers_next_deadline(&w->timers) : UINT64_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (strands[i]->is_there && strands[i]->waits && strands[i]->until_ns != 0 &&
            strands[i]->until_ns < next)
            next = strands[i]->until_ns;
    return next;
}

/* Any of them goes on. Returns whether there was one. */
static bool go_on(struct world *w)
{
    struct strand *strands[STRANDS_MAX], *ready[STRANDS_MAX];
    uint32_t count = all_strands(w, strands), ready_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (strand_is_ready(strands[i]))
            ready[ready_count++] = strands[i];
    if (ready_count == 0)
        return false;
    struct strand *chosen = ready[world_pick(w, ready_count)];
    if (w->dom0_lives && strand_is_ready(&w->dom0) && world_pick(w, 3) == 0)
        chosen = &w->dom0;
    strand_go_on(chosen, 1 + world_pick(w, w->budget_max));
    return true;
}

/* ---- what happens ---- */

static void end_of_dom0(struct world *w)
{
    if (w->dom0_lives || w->store == NULL || !dom0_may_be_buried(w))
        return;
    dom0_bury(w);
    dom0_birth(w);
    world_say(w, "Dom0 starts, %u queues", w->max_queues);
}

static void kill_front(struct front *f)
{
    if (f->phase == FRONT_ABSENT || f->phase == FRONT_DEAD)
        return;
    world_say(f->world, "domain %u dies", f->domid);
    f->world->front_deaths++;
    if (f->kind == FRONT_OURS) {
        ours_end(f);
        ours_begin(f);
    } else {
        f->phase = FRONT_DEAD;
    }
}

static void turn_clock(struct front *f)
{
    static const struct tdf rates[] = {{1, 1}, {10, 1}, {1, 10}, {0, 1}, {3, 2}};
    uint32_t which = world_pick(f->world, 5);
    struct tdf rate = rates[which];
    if (f->back == NULL)
        return;
    if (dom0_limits(f)) {
        nodes_change_rate(f, which);
        return;
    }
    if (tdf_clock_set_tdf(&f->dom0_clock, rate) < 0)
        world_fail(f->world, "domain %u: its clock takes no rate", f->domid);
    if (rate.num != 0)
        f->tdf = rate;
}

static void disturb(struct world *w)
{
    struct front *f = &w->front[world_pick(w, WORLD_FRONTS)];
    switch (world_pick(w, 8)) {
    case 0:
        if (!w->dom0_lives)
            break;
        world_say(w, "Dom0 dies");
        w->dom0_deaths++;
        dom0_kill(w);
        break;
    case 1:
        kill_front(f);
        break;
    case 2:
    case 3:
        f->wants_reopen |= f->kind == FRONT_OURS && f->phase == FRONT_CONNECTED;
        break;
    default:
        if (w->dom0_lives)
            turn_clock(f);
        break;
    }
}

static void pass_time(struct world *w)
{
    uint64_t next = next_ns(w), now_ns = strand_now_ns();
    uint64_t step_ns =
        world_pick(w, 30) == 0 ? 1 + world_pick(w, 20000000) : 1 + world_pick(w, 20000);
    if (next > now_ns && next - now_ns < step_ns && world_pick(w, 2) == 0)
        step_ns = next - now_ns;
    world_advance_to(w, now_ns + step_ns);
}

static void one_action(struct world *w)
{
    uint32_t dice = world_pick(w, 1000);
    struct front *f = &w->front[world_pick(w, WORLD_FRONTS)];
    if (dice < 6)
        disturb(w);
    else if (dice < 120)
        pass_time(w);
    else if (dice < 300 && f->kind != FRONT_OURS)
        foreign_step(f, true);
    else if (dice < 400 && f->kind == FRONT_OURS)
        f->may_send += f->may_send < 4;
    else if (!go_on(w))
        pass_time(w);
    end_of_dom0(w);
}

/* ---- the end ---- */

static bool foreign_go_on(struct world *w)
{
    bool moved = false;
    for (int i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->kind == FRONT_OURS || !foreign_has_reason(f))
            continue;
        foreign_step(f, false);
        moved = true;
    }
    return moved;
}

/* Nobody sends any more, no clock stands still, nobody lies. */
static void begin_drain(struct world *w)
{
    w->draining = true;
    for (int i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        f->posts = true;
        f->awake = true;
        if (f->kind == FRONT_HOSTILE)
            kill_front(f);
        if (f->back != NULL && w->dom0_lives &&
            tdf_clock_set_tdf(&f->dom0_clock, (struct tdf){1, 1}) == 0)
            f->tdf = (struct tdf){1, 1};
    }
}

static void drain(struct world *w)
{
    begin_drain(w);
    for (uint32_t i = 0; i < DRAIN_ACTIONS_MAX && w->why[0] == '\0'; i++) {
        end_of_dom0(w);
        bool moved = foreign_go_on(w);
        moved |= go_on(w);
        laws_check(w);
        w->actions++;
        if (moved) {
            world_advance_to(w, strand_now_ns() + 300); /* who spins does not for ever */
            continue;
        }
        uint64_t next = next_ns(w);
        if (next == UINT64_MAX)
            return;
        world_advance_to(w, next > strand_now_ns() ? next : strand_now_ns() + 1000);
    }
    world_fail(w, "it does not come to rest in %d actions", DRAIN_ACTIONS_MAX);
}

/* ---- one seed ---- */

static void choose_fronts(struct world *w)
{
    static const enum front_kind kinds[][WORLD_FRONTS] = {
        {FRONT_OURS, FRONT_OURS, FRONT_FOREIGN, FRONT_FOREIGN},
        {FRONT_OURS, FRONT_OURS, FRONT_FOREIGN, FRONT_HOSTILE},
        {FRONT_OURS, FRONT_FOREIGN, FRONT_HOSTILE, FRONT_HOSTILE},
        {FRONT_OURS, FRONT_OURS, FRONT_OURS, FRONT_OURS}};
    uint32_t which = world_pick(w, 4);
    for (uint32_t i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        *f = (struct front){.world = w, .kind = kinds[which][i], .domid = (domid_t)(i + 1)};
        f->bridge = w->links ? world_pick(w, 2) : 0;
        memcpy(f->mac, (const uint8_t[]){0x00, 0x16, 0x3e, 0, 0, (uint8_t)(i + 1)}, NET_MAC_BYTES);
    }
}

static struct world *make(uint64_t seed, bool verbose, struct log *log)
{
    static const uint32_t budgets[] = {1, 4, 30, 300, 5000};
    struct world *w = calloc(1, sizeof(*w));
    if (w == NULL || (w->frame = calloc(WORLD_IDS_MAX, sizeof(*w->frame))) == NULL)
        abort();
    world_use(w);
    w->verbose = verbose;
    w->log = log;
    prng_init(&w->random, seed, 0);
    w->links = world_pick(w, 3) != 0;
    w->chances = w->links && world_pick(w, 2) == 0;
    w->budget_max = budgets[world_pick(w, 5)];
    strand_set_now_ns(UINT64_C(1000000000000));
    if (tdf_source_manual(&w->source, 1000000000, strand_now_ns(), 0) < 0)
        abort();
    choose_fronts(w);
    dom0_birth(w);
    for (int i = 0; i < WORLD_FRONTS; i++)
        if (w->front[i].kind == FRONT_OURS)
            ours_begin(&w->front[i]);
    return w;
}

static void unmake(struct world *w)
{
    for (int i = 0; i < WORLD_FRONTS; i++) {
        ours_end(&w->front[i]);
        if (w->front[i].phase != FRONT_ABSENT)
            w->front[i].phase = FRONT_DEAD;
    }
    dom0_kill(w);
    dom0_bury(w);
    free(w->frame);
    free(w);
}

struct totals {
    uint64_t frames, parts, dom0_deaths, front_deaths, connections, reopened, steps;
};

static uint64_t running_seed, running_actions;

/* For whoever dies by an assertion or a sanitizer: which seed it was. */
static void on_death(int signal_number)
{
    dprintf(STDOUT_FILENO,
            "seed %" PRIu64 ": signal %d\nagain: %s --steps %" PRIu64 " --seed %" PRIu64
            " --verbose\n",
            running_seed, signal_number, program_invocation_name, running_actions, running_seed);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static bool run_seed(uint64_t seed, uint64_t actions, bool verbose, struct log *log,
                     struct totals *totals)
{
    running_seed = seed;
    running_actions = actions;
    struct world *w = make(seed, verbose, log);
    while (w->actions < actions && w->why[0] == '\0') {
        one_action(w);
        laws_check(w);
        w->actions++;
    }
    if (w->why[0] == '\0')
        drain(w);
    if (w->why[0] == '\0')
        laws_check_rest(w);
    bool good = w->why[0] == '\0';
    if (!good)
        printf("seed %" PRIu64 ", action %" PRIu64 ": %s\n", seed, w->actions, w->why);
    totals->frames += w->received;
    totals->parts += w->parts;
    totals->dom0_deaths += w->dom0_deaths;
    totals->front_deaths += w->front_deaths;
    totals->connections += w->connections;
    totals->reopened += w->reopened;
    if (good)
        unmake(w);
    return good;
}

static int run(uint64_t first, uint64_t count, uint64_t actions, bool verbose)
{
    struct totals totals = {0};
    struct log *log;
    uint64_t done = 0;
    bool good = true;
    if (log_open(&(struct log_options){.path = "/dev/null"}, &log) < 0)
        return 2;
    for (; good && done < count; done++)
        good = run_seed(first + done, actions, verbose, log, &totals);
    if (!good)
        printf("again: %s --steps %" PRIu64 " --seed %" PRIu64 " --verbose\n",
               program_invocation_name, actions, first + done - 1);
    else
        printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
               " frames received and %" PRIu64 " parts of such, %" PRIu64 " connections, %" PRIu64
               " opened again, Dom0 died %" PRIu64 " times, domains %" PRIu64 "; all laws hold\n",
               done, first, strand_steps(), totals.frames, totals.parts, totals.connections,
               totals.reopened, totals.dom0_deaths, totals.front_deaths);
    log_close(log);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"steps", required_argument, NULL, 'n'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    uint64_t first = 1, count = 200, actions = ACTIONS_DEFAULT;
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
        case 'n':
            actions = strtoull(optarg, NULL, 10);
            break;
        case 'v':
            verbose = true;
            break;
        default:
            fprintf(stderr,
                    "usage: vifs [--seeds FROM:COUNT] [--steps N] [--seed N] [--verbose]\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_death);
    signal(SIGSEGV, on_death);
    return run(first, count, actions, verbose);
}
