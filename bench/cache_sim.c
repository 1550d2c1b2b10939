/* SPDX-License-Identifier: MIT */
/*
 * cache_sim: hit ratios of Dom0's cache policies on ten loads, beside two bounds that need to know
 * the future: the best fixed set of sectors, and Belady's MIN, which gives up what is read again
 * last and does not even admit what would be given up first ("bypass").
 *
 *   cache_sim [REQUESTS [SECTORS]]     default 4000000 requests over 1024000 sectors (500 MB)
 *   cache_sim trace:FILE [SECTORS]     a trace of sectors, as sectors.PID of a client, instead
 *   cache_sim shared [REQUESTS [SECTORS]]  instead of the bounds: each policy once more, where a
 *                                      domain reads hits by itself and tells Dom0 of them later.
 *                                      Exit 1 where that makes more than one point
 *
 * The cache holds 1 % of the sectors. The first quarter of the requests warms it up and is not
 * counted. No disk, no clock: the same numbers on every machine.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "cache_loads.h"
#include "service/block/cache/cache.h"
#include "shared_reader.h"

static uint32_t measured_from(const struct sim *sim)
{
    return sim->request_count / 4;
}

static double percent_of_measured(const struct sim *sim, uint64_t hits)
{
    return 100.0 * (double)hits / (sim->request_count - measured_from(sim));
}

static int run_policy(const struct sim *sim, const struct cache_policy *policy, double *percent)
{
    static const unsigned char data[SECTOR_BYTES];
    struct cache *cache;
    uint64_t hits = 0;
    int err = cache_create((size_t)sim->capacity * SECTOR_BYTES, policy, &cache);

    if (err < 0)
        return err;
    for (uint32_t i = 0; i < sim->request_count; i++) {
        if (!cache_lookup(cache, sim->trace[i]))
            cache_insert(cache, sim->trace[i], data);
        else if (i >= measured_from(sim))
            hits++;
    }
    cache_destroy(cache);
    *percent = percent_of_measured(sim, hits);
    return 0;
}

/* Was it a hit? If not, the sector is in the cache now. */
static bool read_shared(struct shared_reader *reader, uint64_t sector)
{
    static const unsigned char data[SECTOR_BYTES];
    unsigned char seen[SECTOR_BYTES];
    struct vdisk *vdisk = reader->vdisk;

    if (shared_reader_hits(reader, sector, seen) || cache_lookup(vdisk->cache, sector) != NULL)
        return true;
    cache_claims_hear(&vdisk->claims, vdisk->cache);
    cache_insert(vdisk->cache, sector, data);
    return false;
}

static int run_shared(const struct sim *sim, const struct cache_policy *policy, double *percent)
{
    struct shared_reader reader = {0};
    struct vdisk vdisk = {0}; /* its cache and its claims, and nothing else */
    uint64_t hits = 0;
    int err = cache_create((size_t)sim->capacity * SECTOR_BYTES, policy, &vdisk.cache);

    if (err == 0)
        err = cache_share(vdisk.cache);
    if (err == 0)
        err = shared_reader_open(&reader, &vdisk);
    for (uint32_t i = 0; err == 0 && i < sim->request_count; i++)
        hits += read_shared(&reader, sim->trace[i]) && i >= measured_from(sim);
    if (err == 0)
        shared_reader_close(&reader);
    cache_destroy(vdisk.cache);
    *percent = percent_of_measured(sim, hits);
    return err;
}

static int descending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x > y ? -1 : x < y;
}

/* The sectors read most often in the measured part, held from the beginning. */
static int run_static(const struct sim *sim, double *percent)
{
    uint32_t *reads = calloc(sim->sector_count, sizeof(*reads));
    uint64_t hits = 0;

    if (!reads)
        return -ENOMEM;
    for (uint32_t i = measured_from(sim); i < sim->request_count; i++)
        reads[sim->trace[i]]++;
    qsort(reads, sim->sector_count, sizeof(*reads), descending);
    for (uint32_t i = 0; i < sim->capacity; i++)
        hits += reads[i];
    free(reads);
    *percent = percent_of_measured(sim, hits);
    return 0;
}

/* A binary heap of request numbers, the largest on top. */
struct heap {
    uint32_t *at; /* 1..count */
    uint32_t count;
};

