/* SPDX-License-Identifier: MIT */
#include "service/net/pressure.h"

#include <assert.h>

#include "base/container_of.h"
#include "service/net/turns.h"

static void go_on(struct net_port *port)
{
    list_remove(&port->waiter);
    port->waits_for = NULL;
    net_turns_go_on(port);
}

/* The owner is told: it may count on being looked at no longer. */
static void release(struct net_port *port)
{
    struct list_node *node;

    if (!net_pressure_is_felt(port))
        return;
    while ((node = list_first(&port->waiters)) != NULL)
        go_on(container_of(node, struct net_port, waiter));
    if (port->ops->released != NULL)
        port->ops->released(port);
}

/* The timer is not stopped when who waited went on: it would be set again at once. */
static void look_at_patience(struct timer *timer, void *opaque)
{
    struct net_port *port = opaque;
    uint64_t end_ns = port->felt_since_ns + NET_PRESSURE_NS;

    if (!net_pressure_is_felt(port))
        return;
    if (tdf_clock_now_ns(port->turns->time->clock) < end_ns) {
        timer_set(timer, end_ns);
        return;
    }
    port->is_ignored = true;
    release(port);
}

void net_pressure_begin(struct net_port *port)
{
    port->full_queues++;
}

void net_pressure_end(struct net_port *port)
{
    assert(port->full_queues > 0);
    if (--port->full_queues > 0)
        return;
    port->is_ignored = false;
    release(port);
}

/* Does it send to others as well? What it has for them would wait, too. */
static bool sends_to_several(struct net_port *from, const struct net_port *to, uint64_t at_ns)
{
    if (from->last_to != to->id) {
        if (from->last_to != 0)
            from->several_until_ns = at_ns + NET_PRESSURE_SEVERAL_NS;
        from->last_to = to->id;
    }
    return at_ns < from->several_until_ns;
}

static bool may_wait(const struct net_port *from, const struct net_port *to)
{
    const struct net_turns *turns = from->turns;

    return !to->is_ignored && to->down == NULL && turns != NULL && turns == to->turns &&
           turns->time != NULL && turns->taking == from && !net_pressure_waits(to);
}

static void begin_to_wait(struct net_port *from, struct net_port *to)
{
    struct timer_clock *time = from->turns->time;

    assert(from != to && !from->is_ready);
    release(from);
    if (!net_pressure_is_felt(to)) {
        to->felt_since_ns = tdf_clock_now_ns(time->clock);
        if (to->patience.fn == NULL)
            timer_init(&to->patience, time, look_at_patience, to);
        if (to->patience.state == TIMER_STOPPED)
            timer_set(&to->patience, to->felt_since_ns + NET_PRESSURE_NS);
    }
    from->waits_for = to;
    list_push_back(&to->waiters, &from->waiter);
}

void net_pressure_sent(struct net_port *from, struct net_port *to, uint64_t at_ns)
{
    bool several = sends_to_several(from, to, at_ns);

    if (to->full_queues == 0 || net_pressure_waits(from))
        return;
    if (!several && may_wait(from, to))
        begin_to_wait(from, to);
    else
        release(to); /* whoever does not wait must not have all the room that there will be */
}

void net_pressure_leave(struct net_port *port)
{
    struct net_port *to = port->waits_for;

    if (port->patience.fn != NULL)
        timer_stop(&port->patience);
    release(port);
    if (to == NULL)
        return;
    list_remove(&port->waiter);
    port->waits_for = NULL;
    if (!net_pressure_is_felt(to) && to->ops->released != NULL)
        to->ops->released(to);
}
