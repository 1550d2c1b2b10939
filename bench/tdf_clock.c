/* SPDX-License-Identifier: MIT */
/*
 * tdf_clock: what a domain's clock costs and how well it keeps time. Prints each figure beside its
 * bound; exit code 1 if one is out of bounds.
 *
 *   tdf_clock [--quick] [--seconds N]      default 60 s of drift, 3 with --quick
 *
 *   cost    of a reading, as a ratio to clock_gettime(CLOCK_MONOTONIC); batches of both alternate,
 * so that the state of the machine is the same for both, with clock_gettime against itself as a
 * control drift   of clocks at several factors against CLOCK_MONOTONIC / TDF, re-anchored once a
 * second as Dom0 does; this is also row 1 (system time) and, by the wall clock, row 2 of Table 1 of
 *           Gupta et al., NSDI'06
 *   skew    between two processes that read one domain's clock: the midpoint rule of NTP over a
 * ping pong in shared memory, on the fastest tenth of the exchanges
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "domu/domain_clock.h"
#include "pin.h"
#include "ring/barrier.h"
#include "tdf/clock.h"
#include "tdf/counter.h"
#include "tdf/pvclock.h"
#include "verdict.h"

#define NS_PER_SEC UINT64_C(1000000000)

struct options {
    bool quick;
    unsigned seconds;
};

/* Cost */

enum { READS_PER_BATCH = 2000, BATCHES = 301 };
enum cost_kind { COST_MONOTONIC, COST_CONTROL, COST_PLAIN, COST_ORDERED, COST_DOMAIN, COST_KINDS };

static double batch_ns(enum cost_kind kind, const struct vcpu_time_info *ti,
                       struct domain_clock *domain)
{
    uint64_t sink = 0, now_ns;
    uint64_t start_ns = clock_monotonic_ns();

    for (int i = 0; i < READS_PER_BATCH; i++) {
        switch (kind) {
        case COST_PLAIN:
            sink |= (uint64_t)pvclock_read_ns(ti, &now_ns);
            break;
        case COST_ORDERED:
            sink |= (uint64_t)pvclock_read_ordered_ns(ti, &now_ns);
            break;
        case COST_DOMAIN:
            sink |= (uint64_t)domain_clock_read_ns(domain, &now_ns);
            break;
        default: {
            struct timespec ts;
            sink |= (uint64_t)clock_gettime(CLOCK_MONOTONIC, &ts);
        }
        }
    }
    uint64_t elapsed_ns = clock_monotonic_ns() - start_ns;
    if (sink != 0) {
        fputs("tdf_clock: a reading failed in the cost measurement\n", stderr);
        exit(1);
    }
    return (double)elapsed_ns / READS_PER_BATCH;
}

static void measure_cost(struct tdf_source *source, int *failures)
{
    static double cost[COST_KINDS][BATCHES];
    struct shared_info shared = {0};
    struct tdf_clock clock;
    struct domain_clock domain;
    double median[COST_KINDS];

    if (tdf_clock_init(&clock, source, &shared, 1, (struct tdf){10, 1}) < 0)
        abort();
    domain_clock_start(&domain, &shared.vcpu_info[0].time, tdf_clock_now_ns(&clock));
    for (int batch = 0; batch < BATCHES; batch++)
        for (enum cost_kind kind = 0; kind < COST_KINDS; kind++)
            cost[kind][batch] = batch_ns(kind, &shared.vcpu_info[0].time, &domain);
    for (enum cost_kind kind = 0; kind < COST_KINDS; kind++)
        median[kind] = verdict_quantile(cost[kind], BATCHES, 0.5);
    printf(
        "cost of a reading, median of %d interleaved batches: clock_gettime %.1f ns, pvclock %.1f "
        "ns, ordered %.1f ns, blkfront_now_ns %.1f ns\n",
        BATCHES, median[COST_MONOTONIC], median[COST_PLAIN], median[COST_ORDERED],
        median[COST_DOMAIN]);
    verdict_print(failures, "  control: clock_gettime / clock_gettime - 1",
                  median[COST_CONTROL] / median[COST_MONOTONIC] - 1, 0.05, "");
    verdict_print(failures, "  pvclock_read_ns / clock_gettime",
                  median[COST_PLAIN] / median[COST_MONOTONIC],
                  source->counter == PVCLOCK_COUNTER_TSC ? 0.6 : 1.5, "");
    verdict_print(failures, "  pvclock_read_ordered_ns / clock_gettime",
                  median[COST_ORDERED] / median[COST_MONOTONIC], 1.5, "");
    verdict_print(failures, "  blkfront_now_ns / clock_gettime",
                  median[COST_DOMAIN] / median[COST_MONOTONIC], 1.5, "");
}

