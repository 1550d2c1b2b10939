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

void net_turns_remove(struct net_port *port)
{
    list_drop(&port->waiting);
    port->turns = NULL;
}

void net_turns_ready(struct net_port *port)
{
    if (port->turns != NULL && !list_is_linked(&port->waiting))
        list_push_back(&port->turns->ready, &port->waiting);
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

    uint32_t taken = port->ops->take(port, (uint32_t)port->deficit_bytes);

    port->deficit_bytes -= taken;
    if (taken == 0)
        port->deficit_bytes = 0; /* who has nothing to send saves nothing up */
    else if (!list_is_linked(&port->waiting))
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
