/* SPDX-License-Identifier: MIT */
/*
 * ring_litmus: the two shapes of ordering that the ring relies on, tried on the ring's own code by
 * two threads on two CPUs.
 *
 * Store buffer (the default): one side publishes while the other goes to sleep. Both meet, and then
 * at once run
 *   requests:   front_ring_push         against   back_ring_final_check
 *   responses:  back_ring_push          against   front_ring_final_check
 *          or:  that, then the look of   against   sleeper_lie_down, then
 *               sleeper_wake                       front_ring_is_answered
 * Each stores one word and loads the other's. If the producer need not notify and the consumer sees
 * nothing, a wake-up is lost: both loads passed the stores. The full barriers forbid that; without
 * any one of them it happens every few dozen rounds.
 *
 * Messages (--messages N): N numbers travel through the slots and back, and nothing but the indices
 * orders them. A number that is not the expected one was read too early. x86 keeps this order by
 * itself; there ThreadSanitizer sees what is missing.
 *
 * --control: the textbook's store buffer litmus without barriers, on two plain words. A machine
 * where that never fails can't show that a barrier is missing.
 *
 * tests/stress/barriers.sh takes the barriers away one by one.
 * Exit status: 0 nothing was lost, 1 something was, 2 wrong usage, 77 there is one CPU only.
 */
#include <err.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring/back_ring.h"
#include "ring/barrier.h"
#include "ring/front_ring.h"
#include "ring/sleeper.h"

enum {
    SLOT_WORDS = 14,
    SLOT_BYTES = SLOT_WORDS * sizeof(uint64_t),
    BATCH_MAX = 8,    /* messages published together */
    JITTER_MAX = 256, /* turns of an empty loop: how far apart the two may start */
    SPINS_MAX = 2000, /* then the other side's CPU is somebody else's for a while */
    LOSSES_MAX = 100, /* enough to say so */
    LINE_BYTES = 64,
};

struct litmus;

struct side {
    _Alignas(LINE_BYTES) struct litmus *litmus;
    struct side *peer;
    int cpu;
    uint64_t random;
    uint64_t rounds_met, rounds;
    _Alignas(LINE_BYTES) uint64_t arrived; /* this side writes, the other waits for it */
    uint32_t said_nothing;                 /* no need to notify, or nothing seen */
};

struct litmus {
    struct sring *sring;
    struct front_ring front;
    _Alignas(LINE_BYTES) struct back_ring back;
    _Alignas(LINE_BYTES) uint32_t sleeper;
    _Alignas(LINE_BYTES) uint32_t word[2]; /* of the control, as close together as in a ring */
    struct side side[2];                   /* front, back */
    enum { LITMUS_RING, LITMUS_CONTROL, LITMUS_MESSAGES } mode;
    uint64_t rounds_max;
    time_t end;
    _Alignas(LINE_BYTES) uint32_t over;
    uint64_t rounds;
    uint64_t requests_lost, responses_lost;
};

/* Both sides have come here; `arrived` counts how often. */
static void meet(struct side *side)
{
    uint64_t met = ++side->rounds_met;
    store_release_u64(&side->arrived, met);
    for (uint32_t spins = 0; load_acquire_u64(&side->peer->arrived) < met; spins++) {
        if (spins < SPINS_MAX)
            cpu_relax();
        else
            sched_yield();
    }
}

static uint64_t draw(struct side *side, uint64_t below)
{
    side->random ^= side->random << 13;
    side->random ^= side->random >> 7;
    side->random ^= side->random << 17;
    return side->random % below;
}

/* The one that came last sees the other one first: without this it would nearly always win. */
static void jitter(struct side *side)
{
    for (uint64_t turns = draw(side, JITTER_MAX); turns > 0; turns--)
        __asm__ volatile("");
}

/* ---- store buffer ---- */

/* One of the two steps that race. Returns whether this side has said nothing. */
typedef bool step_fn(struct litmus *litmus);

static bool front_push(struct litmus *litmus)
{
    return !front_ring_push(&litmus->front);
}

static bool front_final_check(struct litmus *litmus)
{
    return !front_ring_final_check(&litmus->front);
}

static bool back_push(struct litmus *litmus)
{
    return !back_ring_push(&litmus->back);
}

static bool front_lie_down(struct litmus *litmus)
{
    sleeper_lie_down(&litmus->sleeper);
    return !front_ring_is_answered(&litmus->front);
}

