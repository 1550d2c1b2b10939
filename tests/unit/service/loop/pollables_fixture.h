/* SPDX-License-Identifier: MIT */
/* pollables_fixture: rings and domains whose looks and doorbells the test counts. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_LOOP_POLLABLES_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_LOOP_POLLABLES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "service/loop/pollables.h"
#include "splitdom/hints.h"

enum { PEERS = 3, HERE = 1000, ELSEWHERE = 2000 };

/* A ring without a ring: counters. */
struct fake {
    struct pollable pollable;
    uint32_t waiting;  /* requests that nobody has taken */
    uint32_t at_disk;  /* taken, not answered */
    uint32_t answered; /* not shown */
    uint32_t shown;
    uint32_t taken;
    bool is_armed;
    int breaks_with; /* the next consume's result */
    uint32_t broken;
};

/* A domain: the words that it shares with Dom0, and one ring or two. */
struct peer {
    uint32_t spin_cpu, loop_cpu, busy_peers;
    struct poll_peer poll;
    struct fake ring, second;
};

struct fixture {
    struct pollables loop;
    struct peer peer[PEERS];
};

static struct fixture *f;

static inline struct fake *of_pollable(struct pollable *p)
{
    return container_of(p, struct fake, pollable);
}

static inline void flush(struct pollable *p)
{
    struct fake *ring = of_pollable(p);
    if (ring->answered > 0)
        pollable_showed(p);
    ring->shown += ring->answered;
    ring->answered = 0;
}

static inline int consume(struct pollable *p, uint64_t now_ns)
{
    struct fake *ring = of_pollable(p);
    (void)now_ns;
    flush(p);
    if (ring->broken > 0)
        return 0;
    if (ring->breaks_with < 0)
        return ring->breaks_with;
    int taken = (int)ring->waiting;
    ring->waiting = 0;
    ring->at_disk += (uint32_t)taken;
    ring->taken += (uint32_t)taken;
    return taken;
}

static inline bool arm(struct pollable *p)
{
    struct fake *ring = of_pollable(p);
    flush(p);
    ring->is_armed = true;
    return ring->waiting > 0;
}

static inline void broken(struct pollable *p, int error)
{
    struct fake *ring = of_pollable(p);
    assert_int_equal(error, ring->breaks_with);
    ring->broken++;
}

static const struct pollable_ops ops = {
    .consume = consume, .flush = flush, .arm = arm, .broken = broken};

static inline int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    for (int i = 0; i < PEERS; i++) {
        struct peer *peer = &f->peer[i];
        peer->spin_cpu = peer->loop_cpu = HINTS_CPU_NONE;
        peer->poll = (struct poll_peer){.spin_cpu = &peer->spin_cpu,
                                        .loop_cpu = &peer->loop_cpu,
                                        .busy_peers = &peer->busy_peers};
        peer->ring.pollable.ops = peer->second.pollable.ops = &ops;
    }
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PEERS; i++) {
        pollables_remove(&f->peer[i].ring.pollable);
        pollables_remove(&f->peer[i].second.pollable);
        assert_true(list_is_empty(&f->peer[i].poll.pollables));
    }
    assert_int_equal(f->loop.active_count, 0);
    assert_true(list_is_empty(&f->loop.active));
    free(f);
    return 0;
}

static inline void add(struct peer *peer)
{
    pollables_add(&f->loop, &peer->poll, &peer->ring.pollable);
}

static inline void add_second(struct peer *peer)
{
    pollables_add(&f->loop, &peer->poll, &peer->second.pollable);
}

/* Whether the doorbell is to be rung. */
static inline bool ask(struct fake *ring, uint32_t count)
{
    bool was_armed = ring->is_armed;
    ring->waiting += count;
    ring->is_armed = false;
    return was_armed;
}

/* A read that was taken ends at the disk. */
static inline void answer(struct fake *ring)
{
    assert_true(ring->at_disk > 0);
    ring->at_disk--;
    ring->answered++;
    pollables_answered(&ring->pollable);
}

static inline bool settle(uint64_t now_ns)
{
    f->loop.cpu = HERE;
    return pollables_settle(&f->loop, now_ns);
}

#endif
