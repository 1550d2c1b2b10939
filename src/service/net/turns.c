/* SPDX-License-Identifier: MIT */
#include "service/net/turns.h"

#include <assert.h>

#include "base/container_of.h"
#include "service/net/pressure.h"

/* Bytes for each unit of weight, in parts of a byte: what the heap's keys count. A key goes round
 * once in 2^48 bytes at weight 1, and no port is ahead of another by half of that. */
enum { SHARE_BITS = 16 };

/* By how much a port that has waited for a full one may be late, behind the one that is furthest: a
 * MiB of its bytes at the weight of most. What it lost beyond that is nobody's debt. */
#define LATE_MAX ((UINT64_C(1) << 20 << SHARE_BITS) / NET_PORT_WEIGHT_DEFAULT)

void net_turns_add(struct net_turns *turns, struct net_port *port)
{
    assert(port->turns == NULL && !port->is_ready);
    port->turns = turns;
}

static bool waits_for_credit(const struct net_port *port)
{
    return port->credit_time != NULL && port->refill.state != TIMER_STOPPED;
}

static void on_refill(struct timer *timer, void *opaque)
{
    (void)timer;
    net_turns_ready(opaque);
}

void net_turns_limit(struct net_port *port, uint64_t bytes, uint64_t interval_ns,
                     struct timer_clock *time)
{
    bool waited = waits_for_credit(port);

    if (waited)
        timer_stop(&port->refill);
    port->credit_time = bytes != 0 ? time : NULL;
    if (bytes != 0) {
        net_credit_change(&port->credit, bytes, interval_ns, tdf_clock_now_ns(time->clock));
        timer_init(&port->refill, time, on_refill, port);
    }
    if (waited)
        net_turns_ready(port);
}

void net_turns_remove(struct net_port *port)
{
    net_turns_limit(port, 0, 0, NULL);
    net_pressure_leave(port);
    if (port->is_ready)
        heap_remove(&port->turns->ready, &port->turn);
    port->is_ready = false;
    port->turns = NULL;
}

/* Its next turn is when the bytes of the others, for their weights, have come up to its own. */
static void queue_up(struct net_port *port, uint64_t key)
{
    heap_insert(&port->turns->ready, &port->turn, key);
    port->is_ready = true;
}

void net_turns_ready(struct net_port *port)
{
    if (port->turns != NULL && !port->is_ready && !waits_for_credit(port) &&
        !net_pressure_waits(port))
        queue_up(port, port->turns->now + port->debt);
}

/* Its place is where it was, not behind those that had turns meanwhile: when all send to one port,
 * those that wait for it last would otherwise have more than their share. */
void net_turns_go_on(struct net_port *port)
{
    struct net_turns *turns = port->turns;

    assert(!port->is_ready && !net_pressure_waits(port));
    if (waits_for_credit(port) || port == turns->taking) /* its present turn queues it up */
        return;

    uint64_t key = port->resume_at;

    if ((int64_t)(turns->front - key) > (int64_t)LATE_MAX)
        key = turns->front - LATE_MAX;
    if ((int64_t)(turns->now - key) > 0) {
        turns->now = key;
        turns->ready.origin = key;
    }
    queue_up(port, key);
}

/* How much the port may hand in now; 0: it waits for credit from now on. */
static uint32_t budget_of(struct net_port *port, bool alone)
{
    const uint32_t alone_bytes =
        port->turns->is_brief ? NET_TURNS_BRIEF_ALONE_BYTES : NET_TURNS_ALONE_BYTES;
    uint32_t budget = alone ? alone_bytes : NET_TURNS_BYTES;

    if (port->credit_time == NULL)
        return budget;

    uint32_t left = net_credit_left(&port->credit, tdf_clock_now_ns(port->credit_time->clock));

    if (left == 0)
        timer_set(&port->refill, net_credit_when_ns(&port->credit));
    return left < budget ? left : budget;
}

/* The first port's turn. Returns the bytes taken; *copied_bytes grows by what was copied beyond. */
static uint32_t give_turn(struct net_turns *turns, uint64_t *copied_bytes)
{
    struct net_port *port = container_of(heap_first(&turns->ready), struct net_port, turn);

    uint64_t now = port->turn.key; /* who goes on meanwhile may turn that of the others back */

    turns->now = now;
    turns->ready.origin = now;
    if ((int64_t)(now - turns->front) > 0)
        turns->front = now;
    heap_remove(&turns->ready, &port->turn);
    port->is_ready = false;

    bool alone = heap_first(&turns->ready) == NULL;
    uint32_t budget = budget_of(port, alone);

    turns->taking = port;

    uint32_t taken = budget > 0 ? port->ops->take(port, budget) : 0;

    turns->taking = NULL;
    /* What it had because nobody waited it does not owe to who comes next. */
    uint64_t bytes = alone && taken > NET_TURNS_BYTES ? NET_TURNS_BYTES : taken;
    bytes += port->copied_bytes;
    *copied_bytes += port->copied_bytes;

    port->copied_bytes = 0;
    port->debt = (bytes << SHARE_BITS) / port->weight;
    if (port->credit_time != NULL)
        net_credit_pay(&port->credit, taken);
    port->resume_at = now + port->debt;
    if (taken > 0 && !port->is_ready && !net_pressure_waits(port))
        queue_up(port, port->resume_at);
    return taken;
}

uint32_t net_turns_run(struct net_turns *turns)
{
    const uint32_t max_bytes = turns->is_brief ? NET_TURNS_BRIEF_MAX_BYTES : NET_TURNS_MAX_BYTES;
    uint64_t copied_bytes = 0;
    uint32_t total = 0;

    for (uint32_t visits = 0; visits < NET_TURNS_MAX_VISITS && total + copied_bytes < max_bytes &&
                              heap_first(&turns->ready) != NULL;
         visits++)
        total += give_turn(turns, &copied_bytes);
    return total;
}

bool net_turns_waits(const struct net_turns *turns)
{
    return heap_first(&turns->ready) != NULL;
}