static bool back_push_and_look(struct litmus *litmus)
{
    (void)back_ring_push(&litmus->back);
    return !sleeper_is_asleep(&litmus->sleeper);
}

static bool back_final_check(struct litmus *litmus)
{
    return !back_ring_final_check(&litmus->back);
}

static bool control_front(struct litmus *litmus)
{
    store_relaxed_u32(&litmus->word[0], 1);
    return load_relaxed_u32(&litmus->word[1]) == 0;
}

static bool control_back(struct litmus *litmus)
{
    store_relaxed_u32(&litmus->word[1], 1);
    return load_relaxed_u32(&litmus->word[0]) == 0;
}

/* Both sides meet, look at the line (so that both CPUs have it), and run their steps at once. */
static void race(struct side *side, const uint32_t *line, step_fn *step)
{
    meet(side);
    (void)load_relaxed_u32(line);
    jitter(side);
    side->said_nothing = step(side->litmus);
    meet(side);
}

static void require(bool holds, const char *what)
{
    if (!holds)
        errx(1, "the ring is broken: %s", what);
}

/* A request goes one way, then its answer the other. Each side touches only its own half. */
static void ring_round(struct side *side, bool is_front)
{
    struct litmus *litmus = side->litmus;
    const uint32_t *line = &litmus->sring->req_prod;
    const void *slot;
    bool lies = side->rounds++ % 2 == 0; /* the front */
    step_fn *front_waits = lies ? front_lie_down : front_final_check;
    step_fn *back_answers = lies ? back_push_and_look : back_push;
    if (is_front)
        (void)front_ring_put(&litmus->front, SLOT_BYTES);
    race(side, line, is_front ? front_push : back_final_check);
    if (is_front) {
        litmus->requests_lost += side->said_nothing && side->peer->said_nothing;
    } else {
        require(back_ring_look(&litmus->back) == 1, "no request after the race");
        (void)back_ring_take(&litmus->back, SLOT_BYTES);
        (void)back_ring_put(&litmus->back, SLOT_BYTES);
    }
    race(side, line, is_front ? front_waits : back_answers);
    if (is_front) {
        sleeper_rise(&litmus->sleeper);
        litmus->responses_lost += side->said_nothing && side->peer->said_nothing;
        require(front_ring_take(&litmus->front, SLOT_BYTES, &slot) == 1, "no response");
    }
}

static void control_round(struct side *side, bool is_front)
{
    struct litmus *litmus = side->litmus;
    race(side, litmus->word, is_front ? control_front : control_back);
    if (is_front) {
        litmus->requests_lost += side->said_nothing && side->peer->said_nothing;
        memset(litmus->word, 0, sizeof(litmus->word));
    }
}

/* ---- messages ---- */

static void write_slot(void *slot, uint64_t number)
{
    uint64_t *words = slot;
    words[0] = number;
    words[SLOT_WORDS - 1] = ~number;
}

/* 1 if the slot does not hold the number, else 0. */
static uint64_t read_slot(const void *slot, uint64_t number)
{
    uint64_t words[SLOT_WORDS];
    sring_copy_words(words, slot, sizeof(words), sizeof(words[0]));
    return words[0] != number || words[SLOT_WORDS - 1] != ~number;
}

static void front_messages(struct side *side)
{
    struct litmus *litmus = side->litmus;
    uint64_t sent = 0, taken = 0, count = litmus->rounds_max;
    while (taken < count) {
        uint64_t batch = draw(side, BATCH_MAX + 1);
        for (; batch > 0 && sent < count && front_ring_free(&litmus->front) > 0; batch--)
            write_slot(front_ring_put(&litmus->front, SLOT_BYTES), sent++);
        (void)front_ring_push(&litmus->front);
        const void *slot;
        int rc;
        while ((rc = front_ring_take(&litmus->front, SLOT_BYTES, &slot)) == 1)
            litmus->responses_lost += read_slot(slot, ~taken++);
        require(rc == 0, "rsp_prod is invalid");
    }
    litmus->rounds = taken;
}

static void back_messages(struct side *side)
{
    struct litmus *litmus = side->litmus;
    uint64_t taken = 0;
    while (taken < litmus->rounds_max) {
        int waiting = back_ring_look(&litmus->back);
        require(waiting >= 0, "req_prod is invalid");
        for (int i = 0; i < waiting; i++) {
            litmus->requests_lost += read_slot(back_ring_take(&litmus->back, SLOT_BYTES), taken);
            write_slot(back_ring_put(&litmus->back, SLOT_BYTES), ~taken++);
        }
        (void)back_ring_push(&litmus->back);
    }
}

