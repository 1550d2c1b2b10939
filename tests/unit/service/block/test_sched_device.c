/* SPDX-License-Identifier: MIT */
/*
 * sched in front of a model of a disk: what clients get out of the rules together. The disk serves
 * one read after the other, SERVICE_NS each, and each read also takes FIXED_NS on its way that
 * overlaps with others': the shape of a virtual disk behind one queue. Clients are sets of blocking
 * threads that read again THINK_NS after an answer. Virtual time only.
 */
#include "service/block/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    SERVICE_NS = 12500,
    FIXED_NS = 20000,
    THINK_NS = 3000,
    CLIENTS_MAX = 8,
    EVENTS_MAX = 4096,
};

/* Reads on their way: thinking (not asked for yet), then at the disk. Waiting ones are counted by
 * sched, their start times kept per client, oldest first. */
struct event {
    uint64_t at_ns;
    uint64_t asked_ns;
    int client;
    bool at_disk;
};

struct client {
    struct sched_entity entity;
    uint64_t asked_ns[256]; /* of the waiting reads, a ring */
    uint8_t asked_first, asked_next;
    uint32_t served;
    uint64_t latency_max_ns;
};

struct bench {
    struct sched sched;
    struct client client[CLIENTS_MAX];
    int client_count;
    struct event event[EVENTS_MAX];
    int event_count;
    uint64_t now_ns;
    uint64_t disk_free_ns; /* when the disk has served all it was given */
    uint64_t disk_busy_ns;
};

static uint32_t unit_cost(const struct sched_entity *e)
{
    (void)e;
    return 1;
}

static void add_event(struct bench *b, struct event event)
{
    assert_true(b->event_count < EVENTS_MAX);
    b->event[b->event_count++] = event;
}

static void add_client(struct bench *b, uint32_t weight, int threads, uint64_t start_ns)
{
    int id = b->client_count++;

    assert_int_equal(sched_entity_init(&b->client[id].entity, weight), 0);
    for (int i = 0; i < threads; i++)
        add_event(b, (struct event){.at_ns = start_ns, .client = id});
}

static struct event take_next_event(struct bench *b)
{
    int next = 0;
    struct event event;

    for (int i = 1; i < b->event_count; i++)
        if (b->event[i].at_ns < b->event[next].at_ns)
            next = i;
    event = b->event[next];
    b->event_count--;
    memmove(&b->event[next], &b->event[next + 1],
            (size_t)(b->event_count - next) * sizeof(b->event[0]));
    return event;
}

static void fill_disk(struct bench *b)
{
    struct sched_entity *e;

    while ((e = sched_pick(&b->sched, b->now_ns, unit_cost))) {
        struct client *c = (struct client *)((char *)e - offsetof(struct client, entity));
        uint64_t start_ns = b->disk_free_ns > b->now_ns ? b->disk_free_ns : b->now_ns;

        b->disk_free_ns = start_ns + SERVICE_NS;
        b->disk_busy_ns += SERVICE_NS;
        add_event(b, (struct event){.at_ns = b->disk_free_ns + FIXED_NS,
                                    .asked_ns = c->asked_ns[c->asked_first++],
                                    .client = (int)(c - b->client),
                                    .at_disk = true});
    }
}

static void run(struct bench *b, uint64_t until_ns)
{
    while (b->now_ns < until_ns) {
        struct event event = take_next_event(b);
        struct client *c = &b->client[event.client];

        b->now_ns = event.at_ns;
        if (event.at_disk) {
            sched_complete(&b->sched, &c->entity, b->now_ns);
            c->served++;
            if (b->now_ns - event.asked_ns > c->latency_max_ns)
                c->latency_max_ns = b->now_ns - event.asked_ns;
            add_event(b, (struct event){.at_ns = b->now_ns + THINK_NS, .client = event.client});
        } else {
            c->asked_ns[c->asked_next++] = b->now_ns;
            sched_enqueue(&b->sched, &c->entity, b->now_ns);
        }
        fill_disk(b);
    }
}

