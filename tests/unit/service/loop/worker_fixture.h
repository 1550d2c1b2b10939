/* SPDX-License-Identifier: MIT */
/* worker_fixture: a worker with one pollable, one channel and one gated work. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_LOOP_WORKER_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_LOOP_WORKER_FIXTURE_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/loop/poller_private.h"
#include "service/loop/worker.h"
#include "splitdom/hints.h"

enum { TURNS_PER_READING = 8, ROUNDS_PER_TURN = 4 };

/* A worker with one pollable, one channel and one gated work, which all note that they were called.
 */
struct fixture {
    struct worker worker;
    struct tdf_source time;
    struct hints hints;
    struct poll_peer peer;
    struct pollable ring;
    struct gated_work work;
    char calls[256]; /* a letter each, in order */
    int requests;    /* that the ring will give */
    uint32_t dispatched;
    uint32_t hurries; /* in so many dispatches to come */
    bool work_waits, changed;
    bool leaves_work; /* the end of a turn does */
    uint32_t readings;
};

static struct fixture f;

static inline void note(char call)
{
    size_t length = strlen(f.calls);
    assert_true(length + 1 < sizeof(f.calls));
    f.calls[length] = call;
}

static inline int consume(struct pollable *p, uint64_t now_ns)
{
    int taken = f.requests;
    (void)p;
    (void)now_ns;
    note('c');
    f.requests = 0;
    return taken;
}

static inline void flush(struct pollable *p)
{
    (void)p;
}

static inline bool arm(struct pollable *p)
{
    (void)p;
    note('a');
    return false;
}

static inline void broken(struct pollable *p, int error)
{
    (void)p;
    (void)error;
}

static const struct pollable_ops ring_ops = {consume, flush, arm, broken};

static inline uint32_t dispatch(void *ctx, uint64_t now_ns)
{
    (void)now_ns;
    assert_ptr_equal(ctx, &f);
    note('d');
    if (f.hurries > 0) {
        f.hurries--;
        worker_hurry(&f.worker);
    }
    return f.dispatched;
}

static inline void begin_turn(void *ctx)
{
    (void)ctx;
    note('<');
}

static inline bool end_turn(void *ctx)
{
    (void)ctx;
    note('>');
    f.work_waits = f.work_waits || f.leaves_work;
    f.leaves_work = false;
    return f.changed;
}

static inline void time_read(void *ctx, uint64_t now_ns)
{
    (void)ctx;
    (void)now_ns;
    f.readings++;
}

static inline void reanchor(void *ctx)
{
    (void)ctx;
}

static const struct worker_ops ops = {.dispatch = dispatch,
                                      .begin_turn = begin_turn,
                                      .end_turn = end_turn,
                                      .time_read = time_read,
                                      .reanchor = reanchor};

static inline bool waits(struct gated_work *work)
{
    assert_ptr_equal(work, &f.work);
    return f.work_waits;
}

static inline bool serve(struct gated_work *work)
{
    (void)work;
    note('g');
    f.work_waits = false;
    return false;
}

static const struct gated_work_ops work_ops = {waits, serve};

static inline int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    tdf_source_real(&f.time);
    const struct worker_config config = {
        .poller = POLLER_EPOLL, .tdf = {1, 1}, .time_source = &f.time, .ops = &ops, .ctx = &f};
    if (worker_init(&f.worker, &config) < 0)
        return -1;
    f.hints.domu_cpu = HINTS_CPU_NONE;
    f.work.ops = &work_ops;
    worker_add_work(&f.worker, &f.work, 10);
    f.ring.ops = &ring_ops;
    poll_peer_init(&f.peer, &f.hints);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    pollables_remove(&f.ring);
    worker_fini(&f.worker);
    return 0;
}

static inline void add_ring(void)
{
    pollables_add(&f.worker.pollables, &f.peer, &f.ring);
}

static inline void fired(struct timer *timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
}

#endif
