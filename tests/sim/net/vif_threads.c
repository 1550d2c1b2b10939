/* SPDX-License-Identifier: MIT */
/* The threads of a program that uses our front end. */
#include <errno.h>
#include <stdlib.h>

#include "domu/netfront/netfront_private.h"
#include "vif_world.h"

#define MS UINT64_C(1000000)

enum { ROOM = NETFRONT_FRAME_MAX };

static bool has_queue(const struct worker_thread *t)
{
    const struct front *f = t->front;
    return !f->stop && f->nf != NULL && f->nf->queues_in_use > 0 && t->queue < f->nf->nr_queues;
}

static bool sends(void *ctx)
{
    const struct worker_thread *t = ctx;
    return has_queue(t) && t->front->may_send > 0 && !t->front->world->draining;
}

static bool receives(void *ctx)
{
    return has_queue(ctx);
}

static int64_t pick_timeout(struct world *w)
{
    static const int64_t timeouts[] = {-1, 0, 0, 5 * (int64_t)MS};
    return w->draining ? -1 : timeouts[world_pick(w, 4)];
}

/* Errors that a program that keeps to the rules never sees. */
static void check_error(struct front *f, int rc)
{
    if (rc == -ENOTCONN || rc == -EPROTO || rc == -EINVAL)
        world_fail(f->world, "domain %u: error %d: %s", f->domid, rc, netfront_failure(f->nf));
}

static void send_some(struct worker_thread *t)
{
    struct front *f = t->front;
    struct world *w = f->world;
    struct netfront_frame frames[WORLD_BATCH_MAX];
    uint32_t ids[WORLD_BATCH_MAX], count = 1 + world_pick(w, WORLD_BATCH_MAX);
    bool large = f->nf->options.tx_slots > NETFRONT_SLOTS_MIN || world_pick(w, 2) == 0;
    if (w->next_id + count > WORLD_IDS_MAX)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct sent_frame made;
        uint8_t *bytes = t->bytes + (size_t)i * ROOM;
        uint32_t length = oracle_make(f, t->queue, large, bytes, &made);
        ids[i] = w->next_id - 1;
        frames[i] = (struct netfront_frame){.data = bytes,
                                            .length_bytes = length,
                                            .checksum_blank = made.blank,
                                            .gso_type = made.gso_type,
                                            .gso_size_bytes = made.gso_size};
    }
    t->parked = false;
    f->may_send--;
    int rc = netfront_send_on(f->nf, t->queue, frames, count, pick_timeout(w));
    t->parked = true;
    check_error(f, rc);
    uint32_t sent = rc > 0 ? (uint32_t)rc : 0;
    for (uint32_t i = sent; i < count; i++)
        oracle_unsent(w, ids[i]);
    f->sent += sent;
}

static void sender_runs(void *arg)
{
    struct worker_thread *t = arg;
    for (;;) {
        (void)strand_await(sends, t, 0);
        if (world_pick(t->front->world, 3) == 0) {
            t->parked = false;
            int rc = netfront_drain_on(t->front->nf, t->queue, pick_timeout(t->front->world));
            t->parked = true;
            check_error(t->front, rc);
        } else {
            send_some(t);
        }
    }
}

static void judge(struct front *f, const struct netfront_frame *frame, bool late)
{
    const struct got_frame got = {.data = frame->data,
                                  .length = frame->length_bytes,
                                  .blank = frame->checksum_blank,
                                  .takes_blank = !f->nf->options.no_offload,
                                  .takes_gso = !f->nf->options.no_offload,
                                  .late = late,
                                  .gso_type = frame->gso_type};
    uint64_t now_ns;
    if (frame->truncated)
        world_fail(f->world, "domain %u: a frame is truncated", f->domid);
    (void)domain_clock_read_ns(&f->clock, &now_ns);
    if (frame->stamp_ns != NETFRONT_NO_STAMP && frame->stamp_ns > now_ns)
        world_fail(f->world, "domain %u: a frame of the future", f->domid);
    oracle_judge(f, &got);
}

static void receiver_runs(void *arg)
{
    struct worker_thread *t = arg;
    for (;;) {
        struct netfront_frame frames[WORLD_BATCH_MAX];
        (void)strand_await(receives, t, 0);
        struct front *f = t->front;
        uint32_t count = 1 + world_pick(f->world, WORLD_BATCH_MAX);
        for (uint32_t i = 0; i < count; i++)
            frames[i] =
                (struct netfront_frame){.data = t->bytes + (size_t)i * ROOM, .room_bytes = ROOM};
        int64_t timeout_ns = pick_timeout(f->world);
        uint32_t begun = f->begun;
        t->parked = false;
        int rc = netfront_receive_on(f->nf, t->queue, frames, count,
                                     timeout_ns == 0 ? (int64_t)(MS / 10) : timeout_ns);
        t->parked = true;
        check_error(f, rc);
        for (int i = 0; i < rc; i++)
            judge(f, &frames[i], f->begun != begun);
    }
}

static void start(struct front *f, struct worker_thread *t, uint32_t queue, void (*run)(void *arg))
{
    *t = (struct worker_thread){.front = f, .queue = queue, .parked = true};
    t->bytes = malloc((size_t)WORLD_BATCH_MAX * ROOM);
    if (t->bytes == NULL)
        abort();
    strand_start(&t->strand, run, t);
}

void threads_start(struct front *f)
{
    for (uint32_t i = 0; i < f->want_queues; i++) {
        start(f, &f->sender[i], i, sender_runs);
        start(f, &f->receiver[i], i, receiver_runs);
    }
}

static void end(struct worker_thread *t)
{
    strand_kill(&t->strand);
    free(t->bytes);
    t->bytes = NULL;
}

void threads_kill(struct front *f)
{
    for (uint32_t i = 0; i < WORLD_QUEUES_MAX; i++) {
        end(&f->sender[i]);
        end(&f->receiver[i]);
    }
}

static bool is_parked(const struct worker_thread *t)
{
    return !t->strand.is_there || t->parked;
}

bool senders_are_parked(const struct front *f)
{
    bool all = true;
    for (uint32_t i = 0; i < WORLD_QUEUES_MAX; i++)
        all &= is_parked(&f->sender[i]);
    return all;
}

bool threads_are_parked(const struct front *f)
{
    bool all = senders_are_parked(f);
    for (uint32_t i = 0; i < WORLD_QUEUES_MAX; i++)
        all &= is_parked(&f->receiver[i]);
    return all;
}