/* Runs for half a second after a warm-up in which the disk's queue reaches its rule. */
static void measure(struct bench *b)
{
    run(b, b->now_ns + 100000000);
    b->disk_busy_ns = 0;
    for (int i = 0; i < b->client_count; i++) {
        b->client[i].served = 0;
        b->client[i].latency_max_ns = 0;
    }
    run(b, b->now_ns + 500000000);
}

static double utilisation(const struct bench *b)
{
    return (double)b->disk_busy_ns / 500000000;
}

static double jain(const struct bench *b)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < b->client_count; i++) {
        sum += b->client[i].served;
        squares += (double)b->client[i].served * b->client[i].served;
    }
    return sum * sum / (b->client_count * squares);
}

static struct bench new_bench(uint32_t depth_max, uint32_t depth_isolated)
{
    struct bench b;

    memset(&b, 0, sizeof(b));
    sched_init(&b.sched, depth_max, depth_isolated);
    return b;
}

/* Alone a read takes SERVICE + FIXED; beside 64 threads it waits for five reads more at most, and
 * one that the disk has begun, instead of 63. */
static void quiet_client_waits_for_few(void **state)
{
    static struct bench b;

    (void)state;
    b = new_bench(64, 6);
    add_client(&b, 256, 64, 0);
    add_client(&b, 256, 1, 1000);
    measure(&b);
    assert_true(b.client[1].latency_max_ns <= FIXED_NS + 6 * SERVICE_NS);
    assert_true(utilisation(&b) > 0.99);

    b = new_bench(64, 64); /* and so it is the depth that does it */
    add_client(&b, 256, 64, 0);
    add_client(&b, 256, 1, 1000);
    measure(&b);
    assert_true(b.client[1].latency_max_ns > 40 * SERVICE_NS);
}

static void quiet_clients_are_protected_from_heavy_weights(void **state)
{
    static struct bench b;

    (void)state;
    b = new_bench(64, 6);
    add_client(&b, 65535, 100, 0);
    add_client(&b, 65535, 100, 0);
    add_client(&b, 1, 1, 1000);
    measure(&b);
    assert_true(b.client[2].latency_max_ns <= FIXED_NS + 6 * SERVICE_NS);
    assert_in_range(b.client[0].served, b.client[1].served - 1, b.client[1].served + 1);
}

static void backlogged_clients_share_alike(void **state)
{
    static struct bench b;
    static const int threads[][4] = {{64, 64, 64, 64}, {8, 16, 64, 128}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        b = new_bench(16, 6);
        for (int c = 0; c < 4; c++)
            add_client(&b, 256, threads[i][c], (uint64_t)c * 700);
        measure(&b);
        assert_true(jain(&b) > 0.99999);
        assert_true(utilisation(&b) > 0.99);
    }
}

static void backlogged_clients_share_by_weight(void **state)
{
    static struct bench b;
    uint32_t sum = 0;

    (void)state;
    b = new_bench(32, 6);
    for (uint32_t c = 0; c < 4; c++)
        add_client(&b, 100 * (c + 1), 100, c);
    measure(&b);
    for (int c = 0; c < 4; c++)
        sum += b.client[c].served;
    for (uint32_t c = 0; c < 4; c++) {
        double want = sum * (c + 1) / 10.0;

        assert_true(b.client[c].served > 0.995 * want && b.client[c].served < 1.005 * want);
    }
}

/* A greedy client alone, and any number of them, keep the whole depth. */
static void depth_is_not_given_away(void **state)
{
    static struct bench b;

    (void)state;
    b = new_bench(64, 2);
    add_client(&b, 256, 100, 0);
    add_client(&b, 256, 100, 0);
    measure(&b);
    assert_int_equal(b.sched.in_flight, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_client_waits_for_few),
        cmocka_unit_test(quiet_clients_are_protected_from_heavy_weights),
        cmocka_unit_test(backlogged_clients_share_alike),
        cmocka_unit_test(backlogged_clients_share_by_weight),
        cmocka_unit_test(depth_is_not_given_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