/* ---- both sides ---- */

static void run_rounds(struct side *side, bool is_front)
{
    struct litmus *litmus = side->litmus;
    do {
        if (litmus->mode == LITMUS_CONTROL)
            control_round(side, is_front);
        else
            ring_round(side, is_front);
        if (is_front) {
            litmus->rounds++;
            litmus->over = litmus->rounds == litmus->rounds_max || time(NULL) >= litmus->end ||
                           litmus->requests_lost + litmus->responses_lost >= LOSSES_MAX;
        }
        meet(side);
    } while (!litmus->over);
}

static void run_side(struct litmus *litmus, bool is_front)
{
    struct side *side = &litmus->side[is_front ? 0 : 1];
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)side->cpu, &cpus);
    int rc = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
    if (rc != 0)
        errx(1, "CPU %d: %s", side->cpu, strerror(rc));
    if (litmus->mode != LITMUS_MESSAGES)
        run_rounds(side, is_front);
    else if (is_front)
        front_messages(side);
    else
        back_messages(side);
}

static void *run_back(void *arg)
{
    run_side(arg, false);
    return NULL;
}

/* The first and the last CPU that this process may use; false if that is one. */
static bool pick_cpus(struct litmus *litmus)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        err(1, "sched_getaffinity");
    int first = -1, last = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &allowed))
            continue;
        if (first < 0)
            first = cpu;
        last = cpu;
    }
    litmus->side[0].cpu = first;
    litmus->side[1].cpu = last;
    return first != last;
}

static struct litmus *litmus_create(void)
{
    struct litmus *litmus = aligned_alloc(LINE_BYTES, sizeof(*litmus));
    struct sring *sring = aligned_alloc(XEN_PAGE_SIZE, XEN_PAGE_SIZE);
    if (litmus == NULL || sring == NULL)
        errx(1, "no memory");
    memset(litmus, 0, sizeof(*litmus));
    memset(sring, 0, XEN_PAGE_SIZE);
    const uint32_t start = UINT32_MAX - 1000; /* across the wrap */
    uint32_t nr_ents = sring_entries(0, SLOT_BYTES);
    sring_init(sring, start);
    litmus->sring = sring;
    front_ring_init(&litmus->front, sring, nr_ents, start);
    back_ring_init(&litmus->back, sring, nr_ents, start);
    for (int i = 0; i < 2; i++) {
        litmus->side[i].litmus = litmus;
        litmus->side[i].peer = &litmus->side[1 - i];
        litmus->side[i].random = 0x9e3779b97f4a7c15u + (uint64_t)i;
    }
    return litmus;
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || *text == '-' || value == 0 || value > INT64_MAX)
        errx(2, "not a number: %s", text);
    return value;
}

static void options(struct litmus *litmus, int argc, char **argv)
{
    static const struct option names[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"messages", required_argument, NULL, 'm'},
                                          {"control", no_argument, NULL, 'c'},
                                          {NULL, 0, NULL, 0}};
    uint64_t seconds = 3;
    litmus->rounds_max = INT64_MAX;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 's')
            seconds = number(optarg);
        else if (c == 'r' || c == 'm')
            litmus->rounds_max = number(optarg);
        else if (c != 'c')
            errx(2, "usage: %s [--rounds N] [--seconds N] [--control | --messages N]", argv[0]);
        if (c == 'm')
            litmus->mode = LITMUS_MESSAGES;
        else if (c == 'c')
            litmus->mode = LITMUS_CONTROL;
    }
    litmus->end = time(NULL) + (time_t)seconds;
}

int main(int argc, char **argv)
{
    struct litmus *litmus = litmus_create();
    options(litmus, argc, argv);
    if (!pick_cpus(litmus) && litmus->mode != LITMUS_MESSAGES) {
        printf("there is one CPU, and its loads always see its own stores\n");
        return 77;
    }
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, run_back, litmus);
    if (rc != 0)
        errx(1, "thread: %s", strerror(rc));
    run_side(litmus, true);
    pthread_join(thread, NULL);
    bool lost = litmus->requests_lost + litmus->responses_lost > 0;
    printf("%llu rounds: lost %llu requests, %llu responses\n", (unsigned long long)litmus->rounds,
           (unsigned long long)litmus->requests_lost, (unsigned long long)litmus->responses_lost);
    free(litmus->sring);
    free(litmus);
    return lost ? 1 : 0;
}
