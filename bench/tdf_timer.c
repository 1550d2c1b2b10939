/* SPDX-License-Identifier: MIT */
/*
 * tdf_timer: how timers follow virtual time. Prints each figure beside its bound; exit code 1 if
 * one is out of bounds.
 *
 *   tdf_timer [--quick] [--ticks N] [--repeat N]   default 1000 ticks, 3 times, 200 changes of
 * rate; 300, once, 50 with --quick
 *
 *   HZ        row 3 of Table 1 of Gupta et al., NSDI'06: N ticks of a 1,000 Hz timer of a domain
 * under TDF k take N * k real milliseconds; all domains share one loop and one timerfd reaction  a
 * loop sleeps on the timers of a clock when another process asks for another rate through a pipe:
 * how late a timer fires that the change has made due, and how soon a reader of the clock in that
 * process sees time move. A timer set without any change is the control: that lateness is the
 * machine's
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "base/clock.h"
#include "pin.h"
#include "ring/barrier.h"
#include "tdf/counter.h"
#include "tdf/pvclock.h"
#include "tdf/timer.h"
#include "verdict.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)

enum { HZ = 1000, CHANGES = 200, REPEAT_MAX = 100 };

struct options {
    unsigned ticks, repeat, changes;
};

static void die(const char *what)
{
    fprintf(stderr, "tdf_timer: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* An event loop as Dom0 has it: sleeps on one timerfd and one other descriptor (-1: none). */
struct loop {
    struct timers timers;
    int timerfd;
    int other;
};

static void loop_init(struct loop *loop, int other)
{
    timers_init(&loop->timers);
    loop->other = other;
    loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->timerfd < 0)
        die("timerfd_create");
}

