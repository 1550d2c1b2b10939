/* SPDX-License-Identifier: MIT */
#include "service/net/pipe.h"

#include <assert.h>
#include <stdlib.h>

#include "base/container_of.h"
#include "service/net/ecn.h"

#define NS_PER_S UINT64_C(1000000000)

enum { QUEUE_FRAMES_DEFAULT = 1000 };

static uint64_t ceil_ns(u128 fp)
{
    u128 up = fp + UINT64_MAX;

    return up < fp ? UINT64_MAX : fp_to_ns(up);
}

static void adopt(struct net_pipe *pipe, const struct net_pipe_config *config)
{
    assert(config->jitter_ns <= NET_JITTER_MAX_NS);
    pipe->config = *config;
    if (config->queue.limit_frames == 0 && config->queue.limit_bytes == 0)
        pipe->config.queue.limit_frames = QUEUE_FRAMES_DEFAULT;
}

static void seed(struct net_pipe *pipe)
{
    uint64_t number = pipe->config.seed;

    net_loss_init(&pipe->loss, number);
    prng_init(&pipe->queue.prng, number, 2);
    prng_init(&pipe->jitter, number, 3);
    prng_init(&pipe->duplicate, number, 4);
    prng_init(&pipe->reorder, number, 5);
}

void net_pipe_init(struct net_pipe *pipe, const struct net_pipe_config *config,
                   net_pipe_out_fn *out)
{
    *pipe = (struct net_pipe){.out = out};
    net_queue_init(&pipe->queue, config->seed);
    adopt(pipe, config);
    seed(pipe);
}

void net_pipe_configure(struct net_pipe *pipe, const struct net_pipe_config *config)
{
    bool anew = config->seed != pipe->config.seed;

    adopt(pipe, config);
    if (anew)
        seed(pipe);
}

static void discard(struct net_item *item)
{
    net_frame_put(item->frame);
    free(item);
}

static bool drop_always(void *ctx, struct net_item *item, bool mark)
{
    (void)ctx, (void)item, (void)mark;
    return false;
}

void net_pipe_clear(struct net_pipe *pipe, enum net_drop why)
{
    static const struct net_queue_config plain = {.aqm = NET_AQM_DROPTAIL};
    struct net_item *item;
    struct heap_node *node;

    while ((item = net_queue_pop(&pipe->queue, &plain, pipe->last_ns, drop_always, NULL)) != NULL) {
        net_port_drop(item->port, why);
        discard(item);
    }
    while ((node = heap_pop(&pipe->flight)) != NULL) {
        item = container_of(node, struct net_item, due);
        net_port_drop(item->port, why);
        discard(item);
    }
    pipe->flight_frames = 0;
    pipe->flight_bytes = 0;
}

/* ---- under way ---- */

static uint64_t draw_delay(struct net_pipe *pipe)
{
    const struct net_pipe_config *config = &pipe->config;
    int64_t off = net_jitter_draw(&pipe->jitter, config->law, config->jitter_ns);
    bool chosen = net_chance_hits(config->reorder, &pipe->reorder);
    uint32_t gap = config->reorder_gap > 0 ? config->reorder_gap : 1;

    if (chosen && pipe->gap_counter + 1 >= gap) {
        pipe->gap_counter = 0;
        pipe->stats.reordered++;
        return 0;
    }
    if (pipe->gap_counter < UINT32_MAX - 1)
        pipe->gap_counter++;
    if (off < 0 && (uint64_t)-off > config->delay_ns)
        return 0;
    return config->delay_ns + (uint64_t)off;
}

/* Leaves the transmitter at this time. */
static void launch(struct net_pipe *pipe, struct net_item *item, u128 from_fp)
{
    u128 due_fp = from_fp + fp_from_ns(draw_delay(pipe));

    if (pipe->flight_frames >= NET_PIPE_FLIGHT_FRAMES ||
        pipe->flight_bytes + item->frame->length_bytes > NET_PIPE_FLIGHT_BYTES) {
        pipe->stats.full++;
        net_port_drop(item->port, NET_DROP_LINK_QUEUE);
        discard(item);
        return;
    }
    pipe->flight_frames++;
    pipe->flight_bytes += item->frame->length_bytes;
    heap_insert(&pipe->flight, &item->due, ceil_ns(due_fp));
}

/* ---- the transmitter ---- */

static bool mark_item(struct net_pipe *pipe, struct net_item *item)
{
    struct net_frame *marked = net_ecn_mark(item->frame);

    if (marked == NULL)
        return false;
    net_frame_put(item->frame);
    item->frame = marked;
    pipe->stats.marked++;
    return true;
}

static void drop_early(struct net_pipe *pipe, struct net_item *item)
{
    pipe->stats.early++;
    net_port_drop(item->port, NET_DROP_LINK_EARLY);
    discard(item);
}

static bool on_codel(void *ctx, struct net_item *item, bool mark)
{
    if (mark && mark_item(ctx, item))
        return true;
    drop_early(ctx, item);
    return false;
}

