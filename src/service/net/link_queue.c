/* SPDX-License-Identifier: MIT */
#include "service/net/link_queue.h"

#include <assert.h>

#include "base/container_of.h"
#include "service/net/frame.h"
#include "tdf/rational.h"

enum { CODEL_QUIET_BYTES = 1514 }; /* one frame may always wait (codel.h: mtu) */

void net_queue_init(struct net_queue *queue, uint64_t seed)
{
    *queue = (struct net_queue){.red_idle_ns = 0, .red_count = -1};
    prng_init(&queue->prng, seed, 2);
}

struct net_item *net_queue_first(const struct net_queue *queue)
{
    return container_or_null(list_first(&queue->items), struct net_item, link);
}

/* ---- RED ---- */

/* (1 - 2^-log)^times, of 2^64. */
static uint64_t decay(uint32_t log, uint64_t times)
{
    u128 factor = ((u128)1 << 64) - ((u128)1 << (64 - log)), result = (u128)1 << 64;

    for (; times > 0 && result > 0; times >>= 1) {
        if ((times & 1) != 0)
            result = (result * (factor >> 1)) >> 63;
        factor = ((factor >> 1) * factor) >> 63;
    }
    return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

static void red_average(struct net_queue *queue, const struct net_queue_config *config,
                        uint64_t now_ns)
{
    uint32_t log = config->red.weight_log;

    if (queue->red_idle_ns == UINT64_MAX) {
        queue->red_average = queue->red_average - (queue->red_average >> log) + queue->bytes;
        return;
    }

    uint64_t idle_ns = now_ns > queue->red_idle_ns ? now_ns - queue->red_idle_ns : 0;
    uint64_t factor = decay(log, idle_ns / config->red.idle_frame_ns);

    if (factor != UINT64_MAX)
        queue->red_average = (uint64_t)(((u128)queue->red_average * factor) >> 64);
}

static bool red_hits(struct net_queue *queue, const struct net_queue_config *config,
                     uint64_t now_ns)
{
    red_average(queue, config, now_ns);

    uint64_t average = queue->red_average >> config->red.weight_log;
    uint64_t drawn = prng_next(&queue->prng) >> 32;

    if (average < config->red.min_bytes) {
        queue->red_count = -1;
        return false;
    }
    if (average >= config->red.max_bytes) {
        queue->red_count = 0;
        return true;
    }
    queue->red_count++;

    uint64_t span = config->red.max_bytes - config->red.min_bytes;
    uint64_t once = (average - config->red.min_bytes) * config->red.probability / span;
    u128 passed = (u128)once * (uint64_t)queue->red_count;
    uint64_t rest = passed >= (u128)1 << 32 ? 0 : (UINT64_C(1) << 32) - (uint64_t)passed;

    /* With probability once / (1 - count * once). */
    if (drawn * rest >> 32 >= once)
        return false;
    queue->red_count = 0;
    return true;
}

enum net_queue_verdict net_queue_judge(struct net_queue *queue,
                                       const struct net_queue_config *config, uint32_t bytes,
                                       uint64_t now_ns)
{
    bool hit = config->aqm == NET_AQM_RED && red_hits(queue, config, now_ns);

    if ((config->limit_frames != 0 && queue->frames >= config->limit_frames) ||
        (config->limit_bytes != 0 && queue->bytes + bytes > config->limit_bytes))
        return NET_QUEUE_FULL;
    if (hit)
        return config->ecn ? NET_QUEUE_MARK : NET_QUEUE_EARLY;
    return NET_QUEUE_TAKE;
}

void net_queue_push(struct net_queue *queue, struct net_item *item, uint64_t now_ns)
{
    item->enqueued_ns = now_ns;
    list_push_back(&queue->items, &item->link);
    queue->frames++;
    queue->bytes += item->frame->length_bytes;
    queue->red_idle_ns = UINT64_MAX;
}

static struct net_item *take_off(struct net_queue *queue, uint64_t now_ns)
{
    struct list_node *node = list_pop_front(&queue->items);

    if (node == NULL)
        return NULL;

    struct net_item *item = container_of(node, struct net_item, link);

    queue->frames--;
    queue->bytes -= item->frame->length_bytes;
    if (queue->frames == 0)
        queue->red_idle_ns = now_ns;
    return item;
}

/* ---- CoDel ---- */

/* One step of Newton's towards 1 / sqrt(count). */
static void codel_step(struct net_queue *queue)
{
    uint64_t root = queue->codel_inverse_root;
    uint64_t square = root * root >> 32;
    uint64_t rest = (UINT64_C(3) << 32) - queue->codel_count * square;

    rest >>= 2; /* so that the product fits */
    queue->codel_inverse_root = (uint32_t)(rest * root >> (32 - 2 + 1));
}

static uint64_t codel_next(const struct net_queue *queue, const struct net_queue_config *config,
                           uint64_t from_ns)
{
    return from_ns +
           (uint64_t)(((u128)config->codel.interval_ns * queue->codel_inverse_root) >> 32);
}

static bool codel_should_drop(struct net_queue *queue, const struct net_queue_config *config,
                              const struct net_item *item, uint64_t now_ns)
{
    if (item == NULL) {
        queue->codel_above_ns = 0;
        return false;
    }
    if (now_ns - item->enqueued_ns < config->codel.target_ns || queue->bytes <= CODEL_QUIET_BYTES) {
        queue->codel_above_ns = 0;
        return false;
    }
    if (queue->codel_above_ns == 0) {
        queue->codel_above_ns = now_ns + config->codel.interval_ns;
        return false;
    }
    return now_ns > queue->codel_above_ns;
}

/* Goes on dropping while its time has come. */
static struct net_item *codel_go_on(struct net_queue *queue, const struct net_queue_config *config,
                                    struct net_item *item, uint64_t now_ns, net_queue_drop_fn *drop,
                                    void *ctx)
{
    while (queue->codel_drops && now_ns >= queue->codel_drop_ns) {
        queue->codel_count++;
        codel_step(queue);
        if (config->ecn && drop(ctx, item, true)) {
            queue->codel_drop_ns = codel_next(queue, config, queue->codel_drop_ns);
            return item;
        }
        if (!config->ecn)
            (void)drop(ctx, item, false);
        item = take_off(queue, now_ns);
        if (!codel_should_drop(queue, config, item, now_ns))
            queue->codel_drops = false;
        else
            queue->codel_drop_ns = codel_next(queue, config, queue->codel_drop_ns);
    }
    return item;
}

static struct net_item *codel_begin(struct net_queue *queue, const struct net_queue_config *config,
                                    struct net_item *item, uint64_t now_ns, net_queue_drop_fn *drop,
                                    void *ctx)
{
    if (!config->ecn || !drop(ctx, item, true)) {
        if (!config->ecn)
            (void)drop(ctx, item, false);
        item = take_off(queue, now_ns);
        (void)codel_should_drop(queue, config, item, now_ns);
    }
    queue->codel_drops = true;

    /* Where the last time of dropping was not long ago, its rate is a good one to begin with. */
    uint32_t before = queue->codel_count - queue->codel_last_count;

    if (before > 1 && now_ns - queue->codel_drop_ns < 16 * config->codel.interval_ns) {
        queue->codel_count = before;
        codel_step(queue);
    } else {
        queue->codel_count = 1;
        queue->codel_inverse_root = UINT32_MAX;
    }
    queue->codel_last_count = queue->codel_count;
    queue->codel_drop_ns = codel_next(queue, config, now_ns);
    return item;
}

struct net_item *net_queue_pop(struct net_queue *queue, const struct net_queue_config *config,
                               uint64_t now_ns, net_queue_drop_fn *drop, void *ctx)
{
    struct net_item *item = take_off(queue, now_ns);

    if (config->aqm != NET_AQM_CODEL)
        return item;
    if (item == NULL) {
        queue->codel_drops = false;
        return NULL;
    }

    bool high = codel_should_drop(queue, config, item, now_ns);

    if (queue->codel_drops && !high)
        queue->codel_drops = false;
    else if (queue->codel_drops)
        return codel_go_on(queue, config, item, now_ns, drop, ctx);
    else if (high)
        return codel_begin(queue, config, item, now_ns, drop, ctx);
    return item;
}
