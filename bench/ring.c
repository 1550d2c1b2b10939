/* SPDX-License-Identifier: MIT */
/*
 * ring: the shared ring alone, without disk, cache, store or domains: a front end and a back end as
 * two threads, each of which fills or answers a batch of slots, shows them, and looks for the other
 * side's.
 *
 *   ring [--batch N] [--mode spin|holdoff|always] [--page-order O] [--polls N] [--cpus A,B|none]
 *        [--seconds S]
 *
 *   spin      neither side ever sleeps: the limit of the ring itself
 *   holdoff   a side that finds nothing for --polls looks arms its event index, looks once more and
 *             sleeps; the other side notifies it only when the index says so (as in the product)
 *   always    the same, but every push notifies: what the hold-off saves
 *
 * Prints: requests=N per_second=X ns_per_request=Y notifications_per_request=Z sleeps_per_request=W
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "base/clock.h"
#include "placement.h"
#include "ring/blkif_back_ring.h"
#include "ring/blkif_front_ring.h"
#include "ring/futex.h"

enum { LINE_BYTES = 128 };

enum mode { MODE_SPIN, MODE_HOLDOFF, MODE_ALWAYS, MODE_COUNT };
static const char *const mode_names[MODE_COUNT] = {"spin", "holdoff", "always"};

struct setup {
    enum mode mode;
    uint32_t batch;
    uint32_t page_order;
    uint32_t polls;
    double seconds;
    struct placement placement;
};

/* What wakes one side: the other one counts it up and wakes the futex. */
struct bell {
    _Alignas(LINE_BYTES) uint32_t count;
    /* the sleeper's own */
    _Alignas(LINE_BYTES) uint32_t seen;
    uint64_t sleeps;
};

struct bench {
    struct setup setup;
    struct sring *sring;
    uint32_t nr_ents;
    struct bell front_bell, back_bell;
    _Alignas(LINE_BYTES) uint32_t stop;
    /* the front end's */
    _Alignas(LINE_BYTES) uint64_t answered;
    uint64_t kicks;
    uint64_t elapsed_ns;
    /* the back end's */
    _Alignas(LINE_BYTES) uint64_t events;
};

static void ring_bell(struct bell *bell)
{
    store_full_u32(&bell->count, load_relaxed_u32(&bell->count) + 1);
    futex_wake(&bell->count, 1, FUTEX_SCOPE_PRIVATE);
}

/* Both only while the side is known to have nothing to do. */
static void sleep_at(struct bell *bell)
{
    bell->sleeps++;
    while (load_full_u32(&bell->count) == bell->seen)
        futex_wait(&bell->count, bell->seen, -1, FUTEX_SCOPE_PRIVATE);
}

static bool notifies(const struct bench *b, bool asked)
{
    return b->setup.mode == MODE_ALWAYS || (b->setup.mode == MODE_HOLDOFF && asked);
}

/* Returns the number of answers taken. */
static uint32_t take_answers(struct blkif_front_ring *ring)
{
    struct blkif_response rsp;
    uint32_t taken = 0;
    int rc;

    while ((rc = blkif_take_response(ring, &rsp)) == 1)
        taken++;
    if (rc < 0)
        errx(1, "the ring is broken");
    return taken;
}

static bool send_batch(struct bench *b, struct blkif_front_ring *ring, uint64_t *id)
{
    struct blkif_request req = {.operation = BLKIF_OP_READ, .nr_segments = 1};

    if (front_ring_free(&ring->half) < b->setup.batch)
        return false;
    for (uint32_t i = 0; i < b->setup.batch; i++) {
        req.id = (*id)++;
        req.sector_number = req.id;
        blkif_put_request(ring, &req);
    }
    if (notifies(b, front_ring_push(&ring->half))) {
        b->kicks++;
        ring_bell(&b->back_bell);
    }
    return true;
}

static void run_front(struct bench *b)
{
    const uint64_t limit_ns = (uint64_t)(b->setup.seconds * 1e9);
    const uint64_t started_ns = clock_monotonic_ns();
    struct blkif_front_ring ring;
    uint64_t id = 0;
    uint32_t idle = 0, turns = 0;

    front_ring_init(&ring.half, b->sring, b->nr_ents, 0);
    for (;;) {
        b->front_bell.seen = load_full_u32(&b->front_bell.count);
        bool moved = send_batch(b, &ring, &id);
        uint32_t taken = take_answers(&ring);

        b->answered += taken;
        if (moved || taken > 0) {
            idle = 0;
            if ((++turns & 255) == 0 && clock_monotonic_ns() - started_ns >= limit_ns)
                break;
            continue;
        }
        cpu_relax();
        if (b->setup.mode == MODE_SPIN || ++idle < b->setup.polls)
            continue;
        idle = 0;
        if (!front_ring_final_check(&ring.half))
            sleep_at(&b->front_bell);
    }
    b->elapsed_ns = clock_monotonic_ns() - started_ns;
    store_full_u32(&b->stop, 1);
    ring_bell(&b->back_bell);
}