/* Drift */

static const struct tdf drift_factors[] = {{1, 10}, {1, 1}, {5, 2}, {10, 1}, {100, 1}};
enum { NR_DRIFT = sizeof(drift_factors) / sizeof(drift_factors[0]), PAIR_TRIES = 50 };

struct pair {
    uint64_t real_ns;
    uint64_t virtual_ns;
};

struct pairs {
    struct pair system, wall;
};

/* Both scales at one instant, from the narrowest of some brackets. */
static void read_pair(const struct shared_info *shared, bool wall, struct pair *pair)
{
    uint64_t best_ns = UINT64_MAX;

    for (int i = 0; i < PAIR_TRIES; i++) {
        uint64_t virtual_ns, before_ns = clock_monotonic_ns();
        int rc = wall ? pvclock_read_wall_ns(shared, 0, &virtual_ns)
                      : pvclock_read_ordered_ns(&shared->vcpu_info[0].time, &virtual_ns);
        uint64_t width_ns = clock_monotonic_ns() - before_ns;
        if (rc < 0)
            abort();
        if (width_ns >= best_ns)
            continue;
        best_ns = width_ns;
        *pair = (struct pair){before_ns + width_ns / 2, virtual_ns};
    }
}

static void read_pairs(const struct shared_info *shared, struct pairs *pairs)
{
    read_pair(shared, false, &pairs->system);
    read_pair(shared, true, &pairs->wall);
}

static void sleep_until(uint64_t deadline_ns)
{
    struct timespec ts = clock_timespec(deadline_ns);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        continue;
}

static void print_drift(const char *what, struct tdf tdf, const struct pair *start,
                        const struct pair *end, double bound_ppm, int *failures)
{
    char text[TDF_TEXT_SIZE], line[80];
    double expected_ns = (double)tdf_virtual_ns(tdf, end->real_ns - start->real_ns);
    double got_ns = (double)(end->virtual_ns - start->virtual_ns);

    tdf_format(tdf, text, sizeof(text));
    snprintf(line, sizeof(line), "  TDF %-4s %s: expected %10.6f s", text, what, expected_ns / 1e9);
    verdict_print(failures, line, (got_ns / expected_ns - 1) * 1e6, bound_ppm, "ppm");
}

static void measure_drift(struct tdf_source *source, unsigned seconds, int *failures)
{
    static struct shared_info shared[NR_DRIFT];
    struct tdf_clock clocks[NR_DRIFT];
    struct pairs start[NR_DRIFT], end;

    for (int i = 0; i < NR_DRIFT; i++) {
        if (tdf_clock_init(&clocks[i], source, &shared[i], 1, drift_factors[i]) < 0)
            abort();
        read_pairs(&shared[i], &start[i]);
    }
    uint64_t next_ns = clock_monotonic_ns();
    for (unsigned s = 0; s < seconds; s++) {
        sleep_until(next_ns += NS_PER_SEC);
        for (int i = 0; i < NR_DRIFT; i++)
            tdf_clock_reanchor(&clocks[i]);
    }
    /* 0.1 ppm over a minute; over less the first calibration weighs as much as it does there. */
    double bound_ppm = seconds >= 60 ? 0.1 : 0.1 * 60 / seconds;
    printf("drift against CLOCK_MONOTONIC / TDF over %u s (Table 1, rows 1 and 2)\n", seconds);
    for (int i = 0; i < NR_DRIFT; i++) {
        read_pairs(&shared[i], &end);
        print_drift("system time", drift_factors[i], &start[i].system, &end.system, bound_ppm,
                    failures);
        print_drift("wall clock ", drift_factors[i], &start[i].wall, &end.wall, bound_ppm,
                    failures);
    }
}

/* Skew */

enum { EXCHANGES = 20000, EXCHANGES_QUICK = 4000 };