static void heap_push(struct heap *heap, uint32_t value)
{
    uint32_t i = ++heap->count;

    for (; i > 1 && heap->at[i / 2] < value; i /= 2)
        heap->at[i] = heap->at[i / 2];
    heap->at[i] = value;
}

static void heap_pop(struct heap *heap)
{
    uint32_t value = heap->at[heap->count--], i = 1;

    for (uint32_t child = 2; child <= heap->count; child = 2 * i) {
        if (child < heap->count && heap->at[child + 1] > heap->at[child])
            child++;
        if (heap->at[child] <= value)
            break;
        heap->at[i] = heap->at[child];
        i = child;
    }
    heap->at[i] = value;
}

/* For each request the number of the next one for its sector. */
static void find_next_reads(const struct sim *sim, uint32_t *last_seen, uint32_t *next)
{
    memset(last_seen, 0xff, sim->sector_count * sizeof(*last_seen)); /* NEVER */
    for (uint32_t i = sim->request_count; i-- > 0;) {
        next[i] = last_seen[sim->trace[i]];
        last_seen[sim->trace[i]] = i;
    }
}

/*
 * The heap holds the next read of every cached sector. Once a request has come, its own number is
 * smaller than any that is still to come, so what a hit leaves behind in the heap sinks and needs
 * no removal. A sector that is never read again takes no place.
 */
static uint64_t count_min_hits(const struct sim *sim, const uint32_t *next, unsigned char *cached,
                               struct heap *heap)
{
    uint32_t used = 0;
    uint64_t hits = 0;

    for (uint32_t i = 0; i < sim->request_count; i++) {
        uint32_t sector = sim->trace[i];

        if (cached[sector]) {
            hits += i >= measured_from(sim);
            cached[sector] = next[i] != NEVER;
            used -= next[i] == NEVER;
        } else if (next[i] == NEVER) {
            continue;
        } else if (used < sim->capacity) {
            cached[sector] = 1;
            used++;
        } else if (heap->at[1] > next[i]) {
            cached[sim->trace[heap->at[1]]] = 0;
            heap_pop(heap);
            cached[sector] = 1;
        }
        if (cached[sector])
            heap_push(heap, next[i]);
    }
    return hits;
}

static int run_min(const struct sim *sim, double *percent)
{
    uint32_t *last_seen = calloc(sim->sector_count, sizeof(*last_seen));
    uint32_t *next = calloc(sim->request_count, sizeof(*next));
    unsigned char *cached = calloc(sim->sector_count, 1);
    struct heap heap = {.at = calloc((size_t)sim->request_count + 1, sizeof(*heap.at))};
    int err = -ENOMEM;

    if (last_seen && next && cached && heap.at) {
        find_next_reads(sim, last_seen, next);
        *percent = percent_of_measured(sim, count_min_hits(sim, next, cached, &heap));
        err = 0;
    }
    free(heap.at);
    free(cached);
    free(next);
    free(last_seen);
    return err;
}

static uint32_t list_policies(const struct cache_policy *policies[POLICIES_MAX])
{
    uint32_t count = 0;

    while (count < POLICIES_MAX && (policies[count] = cache_policy_at(count)) != NULL)
        count++;
    return count;
}

static int print_shared(struct sim *sim, const struct cache_policy *policy, double exact)
{
    double percent;
    int err = run_shared(sim, policy, &percent);

    if (err < 0)
        return err;
    printf(" %6.2f |", percent);
    sim->furthest = fmax(sim->furthest, fabs(percent - exact));
    return 0;
}

static int run_load(struct sim *sim, const struct load *load, uint64_t stream,
                    const struct cache_policy *const *policies, uint32_t policy_count)
{
    double percent;
    int err = 0;

    prng_init(&sim->prng, 1, stream);
    load->fill(sim, load->parameter);
    printf("| %-35s |", load->name);
    for (uint32_t i = 0; i < policy_count && err == 0; i++) {
        err = run_policy(sim, policies[i], &percent);
        if (err == 0)
            printf(" %6.2f |", percent);
        if (err == 0 && sim->shared)
            err = print_shared(sim, policies[i], percent);
        fflush(stdout);
    }
    if (sim->shared) {
        printf("\n");
        return err;
    }
    if (err == 0)
        err = run_static(sim, &percent);
    if (err == 0)
        printf(" %6.2f |", percent);
    if (err == 0)
        err = run_min(sim, &percent);
    if (err == 0)
        printf(" %6.2f |\n", percent);
    return err;
}

