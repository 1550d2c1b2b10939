/* SPDX-License-Identifier: MIT */
#include "service/net/turns.h"

#include <assert.h>

#include "base/container_of.h"

void net_turns_add(struct net_turns *turns, struct net_port *port)
{
    assert(port->turns == NULL);
    port->turns = turns;
    port->deficit_bytes = 0;
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
        net_credit_init(&port->credit, bytes, interval_ns, tdf_clock_now_ns(time->clock));
        timer_init(&port->refill, time, on_refill, port);
    }
    if (waited)
        net_turns_ready(port);
}

void net_turns_remove(struct net_port *port)
{
    net_turns_limit(port, 0, 0, NULL);
    list_drop(&port->waiting);
    port->turns = NULL;
}

void net_turns_ready(struct net_port *port)
{
    if (port->turns != NULL && !list_is_linked(&port->waiting) && !waits_for_credit(port))
        list_push_back(&port->turns->ready, &port->waiting);
}

/* How much of its turn the port may use; 0: it waits for credit from now on. */
static uint32_t budget_of(struct net_port *port)
{
    uint32_t budget = port->deficit_bytes < UINT32_MAX ? (uint32_t)port->deficit_bytes : UINT32_MAX;

    if (port->credit_time == NULL)
        return budget;

    uint32_t left = net_credit_left(&port->credit, tdf_clock_now_ns(port->credit_time->clock));

    if (left == 0)
        timer_set(&port->refill, net_credit_when_ns(&port->credit));
    return left < budget ? left : budget;
}

/* One turn. Returns the bytes taken. */
static uint32_t give_turn(struct net_turns *turns, struct net_port *port)
{
    list_remove(&port->waiting);
    port->deficit_bytes += (int64_t)NET_TURNS_QUANTUM_BYTES * port->weight;
    if (port->deficit_bytes <= 0) {
        list_push_back(&turns->ready, &port->waiting);
        return 0;
    }

    uint32_t budget = budget_of(port);
    uint32_t taken = budget > 0 ? port->ops->take(port, budget) : 0;

    port->deficit_bytes -= taken;
    if (port->credit_time != NULL)
        net_credit_pay(&port->credit, taken);
    if (port->deficit_bytes > 0)
        port->deficit_bytes = 0; /* who has nothing to send, or may not, saves nothing up */
    if (taken > 0 && !list_is_linked(&port->waiting))
        list_push_back(&turns->ready, &port->waiting);
    return taken;
}

uint32_t net_turns_run(struct net_turns *turns)
{
    uint32_t total = 0;

    for (uint32_t visits = 0; visits < NET_TURNS_MAX_VISITS && total < NET_TURNS_MAX_BYTES;
         visits++) {
        struct list_node *first = list_first(&turns->ready);

        if (first == NULL)
            break;
        total += give_turn(turns, container_of(first, struct net_port, waiting));
    }
    return total;
}

bool net_turns_waits(const struct net_turns *turns)
{
    return !list_is_empty(&turns->ready);
}