/* Answers up to a batch. Returns how many. */
static uint32_t answer_batch(struct bench *b, struct blkif_back_ring *ring)
{
    struct blkif_request req;
    int waiting = back_ring_look(&ring->half);
    uint32_t count = waiting < 0 ? 0 : (uint32_t)waiting;

    if (waiting < 0)
        errx(1, "the ring is broken");
    if (count > b->setup.batch)
        count = b->setup.batch;
    for (uint32_t i = 0; i < count; i++) {
        blkif_take_request(ring, &req);
        blkif_put_response(ring, req.id, req.operation, BLKIF_RSP_OKAY);
    }
    if (notifies(b, back_ring_push(&ring->half)) && count > 0) {
        b->events++;
        ring_bell(&b->front_bell);
    }
    return count;
}

static void *run_back(void *argument)
{
    struct bench *b = argument;
    struct blkif_back_ring ring;
    uint32_t idle = 0;

    if (placement_bind(b->setup.placement.cpu[1]) != 0)
        errx(1, "cannot run on CPU %d", b->setup.placement.cpu[1]);
    back_ring_init(&ring.half, b->sring, b->nr_ents, 0);
    while (load_full_u32(&b->stop) == 0) {
        b->back_bell.seen = load_full_u32(&b->back_bell.count);
        if (answer_batch(b, &ring) > 0) {
            idle = 0;
            continue;
        }
        cpu_relax();
        if (b->setup.mode == MODE_SPIN || ++idle < b->setup.polls)
            continue;
        idle = 0;
        if (!back_ring_final_check(&ring.half) && load_full_u32(&b->stop) == 0)
            sleep_at(&b->back_bell);
    }
    return NULL;
}

static enum mode parse_mode(const char *text)
{
    for (int mode = 0; mode < MODE_COUNT; mode++)
        if (strcmp(text, mode_names[mode]) == 0)
            return (enum mode)mode;
    errx(2, "--mode must be spin, holdoff or always, not '%s'", text);
}

static struct setup parse(int argc, char **argv)
{
    static const struct option options[] = {{"batch", required_argument, NULL, 'b'},
                                            {"mode", required_argument, NULL, 'm'},
                                            {"page-order", required_argument, NULL, 'o'},
                                            {"polls", required_argument, NULL, 'p'},
                                            {"cpus", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct setup setup = {MODE_HOLDOFF, 1, 2, 400, 1, {{-1, -1}}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'b')
            setup.batch = argument_u32("--batch", optarg, 1, BLKIF_RING_ENTRIES_MAX);
        else if (option == 'm')
            setup.mode = parse_mode(optarg);
        else if (option == 'o')
            setup.page_order = argument_u32("--page-order", optarg, 0, BLKIF_RING_PAGE_ORDER_MAX);
        else if (option == 'p')
            setup.polls = argument_u32("--polls", optarg, 1, UINT32_MAX);
        else if (option == 'c' && placement_parse(optarg, &setup.placement) != 0)
            errx(2, "--cpus must be A,B or none, not '%s'", optarg);
        else if (option == 's')
            setup.seconds = argument_seconds("--seconds", optarg);
        else if (option == '?')
            exit(2);
    }
    if (setup.batch > blkif_ring_entries(setup.page_order))
        errx(2, "--batch %u does not fit into a ring of %u entries", setup.batch,
             blkif_ring_entries(setup.page_order));
    return setup;
}

int main(int argc, char **argv)
{
    struct bench *b = aligned_alloc(LINE_BYTES, sizeof(*b));
    pthread_t back;

    if (b == NULL)
        err(1, "memory");
    memset(b, 0, sizeof(*b));
    b->setup = parse(argc, argv);
    b->nr_ents = blkif_ring_entries(b->setup.page_order);
    b->sring = aligned_alloc(XEN_PAGE_SIZE, (size_t)XEN_PAGE_SIZE << b->setup.page_order);
    if (b->sring == NULL)
        err(1, "memory");
    memset(b->sring, 0, (size_t)XEN_PAGE_SIZE << b->setup.page_order);
    sring_init(b->sring, 0);
    if (pthread_create(&back, NULL, run_back, b) != 0)
        errx(1, "cannot start a thread");
    if (placement_bind(b->setup.placement.cpu[0]) != 0)
        errx(1, "cannot run on CPU %d", b->setup.placement.cpu[0]);
    run_front(b);
    pthread_join(back, NULL);
    const double count = (double)b->answered;
    printf("requests=%" PRIu64 " per_second=%.0f ns_per_request=%.1f"
           " notifications_per_request=%.5f sleeps_per_request=%.5f\n",
           b->answered, count * 1e9 / (double)b->elapsed_ns, (double)b->elapsed_ns / count,
           (double)(b->kicks + b->events) / count,
           (double)(b->front_bell.sleeps + b->back_bell.sleeps) / count);
    free(b->sring);
    free(b);
    return 0;
}
