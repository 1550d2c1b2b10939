/* SPDX-License-Identifier: MIT */
/*
 * tdf_experiment: is a disk of latency L k under TDF k the same as one of latency L undilated, to
 * those who live in the dilated domain? Prints each figure beside its bound; exit code 1 if one is
 * out of bounds. bench/tdf/run.sh starts the services and this program.
 *
 *   tdf_experiment [--repetitions N] [--samples N] [--csv FILE]
 *
 * Arms: each a domain of its own, at a service of its own with the model disk. All are read in
 * turn, in blocks of 50 reads, so that what disturbs the machine meets all of them:
 *
 *   one        TDF 1   latency L          k2, k10, k100   TDF k   latency L k
 *   other      TDF 1   latency L          the control A/A: the same law, other random numbers
 *   wrong      TDF 10  latency 10.2 L     negative control: must be told from "one"
 *   unstamped  TDF 10  latency 10 L       negative control: completions as they are noticed here
 *
 * Closed loop at depths 1, 8 and 64; a read that is answered is followed by another at once. Reads
 * in flight stay there while other arms have their turn: their latency is stamped (docs/time.md).
 * Sectors are 8 apart and never the same twice in flight, so that no read shares another's.
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <string.h>

#include "arguments.h"
#include "base/prng.h"
#include "distance.h"
#include "splitdom/blkfront.h"
#include "verdict.h"

enum { ARMS = 7, DEPTHS = 3, BLOCK = 50, DEPTH_MAX = 64, STRIDE = 8, RESAMPLES = 400 };
enum { ONE, OTHER, K2, K10, K100, WRONG, UNSTAMPED };

struct arm {
    const char *name; /* of the arm and its service */
    uint32_t tdf;
    bool unstamped;
    struct blkfront *bf;
    uint64_t sectors, next_sector;
    uint32_t in_flight;
    unsigned char buffer[DEPTH_MAX][512];
    bool buffer_used[DEPTH_MAX];
    double *pool; /* latencies of all repetitions and depths */
    size_t pooled;
    size_t first_of_depth[DEPTHS + 1]; /* within a repetition */
    double busy_ns, reads;             /* for the rate: sum over blocks of the domain's time */
};

static struct arm arms[ARMS] = {
    [ONE] = {.name = "one", .tdf = 1},
    [OTHER] = {.name = "other", .tdf = 1},
    [K2] = {.name = "k2", .tdf = 2},
    [K10] = {.name = "k10", .tdf = 10},
    [K100] = {.name = "k100", .tdf = 100},
    [WRONG] = {.name = "wrong", .tdf = 10},
    [UNSTAMPED] = {.name = "unstamped", .tdf = 10, .unstamped = true},
};
static const uint32_t depths[DEPTHS] = {1, 8, DEPTH_MAX};
/* More reads where they cost less time: the pooled sample needs many for its p99. */
static const uint32_t reads_of_depth[DEPTHS] = {1, 2, 3};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "tdf_experiment: %s: %s\n", what, why);
    exit(2);
}

static void arm_open(struct arm *arm)
{
    struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                       .name = arm->name,
                                       .depth = DEPTH_MAX,
                                       .sectors_per_request = 1,
                                       .real_completion = arm->unstamped,
                                       .tdf_num = arm->tdf,
                                       .tdf_den = 1};
    struct blkfront_error why;
    struct blkfront_geometry geometry;
    if (blkfront_connect(&options, &arm->bf, &why) < 0)
        die(arm->name, why.text);
    blkfront_geometry(arm->bf, &geometry);
    arm->sectors = geometry.last_sector + 1;
}

static void submit_one(struct arm *arm)
{
    uint32_t slot = 0;
    while (arm->buffer_used[slot])
        slot++;
    arm->buffer_used[slot] = true;
    int rc =
        blkfront_submit(arm->bf, arm->next_sector, 1, arm->buffer[slot], &arm->buffer_used[slot]);
    if (rc < 0)
        die(arm->name, strerror(-rc));
    arm->next_sector = (arm->next_sector + STRIDE) % arm->sectors;
    arm->in_flight++;
}

/* At least one read comes home, at most `most`. Returns how many. */
static uint32_t reap(struct arm *arm, uint32_t most, double *latency_ns)
{
    struct blkfront_completion done[DEPTH_MAX];
    int count = blkfront_reap(arm->bf, done, most < DEPTH_MAX ? most : DEPTH_MAX, 1);
    if (count < 1)
        die(arm->name, blkfront_failure(arm->bf));
    for (int i = 0; i < count; i++) {
        if (done[i].status != 0)
            die(arm->name, "a read failed");
        *(bool *)done[i].cookie = false;
        latency_ns[i] = (double)(done[i].completed_ns - done[i].submitted_ns);
    }
    arm->in_flight -= (uint32_t)count;
    return (uint32_t)count;
}