/* Sleeps, then runs what is due. True when the other descriptor is readable. */
static bool loop_turn(struct loop *loop)
{
    struct pollfd fds[] = {{.fd = loop->timerfd, .events = POLLIN},
                           {.fd = loop->other, .events = POLLIN}};
    uint64_t expirations;

    if (timers_arm(&loop->timers, loop->timerfd) < 0)
        die("timerfd_settime");
    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        die("poll");
    if (read(loop->timerfd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
        die("read of the timerfd");
    timers_run(&loop->timers);
    return fds[1].revents & POLLIN;
}

/* HZ */

static const struct tdf hz_factors[] = {{1, 2}, {1, 1}, {2, 1}, {10, 1}};
enum { NR_HZ = sizeof(hz_factors) / sizeof(hz_factors[0]) };

struct ticker {
    struct tdf_clock clock;
    struct timer_clock member;
    struct timer timer;
    unsigned left, *running;
    uint64_t ticks;
    uint64_t end_ns;
};

static void on_tick(struct timer *timer, void *opaque)
{
    struct ticker *ticker = opaque;

    /* A tick that the machine slept through is not replayed, but it was one. */
    ticker->ticks++;
    if (ticker->ticks + timer->missed < ticker->left)
        return;
    ticker->end_ns = clock_monotonic_ns();
    ticker->left = (unsigned)(ticker->ticks + timer->missed);
    timer_stop(timer);
    --*ticker->running;
}

static void run_tickers(struct tdf_source *source, unsigned ticks, double *error)
{
    static struct ticker tickers[NR_HZ];
    uint64_t start_ns[NR_HZ];
    unsigned running = NR_HZ;
    struct loop loop;

    loop_init(&loop, -1);
    for (int i = 0; i < NR_HZ; i++) {
        struct ticker *ticker = &tickers[i];
        *ticker = (struct ticker){.left = ticks, .running = &running};
        if (tdf_clock_init(&ticker->clock, source, NULL, 0, hz_factors[i]) < 0)
            abort();
        timers_add_clock(&loop.timers, &ticker->member, &ticker->clock);
        timer_init(&ticker->timer, &ticker->member, on_tick, ticker);
        start_ns[i] = clock_monotonic_ns();
        if (timer_set_periodic(&ticker->timer, NS_PER_SEC / HZ) < 0)
            abort();
    }
    uint64_t anchored_ns = start_ns[0];
    while (running > 0) {
        loop_turn(&loop);
        if (clock_monotonic_ns() - anchored_ns < TDF_REANCHOR_NS)
            continue;
        anchored_ns = clock_monotonic_ns();
        for (int i = 0; i < NR_HZ; i++)
            tdf_clock_reanchor(&tickers[i].clock);
    }
    for (int i = 0; i < NR_HZ; i++) {
        double expected_ns =
            (double)tdf_real_ns(hz_factors[i], tickers[i].left * (NS_PER_SEC / HZ));
        error[i] = ((double)(tickers[i].end_ns - start_ns[i]) / expected_ns - 1) * 100;
    }
    close(loop.timerfd);
}

static void measure_hz(struct tdf_source *source, const struct options *options, int *failures)
{
    double run[NR_HZ], error[NR_HZ][REPEAT_MAX];

    for (unsigned r = 0; r < options->repeat; r++) {
        run_tickers(source, options->ticks, run);
        for (int i = 0; i < NR_HZ; i++)
            error[i][r] = run[i];
    }
    printf("HZ: %u ticks of %d Hz, median of %u (Table 1, row 3)\n", options->ticks, HZ,
           options->repeat);
    for (int i = 0; i < NR_HZ; i++) {
        char text[TDF_TEXT_SIZE], line[80];
        tdf_format(hz_factors[i], text, sizeof(text));
        snprintf(line, sizeof(line), "  TDF %-4s expected %7.3f real s, longer by", text,
                 (double)tdf_real_ns(hz_factors[i], options->ticks * NS_PER_MS) / 1e9);
        verdict_print(failures, line, verdict_quantile(error[i], options->repeat, 0.5), 0.1, "%");
    }
}

/* Reaction */

enum { REACTION_MS = 2 };

struct arena {
    struct shared_info info;
    uint64_t asked_ns;  /* when the other process was about to ask */
    uint64_t moved_ns;  /* when it saw time move */
    uint32_t rounds;    /* how many of these it has done */
    uint32_t may_start; /* rounds that it may do */
};

static void read_or_end(const struct vcpu_time_info *ti, uint64_t *now_ns)
{
    int rc = pvclock_read_ns(ti, now_ns);

    if (rc == 0)
        return;
    fprintf(stderr, "tdf_timer: reading the clock: %s\n", strerror(-rc));
    kill(getppid(), SIGTERM); /* it would wait for ever */
    _exit(1);
}

/* The other process: asks for time to run, and watches it start to. */
static void ask(struct arena *arena, int doorbell, unsigned count, bool alone)
{
    const uint64_t one = 1;
    const struct vcpu_time_info *ti = &arena->info.vcpu_info[0].time;

    for (unsigned i = 0; i < count; i++) {
        uint64_t stood_ns, now_ns;
        while (load_acquire_u32(&arena->may_start) <= i) {
            struct timespec shortly = {.tv_nsec = 100000};
            nanosleep(&shortly, NULL);
        }
        read_or_end(ti, &stood_ns);
        store_release_u64(&arena->asked_ns, clock_monotonic_ns());
        if (write(doorbell, &one, sizeof(one)) != sizeof(one))
            abort(); /* an eventfd takes 2^64 - 2 of these */
        do {
            read_or_end(ti, &now_ns);
            if (alone)
                sched_yield();
        } while (now_ns == stood_ns);
        store_release_u64(&arena->moved_ns, clock_monotonic_ns());
        store_release_u32(&arena->rounds, i + 1);
    }
    _exit(0);
}

struct reaction {
    struct loop loop;
    struct tdf_clock clock;
    struct timer_clock member;
    struct timer timer;
    uint64_t fired_ns; /* 0: not yet */
};

static void on_reaction(struct timer *timer, void *opaque)
{
    struct reaction *reaction = opaque;

    (void)timer;
    reaction->fired_ns = clock_monotonic_ns();
}

static double late_ms(uint64_t happened_ns, uint64_t expected_ns)
{
    return (double)(int64_t)(happened_ns - expected_ns) / 1e6;
}

/* A timer of 2 virtual ms, with no change of rate. */
static double control_round(struct reaction *reaction)
{
    reaction->fired_ns = 0;
    uint64_t start_ns = clock_monotonic_ns();
    timer_set(&reaction->timer, tdf_clock_now_ns(&reaction->clock) + REACTION_MS * NS_PER_MS);
    while (reaction->fired_ns == 0)
        loop_turn(&reaction->loop);
    return late_ms(reaction->fired_ns, start_ns + REACTION_MS * NS_PER_MS);
}

/* The same on a paused clock, which somebody else starts while the loop sleeps without a deadline.
 */
static void change_round(struct reaction *reaction, struct arena *arena, unsigned round,
                         double *timer_ms, double *reader_ms)
{
    uint64_t rings;

    (void)tdf_clock_set_tdf(&reaction->clock, (struct tdf){0, 1});
    reaction->fired_ns = 0;
    timer_set(&reaction->timer, tdf_clock_now_ns(&reaction->clock) + REACTION_MS * NS_PER_MS);
    store_release_u32(&arena->may_start, round + 1);
    while (reaction->fired_ns == 0) {
        if (!loop_turn(&reaction->loop))
            continue;
        if (read(reaction->loop.other, &rings, sizeof(rings)) < 0)
            die("read of the eventfd");
        (void)tdf_clock_set_tdf(&reaction->clock, (struct tdf){1, 1});
    }
    while (load_acquire_u32(&arena->rounds) <= round)
        cpu_relax();
    uint64_t asked_ns = load_acquire_u64(&arena->asked_ns);
    *timer_ms = late_ms(reaction->fired_ns, asked_ns + REACTION_MS * NS_PER_MS);
    *reader_ms = late_ms(load_acquire_u64(&arena->moved_ns), asked_ns);
}

static void print_reaction(const char *what, double *late, unsigned count, int *failures)
{
    char line[80];
    double median = verdict_quantile(late, count, 0.5), most = verdict_quantile(late, count, 1);
    double p95 = verdict_quantile(late, count, 0.95);

    snprintf(line, sizeof(line), "  %s: median %.3f, most %.3f, p95", what, median, most);
    verdict_print(failures, line, p95, 1, "ms");
}

static void measure_reaction(struct tdf_source *source, unsigned changes, int *failures)
{
    static double control[CHANGES], timer[CHANGES], reader[CHANGES];
    struct reaction reaction = {0};
    struct arena *arena =
        mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int doorbell = eventfd(0, EFD_CLOEXEC);
    cpu_set_t allowed = pin_allowed();
    bool alone = CPU_COUNT(&allowed) < 2;

    if (arena == MAP_FAILED || doorbell < 0)
        die("mmap or eventfd");
    if (tdf_clock_init(&reaction.clock, source, &arena->info, 1, (struct tdf){1, 1}) < 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin_to(&allowed, alone ? 0 : 1);
        ask(arena, doorbell, changes, alone);
    }
    pin_to(&allowed, 0);
    loop_init(&reaction.loop, doorbell);
    timers_add_clock(&reaction.loop.timers, &reaction.member, &reaction.clock);
    timer_init(&reaction.timer, &reaction.member, on_reaction, &reaction);
    for (unsigned i = 0; i < changes; i++) {
        control[i] = control_round(&reaction);
        change_round(&reaction, arena, i, &timer[i], &reader[i]);
    }
    waitpid(pid, NULL, 0);
    sched_setaffinity(0, sizeof(allowed), &allowed);
    printf("reaction to %u changes of rate at run time\n", changes);
    print_reaction("control, no change", control, changes, failures);
    print_reaction("sleeping timer", timer, changes, failures);
    print_reaction("waiting reader", reader, changes, failures);
    munmap(arena, sizeof(*arena));
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"quick", no_argument, NULL, 'q'},
                                          {"ticks", required_argument, NULL, 't'},
                                          {"repeat", required_argument, NULL, 'r'},
                                          {0}};
    struct options options = {.ticks = 1000, .repeat = 3, .changes = CHANGES};
    struct tdf_source source;
    bool right = true;
    int failures = 0;

    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'q')
            options = (struct options){.ticks = 300, .repeat = 1, .changes = 50};
        else if (c == 't')
            options.ticks = argument_u32("--ticks", optarg, 1, 1000000);
        else if (c == 'r')
            options.repeat = argument_u32("--repeat", optarg, 1, REPEAT_MAX);
        else
            right = false;
    }
    if (!right || optind != argc) {
        fputs("usage: tdf_timer [--quick] [--ticks N] [--repeat N]\n", stderr);
        return 2;
    }
    tdf_source_real(&source);
    measure_hz(&source, &options, &failures);
    measure_reaction(&source, options.changes, &failures);
    return failures != 0;
}