/* The trace gives the number of requests and, where SECTORS does not say it, that of sectors. */
static int load_recorded(struct sim *sim, const char *path, const char *sectors)
{
    struct why why;

    if (sector_trace_load(&sim->recorded, path, &why) < 0) {
        fprintf(stderr, "cache_sim: %s\n", why.text);
        return -EINVAL;
    }
    uint64_t least = sim->recorded.last + 1 > 1000 ? sim->recorded.last + 1 : 1000;
    if (sim->recorded.count > 1000000000 || least > 1000000000) {
        fprintf(stderr, "cache_sim: %s: at most 10^9 requests and sectors\n", path);
        return -EINVAL;
    }
    sim->request_count = (uint32_t)sim->recorded.count;
    sim->sector_count = (uint32_t)least;
    if (sectors != NULL)
        sim->sector_count = argument_u32("SECTORS", sectors, (uint32_t)least, 1000000000);
    return 0;
}

static void print_head(const struct sim *sim, const struct cache_policy *const *policies,
                       uint32_t policy_count)
{
    printf("Hit ratio in %%, %" PRIu32 " of %" PRIu32 " sectors, %" PRIu32
           " requests, a quarter of them warm-up\n\n| %-35s |",
           sim->capacity, sim->sector_count, sim->request_count, "load");
    for (uint32_t i = 0; i < policy_count; i++)
        printf(sim->shared ? " %6s | shared |" : " %6s |", policies[i]->name);
    if (!sim->shared)
        printf(" static |    MIN |");
    printf("\n|-------------------------------------|");
    for (uint32_t i = 0; i < (sim->shared ? 2 * policy_count : policy_count + 2); i++)
        printf("--------|");
    printf("\n");
}

static int run_all(struct sim *sim, const struct cache_policy *const *policies,
                   uint32_t policy_count)
{
    static const struct load recorded = {"the trace", fill_recorded, 0};
    int err = 0;

    if (sim->recorded.count > 0)
        return run_load(sim, &recorded, 0, policies, policy_count);
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]) && err == 0; i++)
        err = run_load(sim, &loads[i], i, policies, policy_count);
    return err;
}

int main(int argc, char **argv)
{
    const struct cache_policy *policies[POLICIES_MAX];
    uint32_t policy_count = list_policies(policies);
    struct sim sim = {.sector_count = 1024000, .request_count = 4000000};
    int err = 0;

    sim.shared = argc > 1 && strcmp(argv[1], "shared") == 0;
    if (sim.shared) {
        argc--;
        argv++;
    }
    if (argc > 3) {
        fprintf(stderr, "usage: cache_sim [shared] [REQUESTS (100..10^9) | trace:FILE [SECTORS "
                        "(1000..10^9)]]\n");
        return 2;
    }
    if (argc > 1 && strncmp(argv[1], "trace:", 6) == 0) {
        if (load_recorded(&sim, argv[1] + 6, argc > 2 ? argv[2] : NULL) < 0)
            return 2;
    } else if (argc > 1) {
        sim.request_count = argument_u32("REQUESTS", argv[1], 100, 1000000000);
        if (argc > 2)
            sim.sector_count = argument_u32("SECTORS", argv[2], 1000, 1000000000);
    }
    sim.capacity = sim.sector_count / 100;
    sim.trace = calloc(sim.request_count, sizeof(*sim.trace));
    if (sim.trace == NULL)
        err = -ENOMEM;
    if (err == 0) {
        print_head(&sim, policies, policy_count);
        err = run_all(&sim, policies, policy_count);
    }
    free(sim.trace);
    sector_trace_free(&sim.recorded);
    if (err < 0)
        fprintf(stderr, "cache_sim: %s; try fewer REQUESTS or SECTORS\n", strerror(-err));
    else if (sim.shared)
        printf("\nfurthest apart: %.2f points\n", sim.furthest);
    return err < 0 || sim.furthest > 1;
}
