/* SPDX-License-Identifier: MIT */
/*
 * tdf_stepped: Dom0's disk path on a clock that jumps from event to event. Nothing waits, and the
 * trace of all reads is the same bit for bit, whatever the TDF and however often it is run. Prints
 * each figure beside its bound; exit code 1 if one is out of bounds.
 *
 *   tdf_stepped [--quick] [--requests N]   default 1,000,000 requests a trace; 50,000 with --quick
 *
 * The modules are Dom0's own: cache, turns, tokens, the model engine, timers, the domain's clock;
 * below them is a counter moved by hand. Three domains with 1, 8 and 64 reads in flight share a
 * disk of 8 channels, and then a drive that seeks and turns; a 100 Hz timer ticks beside them. The
 * hash (FNV-1a, 64 bits) covers domain, sector, submission and completion of every read, and every
 * tick, all in the domain's nanoseconds. The first disk twice: with hits as hand-overs, and with
 * domains that read them by themselves, through the library's view of the cache.
 *
 * Why the TDF leaves no trace: the model's times are the domain's own nanoseconds, and the counter
 * is moved to the first tick at which the domain's clock shows the next of them. Down to TDF 1 a
 * tick of the 1 GHz counter is at most one of the domain's nanoseconds, so that is exact. The clock
 * is not re-anchored, which may round by a nanosecond: there is no real time here to be held to.
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/prng.h"
#include "service/block/engine/disk_model.h"
#include "service/block/queue.h"
#include "shared_reader.h"
#include "tdf/counter.h"
#include "tdf/timer.h"
#include "verdict.h"

#define NS_PER_SEC UINT64_C(1000000000)

enum {
    DOMAINS = 3,
    DEPTH_MAX = 64,
    SECTORS = 65536,
    CACHE_BYTES = SECTORS * 512 / 100,
    TICK_NS = 10000000,
    IDLE_HOUR_S = 3600,
};

static const uint32_t depths[DOMAINS] = {1, 8, DEPTH_MAX};

struct machine;

struct request {
    struct machine *machine;
    struct block_request block;
    struct block_segment segment;
    struct request *next_ready;
    uint32_t domain;
    uint64_t submitted_ns;
    uint8_t data[BLOCK_SECTOR_BYTES];
};

struct machine {
    struct tdf_source source;
    struct tdf_clock clock; /* the domains' */
    struct timers timers;
    struct timer_clock time;
    struct timer tick;
    struct disk_model_clock model_clock;
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client[DOMAINS];
    struct shared_reader reader[DOMAINS];
    bool shared; /* domains read hits by themselves */
    uint64_t shared_hits;
    struct request request[DOMAINS][DEPTH_MAX];
    struct request *ready, **ready_last;
    struct prng random;
    uint64_t answered;
    uint64_t ticks;
    uint64_t hash;
};