static void drain(struct arm *arm)
{
    double ignored[DEPTH_MAX];
    while (arm->in_flight > 0)
        (void)reap(arm, DEPTH_MAX, ignored);
}

static void block(struct arm *arm, uint32_t depth, uint32_t count, double *out)
{
    uint64_t began_ns = blkfront_now_ns(arm->bf);
    for (uint32_t i = 0; i < count;) {
        while (arm->in_flight < depth)
            submit_one(arm);
        i += reap(arm, count - i, out + i);
    }
    arm->busy_ns += (double)(blkfront_now_ns(arm->bf) - began_ns);
    arm->reads += count;
    /* What is noticed late because others have their turn would count against this arm. */
    if (arm->unstamped)
        drain(arm);
}

/* One repetition: appends to every arm's pool. Its parts of each depth start at first_of_depth. */
static void repetition(uint32_t samples)
{
    for (uint32_t d = 0; d < DEPTHS; d++) {
        uint32_t count = samples * reads_of_depth[d];
        for (uint32_t a = 0; a < ARMS; a++)
            arms[a].first_of_depth[d] = arms[a].pooled;
        for (uint32_t done = 0; done < count; done += BLOCK) {
            uint32_t now = count - done < BLOCK ? count - done : BLOCK;
            for (uint32_t a = 0; a < ARMS; a++) {
                block(&arms[a], depths[d], now, arms[a].pool + arms[a].pooled);
                arms[a].pooled += now;
            }
        }
        for (uint32_t a = 0; a < ARMS; a++) {
            drain(&arms[a]);
            arms[a].first_of_depth[d + 1] = arms[a].pooled;
        }
    }
}

/* p of KS between the last repetition's reads of two arms at one depth; sorts copies. */
static double last_p(const struct arm *a, const struct arm *b, uint32_t d, double *room)
{
    size_t from = a->first_of_depth[d], n = a->first_of_depth[d + 1] - from;
    double *x = room, *y = room + n;
    memcpy(x, a->pool + from, n * sizeof(*x));
    memcpy(y, b->pool + from, n * sizeof(*y));
    distance_sort(x, n);
    distance_sort(y, n);
    return distance_ks_two_p(x, n, y, n);
}

/* Share of resamples, of n reads of each pool, that KS rejects at 5 %. */
static double power(const struct arm *a, const struct arm *b, size_t n, double *room)
{
    struct prng random;
    uint32_t rejected = 0;
    prng_init(&random, 1, 0);
    for (uint32_t r = 0; r < RESAMPLES; r++) {
        for (size_t i = 0; i < n; i++) {
            room[i] = a->pool[prng_below(&random, a->pooled)];
            room[n + i] = b->pool[prng_below(&random, b->pooled)];
        }
        distance_sort(room, n);
        distance_sort(room + n, n);
        rejected += distance_ks_two_p(room, n, room + n, n) < 0.05;
    }
    return (double)rejected / RESAMPLES;
}

/* Negative controls must be told apart: 1 - power is what must be small. */
static void judge_negative(int *failures, const struct arm *arm, size_t n, double *room)
{
    char what[96];
    snprintf(what, sizeof(what), "%s: 1 - power of KS at 5 %%, %zu reads an arm", arm->name, n);
    verdict_print(failures, what, 1 - power(&arms[ONE], arm, n, room), 0.01, "");
}

static void judge_pooled(int *failures, struct arm *arm)
{
    static const double quantiles[] = {0.5, 0.95, 0.99};
    struct arm *one = &arms[ONE];
    size_t n = one->pooled;
    char what[96];
    snprintf(what, sizeof(what), "%s: W1 over the mean, pooled", arm->name);
    verdict_print(failures, what, 100 * distance_w1(one->pool, arm->pool, n), 0.5, "%");
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        double q = quantiles[i];
        snprintf(what, sizeof(what), "%s: p%g equivalent within (TOST, 5 %%), ratio %.5f",
                 arm->name, 100 * q,
                 distance_quantile(arm->pool, n, q) / distance_quantile(one->pool, n, q));
        verdict_print(failures, what, 100 * distance_tost(one->pool, n, arm->pool, n, q), 1, "%");
    }
}

/* Are the p-values uniform, and are they as those of A/A? p of either. 1 % of true ones fail. */
static void judge_p_values(int *failures, const char *name, double *p, size_t n, const double *aa)
{
    char what[96];
    double uniform = distance_ks_uniform_p(p, n),
           same = aa == p ? 1 : distance_ks_two_p(p, n, aa, n);
    snprintf(what, sizeof(what), "%s: 1 - p of: the %zu p-values are uniform", name, n);
    verdict_print(failures, what, 1 - uniform, 0.99, "");
    if (aa == p)
        return;
    snprintf(what, sizeof(what), "%s: 1 - p of: they are as those of A/A", name);
    verdict_print(failures, what, 1 - same, 0.99, "");
}