static u128 duration_fp(const struct net_pipe *pipe, const struct net_frame *frame)
{
    uint64_t bytes = (uint64_t)frame->length_bytes + pipe->config.overhead_bytes;

    return fp_from_ns(bytes * 8 * NS_PER_S) / pipe->config.rate_bps;
}

/* When the transmitter can begin with the first frame that waits. */
static u128 start_fp(const struct net_pipe *pipe, const struct net_item *first)
{
    u128 there_fp = fp_from_ns(first->enqueued_ns);

    return pipe->free_fp > there_fp ? pipe->free_fp : there_fp;
}

/* Begins with all frames whose time has come by now_ns. */
static void transmit(struct net_pipe *pipe, uint64_t now_ns)
{
    struct net_item *item;

    while ((item = net_queue_first(&pipe->queue)) != NULL) {
        u128 from_fp = start_fp(pipe, item);

        if (from_fp > fp_from_ns(now_ns))
            break;
        item = net_queue_pop(&pipe->queue, &pipe->config.queue, fp_to_ns(from_fp), on_codel, pipe);
        if (item == NULL)
            break;
        pipe->free_fp = from_fp;
        if (pipe->config.rate_bps != 0)
            pipe->free_fp += duration_fp(pipe, item->frame);
        launch(pipe, item, pipe->free_fp);
    }
}

/* ---- in and out ---- */

static void admit(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                  uint64_t now_ns)
{
    enum net_queue_verdict verdict =
        net_queue_judge(&pipe->queue, &pipe->config.queue, frame->length_bytes, now_ns);

    if (verdict == NET_QUEUE_FULL || verdict == NET_QUEUE_EARLY) {
        bool full = verdict == NET_QUEUE_FULL;

        *(full ? &pipe->stats.full : &pipe->stats.early) += 1;
        net_port_drop(port, full ? NET_DROP_LINK_QUEUE : NET_DROP_LINK_EARLY);
        return;
    }

    struct net_item *item = calloc(1, sizeof(*item));

    if (item == NULL) {
        net_port_drop(port, NET_DROP_NO_MEMORY);
        return;
    }
    item->port = port;
    item->frame = net_frame_get(frame);
    if (verdict == NET_QUEUE_MARK && !mark_item(pipe, item)) {
        drop_early(pipe, item);
        return;
    }
    net_queue_push(&pipe->queue, item, now_ns);
    transmit(pipe, now_ns);
}

void net_pipe_put(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                  uint64_t now_ns)
{
    if (now_ns < pipe->last_ns)
        now_ns = pipe->last_ns;
    pipe->last_ns = now_ns;
    transmit(pipe, now_ns);
    pipe->stats.in.frames++;
    pipe->stats.in.bytes += frame->length_bytes;

    bool lost = net_loss_loses(&pipe->loss, &pipe->config.loss);
    bool twice = net_chance_hits(pipe->config.duplicate, &pipe->duplicate);

    if (lost) {
        pipe->stats.lost++;
        net_port_drop(port, NET_DROP_LINK_LOSS);
    } else {
        admit(pipe, port, frame, now_ns);
    }
    if (twice) {
        pipe->stats.duplicated++;
        admit(pipe, port, frame, now_ns);
    }
}

static uint32_t hand_out(struct net_pipe *pipe, uint64_t until_ns, uint32_t frames_most)
{
    uint32_t count = 0;

    while (count < frames_most) {
        struct heap_node *first = heap_first(&pipe->flight);

        if (first == NULL || first->key > until_ns)
            break;
        heap_remove(&pipe->flight, first);

        struct net_item *item = container_of(first, struct net_item, due);

        pipe->flight_frames--;
        pipe->flight_bytes -= item->frame->length_bytes;
        pipe->stats.out.frames++;
        pipe->stats.out.bytes += item->frame->length_bytes;
        pipe->out(pipe, item->port, item->frame, first->key);
        discard(item);
        count++;
    }
    return count;
}

uint32_t net_pipe_advance(struct net_pipe *pipe, uint64_t now_ns, uint32_t frames_most)
{
    transmit(pipe, now_ns);
    return hand_out(pipe, now_ns, frames_most);
}

static bool keeps_order(const struct net_pipe *pipe)
{
    return pipe->config.jitter_ns == 0 && pipe->config.reorder.part == 0;
}

uint32_t net_pipe_advance_early(struct net_pipe *pipe, uint64_t until_ns, uint32_t frames_most)
{
    return keeps_order(pipe) ? hand_out(pipe, until_ns, frames_most) : 0;
}

uint64_t net_pipe_early_ns(const struct net_pipe *pipe)
{
    const struct heap_node *flying = heap_first(&pipe->flight);

    return flying != NULL && keeps_order(pipe) ? flying->key : UINT64_MAX;
}

uint64_t net_pipe_next_ns(const struct net_pipe *pipe)
{
    const struct heap_node *flying = heap_first(&pipe->flight);
    const struct net_item *waiting = net_queue_first(&pipe->queue);
    uint64_t next_ns = flying != NULL ? flying->key : UINT64_MAX;

    if (waiting != NULL) {
        uint64_t start_ns = ceil_ns(start_fp(pipe, waiting));

        if (start_ns < next_ns)
            next_ns = start_ns;
    }
    return next_ns;
}