struct arena {
    struct shared_info info;
    uint32_t turn __attribute__((aligned(64)));
    uint64_t stamps_ns[2][EXCHANGES + 1] __attribute__((aligned(64)));
};

/* Back to back on two processors, or politely on one. */
static void await_turn(const uint32_t *turn, uint32_t value, bool alone)
{
    while (load_full_u32(turn) != value) {
        if (alone)
            sched_yield();
        else
            cpu_relax();
    }
}

/* Both sides do exactly the same, so the way there takes as long as the way back: take the turn,
 * read the clock, hand over. */
static void play(struct arena *arena, unsigned side, unsigned count, bool alone)
{
    const struct vcpu_time_info *ti = &arena->info.vcpu_info[side].time;

    for (uint32_t i = 0; i < count; i++) {
        await_turn(&arena->turn, 2 * i + side, alone);
        /* A failed reading leaves 0 there, which counts as out of order: the other side waits. */
        (void)pvclock_read_ordered_ns(ti, &arena->stamps_ns[side][i]);
        store_full_u32(&arena->turn, 2 * i + side + 1);
    }
}

static void print_skew(const struct arena *arena, unsigned count, int *failures)
{
    static double rounds_ns[EXCHANGES], offsets_ns[EXCHANGES];
    const uint64_t *mine = arena->stamps_ns[0], *other = arena->stamps_ns[1];
    unsigned fast = 0, disorder = 0;

    for (unsigned i = 0; i < count; i++) {
        rounds_ns[i] = (double)(mine[i + 1] - mine[i]);
        if (other[i] < mine[i] || mine[i + 1] < other[i])
            disorder++;
    }
    double limit_ns = verdict_quantile(rounds_ns, count, 0.1);
    for (unsigned i = 0; i < count; i++) {
        double round_ns = (double)(mine[i + 1] - mine[i]);
        if (round_ns <= limit_ns)
            offsets_ns[fast++] = (double)(int64_t)(other[i] - mine[i]) - round_ns / 2;
    }
    printf(
        "skew between two processes on one domain's clock: %u exchanges, the fastest tenth within "
        "%.0f ns\n",
        count, limit_ns);
    verdict_print(failures, "  median offset", verdict_quantile(offsets_ns, fast, 0.5), 100, "ns");
    verdict_print(failures, "  stamps out of causal order", disorder, 0, "");
}

static void measure_skew(struct tdf_source *source, bool quick, int *failures)
{
    unsigned count = quick ? EXCHANGES_QUICK : EXCHANGES;
    struct arena *arena =
        mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct tdf_clock clock;
    cpu_set_t allowed = pin_allowed();
    bool alone = CPU_COUNT(&allowed) < 2;

    if (arena == MAP_FAILED ||
        tdf_clock_init(&clock, source, &arena->info, 2, (struct tdf){1, 1}) < 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        pin_to(&allowed, alone ? 0 : 1);
        play(arena, 1, count, alone);
        _exit(0);
    }
    pin_to(&allowed, 0);
    play(arena, 0, count + 1, alone);
    waitpid(pid, NULL, 0);
    sched_setaffinity(0, sizeof(allowed), &allowed);
    print_skew(arena, count, failures);
    munmap(arena, sizeof(*arena));
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"quick", no_argument, NULL, 'q'}, {"seconds", required_argument, NULL, 's'}, {0}};

    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'q':
            options->quick = true;
            break;
        case 's':
            options->seconds = argument_u32("--seconds", optarg, 1, 86400);
            break;
        default:
            return -EINVAL;
        }
    }
    return optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct tdf_source source;
    int failures = 0;

    if (parse(argc, argv, &options) < 0) {
        fputs("usage: tdf_clock [--quick] [--seconds N]\n", stderr);
        return 2;
    }
    if (options.seconds == 0)
        options.seconds = options.quick ? 3 : 60;
    tdf_source_real(&source);
    printf("counter: %s, %.6f MHz\n",
           source.counter == PVCLOCK_COUNTER_TSC ? "TSC" : "CLOCK_MONOTONIC",
           (double)source.rate_ticks * 1e3 / (double)source.rate_ns);
    measure_cost(&source, &failures);
    measure_drift(&source, options.seconds, &failures);
    measure_skew(&source, options.quick, &failures);
    return failures != 0;
}