/* Distributions, by quantiles, and p-values, by rank: for the plots. */
static void write_csv(const char *path, const double *p, size_t count)
{
    enum { POINTS = 500 };
    FILE *out = fopen(path, "w");
    if (out == NULL)
        die(path, strerror(errno));
    fprintf(out, "what,arm,share,value\n");
    for (uint32_t a = 0; a < ARMS; a++) {
        for (uint32_t i = 0; i <= POINTS; i++) {
            double q = (double)i / POINTS;
            fprintf(out, "latency_ns,%s,%.4f,%.1f\n", arms[a].name, q,
                    distance_quantile(arms[a].pool, arms[a].pooled, q));
        }
    }
    for (uint32_t a = OTHER; a <= K100; a++) {
        for (size_t i = 0; i < count; i++)
            fprintf(out, "p,%s,%.4f,%.6f\n", arms[a].name, ((double)i + 0.5) / (double)count,
                    p[a * count + i]);
    }
    if (fclose(out) != 0)
        die(path, strerror(errno));
}

static void rates(void)
{
    printf("reads per second of the domain's time, between the first and the last of a block:\n");
    for (uint32_t a = 0; a < ARMS; a++) {
        double rate = arms[a].reads / arms[a].busy_ns, one = arms[ONE].reads / arms[ONE].busy_ns;
        printf("  %-10s TDF %-4u mean latency %9.1f ns  rate %10.0f  over \"one\" %.3f\n",
               arms[a].name, arms[a].tdf, distance_mean(arms[a].pool, arms[a].pooled), 1e9 * rate,
               rate / one);
    }
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"repetitions", required_argument, NULL, 'r'},
                                                 {"samples", required_argument, NULL, 'n'},
                                                 {"csv", required_argument, NULL, 'c'},
                                                 {NULL, 0, NULL, 0}};
    uint32_t repetitions = 20, samples = 3000, per_repetition = 0;
    const char *csv = NULL;
    int id, failures = 0;

    while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (id == 'r')
            repetitions = argument_u32("--repetitions", optarg, 1, INT32_MAX);
        else if (id == 'n')
            samples = argument_u32("--samples", optarg, 1, INT32_MAX);
        else if (id == 'c')
            csv = optarg;
        else
            die("usage", "tdf_experiment [--repetitions N] [--samples N] [--csv FILE]");
    }
    for (uint32_t d = 0; d < DEPTHS; d++)
        per_repetition += samples * reads_of_depth[d];
    size_t total = (size_t)per_repetition * repetitions;
    double *room = malloc(2 * total * sizeof(*room));
    double *p = calloc((size_t)(K100 + 1) * DEPTHS * repetitions, sizeof(*p));
    for (uint32_t a = 0; a < ARMS; a++) {
        arm_open(&arms[a]);
        arms[a].pool = malloc(total * sizeof(double));
        if (arms[a].pool == NULL || room == NULL || p == NULL)
            die("memory", strerror(ENOMEM));
    }

    size_t count = (size_t)DEPTHS * repetitions;
    for (uint32_t r = 0; r < repetitions; r++) {
        repetition(samples);
        for (uint32_t a = OTHER; a <= K100; a++) {
            for (uint32_t d = 0; d < DEPTHS; d++)
                p[a * count + r * DEPTHS + d] = last_p(&arms[ONE], &arms[a], d, room);
        }
        fprintf(stderr, "\rrepetition %u of %u", r + 1, repetitions);
    }
    fprintf(stderr, "\n");

    printf("%u repetitions, %zu reads an arm; law of the model: lognormal, cv 0.25\n", repetitions,
           total);
    size_t drawn = total < 60000 ? total : 60000;
    judge_negative(&failures, &arms[WRONG], drawn, room);
    judge_negative(&failures, &arms[UNSTAMPED], drawn, room);
    for (uint32_t a = 0; a < ARMS; a++)
        distance_sort(arms[a].pool, arms[a].pooled);
    for (uint32_t a = OTHER; a <= K100; a++)
        distance_sort(p + a * count, count);
    for (uint32_t a = OTHER; a <= K100; a++) {
        judge_p_values(&failures, arms[a].name, p + a * count, count, p + OTHER * count);
        judge_pooled(&failures, &arms[a]);
    }
    rates();
    if (csv != NULL)
        write_csv(csv, p, count);
    for (uint32_t a = 0; a < ARMS; a++) {
        drain(&arms[a]);
        blkfront_close(arms[a].bf);
        free(arms[a].pool);
    }
    free(room);
    free(p);
    return failures > 0;
}