static void die(const char *what)
{
    fprintf(stderr, "tdf_stepped: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void *ctx)
{
    return tdf_clock_now_ns(&((struct machine *)ctx)->clock);
}

static void hash_word(struct machine *m, uint64_t word)
{
    for (int i = 0; i < 8; i++) {
        m->hash = (m->hash ^ (word & 0xff)) * UINT64_C(0x100000001b3);
        word >>= 8;
    }
}

static void on_tick(struct timer *timer, void *opaque)
{
    struct machine *m = opaque;

    m->ticks++;
    hash_word(m, timer->missed);
    hash_word(m, now_ns(m));
}

static void put_ready(struct machine *m, struct request *r)
{
    r->next_ready = NULL;
    *m->ready_last = r;
    m->ready_last = &r->next_ready;
}

static void answered(struct request *r, uint64_t sector, int status)
{
    struct machine *m = r->machine;

    m->answered++;
    hash_word(m, r->domain);
    hash_word(m, sector);
    hash_word(m, (uint64_t)status);
    hash_word(m, r->submitted_ns);
    hash_word(m, now_ns(m));
    put_ready(m, r);
}

static void on_done(struct block_request *block, int status)
{
    answered(container_of(block, struct request, block), block->sector, status);
}

static void share_cache(struct machine *m)
{
    if (cache_share(m->vdisk->cache) < 0)
        die("the cache cannot be shared");
    for (uint32_t d = 0; d < DOMAINS; d++)
        if (shared_reader_open(&m->reader[d], m->vdisk) < 0)
            die("a domain cannot read the cache");
}

static struct machine *machine_create(struct tdf tdf, const char *model, bool shared)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct why why;

    if (m == NULL)
        die("out of memory");
    m->hash = UINT64_C(0xcbf29ce484222325);
    m->ready_last = &m->ready;
    prng_init(&m->random, 1, 0);
    if (tdf_source_manual(&m->source, NS_PER_SEC, NS_PER_SEC, 0) < 0 ||
        tdf_clock_init(&m->clock, &m->source, NULL, 0, tdf) < 0)
        die("the clock cannot run at this factor");
    timers_init(&m->timers);
    timers_add_clock(&m->timers, &m->time, &m->clock);
    timer_init(&m->tick, &m->time, on_tick, m);
    if (timer_set_periodic(&m->tick, TICK_NS) < 0)
        die("the tick is too short");
    m->model_clock = (struct disk_model_clock){.now_ns = now_ns, .ctx = m};
    struct image image = {.fd = -1,
                          .size_bytes = SECTORS * UINT64_C(512),
                          .block_size_bytes = 512,
                          .memory_align_bytes = 512};
    struct device_config device = {.engine = &disk_model_ops,
                                   .model = model,
                                   .align_bytes = 512,
                                   .depth = 64,
                                   .depth_isolated = 6,
                                   .model_clock = &m->model_clock,
                                   .real_time = &m->time};
    if (device_create(&device, &m->device, &why) < 0)
        die(why.text);
    struct vdisk_config vdisk = {
        .device = m->device, .cache_bytes = CACHE_BYTES, .policy = cache_policy_find("lru")};
    if (vdisk_create(&vdisk, &image, &m->vdisk, &why) < 0)
        die(why.text);
    m->shared = shared;
    if (shared)
        share_cache(m);
    for (uint32_t d = 0; d < DOMAINS; d++) {
        block_client_open(&m->client[d], m->vdisk);
        for (uint32_t i = 0; i < depths[d]; i++) {
            m->request[d][i].machine = m;
            m->request[d][i].domain = d;
            put_ready(m, &m->request[d][i]);
        }
    }
    return m;
}

/* To the next event, without waiting; then all that happens there. */
static void step(struct machine *m)
{
    uint64_t next_ns = timers_next_deadline(&m->timers);
    uint64_t due_ns = disk_model_next_due_ns(device_engine(m->device));

    if (due_ns != UINT64_MAX) {
        due_ns = tdf_clock_to_monotonic_ns(&m->clock, due_ns);
        if (due_ns < next_ns)
            next_ns = due_ns;
    }
    tdf_source_set_ns(&m->source, next_ns);
    (void)timers_run(&m->timers);
    (void)disk_model_expire(device_engine(m->device));
}

static void machine_destroy(struct machine *m)
{
    for (uint32_t d = 0; d < DOMAINS; d++) {
        for (uint32_t i = 0; i < depths[d]; i++)
            block_cancel(&m->request[d][i].block);
        block_client_close(&m->client[d]);
        if (m->shared)
            shared_reader_close(&m->reader[d]);
    }
    while (device_in_flight(m->device) > 0)
        step(m);
    timers_drop_clock(&m->timers, &m->time);
    vdisk_destroy(m->vdisk);
    device_destroy(m->device);
    free(m);
}

static void ask(struct machine *m, struct request *r)
{
    r->segment = (struct block_segment){.address = r->data, .sector_count = 1};
    r->block = (struct block_request){.done = on_done,
                                      .sector = prng_below(&m->random, SECTORS),
                                      .sector_count = 1,
                                      .segments = &r->segment,
                                      .segment_count = 1};
    r->submitted_ns = now_ns(m);
    if (m->shared && shared_reader_hits(&m->reader[r->domain], r->block.sector, r->data)) {
        m->shared_hits++;
        answered(r, r->block.sector, 0);
        return;
    }
    block_submit(&m->client[r->domain], &r->block, r->submitted_ns);
}

/* Everybody whose read was answered reads again, at once: a closed loop without thinking time. */
static void ask_again(struct machine *m)
{
    struct request *r;

    while ((r = m->ready) != NULL) {
        m->ready = r->next_ready;
        if (m->ready == NULL)
            m->ready_last = &m->ready;
        ask(m, r);
    }
}

static double seconds(void)
{
    return (double)clock_monotonic_ns() / 1e9;
}

static uint64_t trace(struct tdf tdf, const char *model, uint64_t requests, bool shared)
{
    struct machine *m = machine_create(tdf, model, shared);
    double began = seconds();
    char name[TDF_TEXT_SIZE];

    while (m->answered < requests) {
        ask_again(m);
        (void)device_dispatch(m->device, now_ns(m));
        step(m);
    }
    tdf_format(tdf, name, sizeof(name));
    printf("TDF %-6s %10llu reads %8llu hits %10.3f s of the domain %12.3f s below it %8.3f s here"
           "  %016llx\n",
           name, (unsigned long long)m->answered,
           (unsigned long long)(m->vdisk->stats.hits + m->shared_hits),
           (double)(now_ns(m) - NS_PER_SEC) / 1e9,
           (double)(tdf_source_counter(&m->source) - NS_PER_SEC) / 1e9, seconds() - began,
           (unsigned long long)m->hash);
    if (shared && m->shared_hits == 0)
        die("no domain has read a hit by itself");
    fflush(stdout);
    uint64_t hash = m->hash;
    machine_destroy(m);
    return hash;
}

/* Nothing but the tick. Returns how long it took. */
static double idle_hour(struct tdf tdf)
{
    struct machine *m = machine_create(tdf, "", false);
    double began = seconds();

    while (now_ns(m) < (1 + IDLE_HOUR_S) * NS_PER_SEC)
        step(m);
    double took = seconds() - began;
    if (m->ticks != IDLE_HOUR_S * (NS_PER_SEC / TICK_NS) || m->tick.missed != 0)
        die("ticks were lost in an idle hour");
    machine_destroy(m);
    return took;
}

/* Returns how many traces differ from the first. */
static unsigned compare_traces(const char *model, uint64_t requests, bool shared)
{
    static const struct tdf factors[] = {{1, 1}, {10, 1}, {100, 1}, {1000, 1}, {5, 2}, {1, 1}};
    unsigned different = 0;
    uint64_t first = 0;

    printf("%s, hits %s\n", model, shared ? "read by domains" : "handed over");
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        uint64_t hash = trace(factors[i], model, requests, shared);
        if (i == 0)
            first = hash;
        different += hash != first;
    }
    return different;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"quick", no_argument, NULL, 'q'},
                                                 {"requests", required_argument, NULL, 'n'},
                                                 {NULL, 0, NULL, 0}};
    uint64_t requests = 1000000;
    int id, failures = 0;

    while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (id == 'q')
            requests = 50000;
        else if (id == 'n' && atoll(optarg) > 0)
            requests = (uint64_t)atoll(optarg);
        else
            die("usage: tdf_stepped [--quick] [--requests N]");
    }
    const char *model = "mean=200us,cv=0.25,channels=8";
    unsigned different = compare_traces(model, requests, false);
    verdict_print(&failures, "traces that differ from the first", different, 0, "");
    different = compare_traces(model, requests, true);
    verdict_print(&failures, "the same with hits read by domains", different, 0, "");
    /* A thousandth of the speed, and fewer requests are as much of the domain's time. */
    different = compare_traces("drive=hp97560", requests / 10, false);
    verdict_print(&failures, "the same of a drive that seeks and turns", different, 0, "");
    verdict_print(&failures, "an idle hour of a domain under TDF 1", idle_hour((struct tdf){1, 1}),
                  1, "s");
    verdict_print(&failures, "the same under TDF 1000", idle_hour((struct tdf){1000, 1}), 1, "s");
    return failures > 0;
}
