/* SPDX-License-Identifier: MIT */
#include "service/net/link.h"

#include <assert.h>
#include <stdio.h>

#include "base/container_of.h"

/* By how much of the link's time a frame may be handed out before it is due. */
static uint64_t early_ns(const struct net_link_way *way, uint64_t now_ns)
{
    const struct net_link *link = way->link;
    const struct tdf_clock *clock = link->time->clock;

    if (way != &link->way[NET_WAY_DOWN] || link->is_trunk || !link->port->holds)
        return 0;

    uint64_t then_ns = tdf_clock_at_ns(clock, tdf_clock_when_ns(clock, now_ns) + NET_LINK_EARLY_NS);

    return then_ns > now_ns ? then_ns - now_ns : 0; /* else the clock stands still */
}

/* When there is something to be done next. */
static uint64_t next_of(const struct net_link_way *way, uint64_t now_ns)
{
    uint64_t next_ns = net_pipe_next_ns(&way->pipe);
    uint64_t due_ns = net_pipe_early_ns(&way->pipe);

    if (due_ns == UINT64_MAX)
        return next_ns;

    uint64_t early = early_ns(way, now_ns);

    due_ns = due_ns > early ? due_ns - early : 0;
    return due_ns < next_ns ? due_ns : next_ns;
}

static void await(struct net_link_way *way)
{
    uint64_t next_ns = next_of(way, tdf_clock_now_ns(way->link->time->clock));

    if (next_ns == UINT64_MAX)
        timer_stop(&way->timer);
    else if (way->timer.state != TIMER_WAITING || way->timer.node.key != next_ns)
        timer_set(&way->timer, next_ns > 0 ? next_ns : 1);
}

static void on_due(struct timer *timer, void *opaque)
{
    struct net_link_way *way = opaque;

    uint64_t now_ns = tdf_clock_now_ns(way->link->time->clock), early = early_ns(way, now_ns);

    way->looked_ns = now_ns;

    uint32_t count = net_pipe_advance(&way->pipe, now_ns, NET_LINK_FRAMES_AT_ONCE);

    (void)timer;
    if (early > 0)
        (void)net_pipe_advance_early(&way->pipe, now_ns + early, NET_LINK_FRAMES_AT_ONCE - count);
    await(way);
}

/* A frame that is due at due_ns is handed out. Returns when that is by the wall. */
static uint64_t hand_out(struct net_link_way *way, uint64_t due_ns)
{
    net_lateness_add(&way->late, way->looked_ns > due_ns ? way->looked_ns - due_ns : 0);
    return tdf_clock_when_ns(way->link->time->clock, due_ns);
}

static struct net_link_way *of_pipe(struct net_pipe *pipe)
{
    return container_of(pipe, struct net_link_way, pipe);
}

static void put(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                uint64_t at_ns)
{
    struct net_link_way *way = container_of(sink, struct net_link_way, sink);
    struct tdf_clock *clock = way->link->time->clock;

    net_pipe_put(&way->pipe, port, frame, tdf_clock_at_ns(clock, at_ns));
    uint64_t now_ns = tdf_clock_now_ns(clock);

    if (next_of(way, now_ns) <= now_ns)
        on_due(&way->timer, way);
    else
        await(way);
}

/* ---- of a vif ---- */

static void out_up(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                   uint64_t due_ns)
{
    struct net_link_way *way = of_pipe(pipe);

    way->link->bridge->put(way->link->bridge, port, frame, hand_out(way, due_ns));
}

static void out_down(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                     uint64_t due_ns)
{
    net_port_deliver(port, frame, hand_out(of_pipe(pipe), due_ns));
}

/* ---- of two bridges ---- */

static void out_trunk(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                      uint64_t due_ns)
{
    struct net_link_way *way = of_pipe(pipe);
    struct net_link *link = way->link;
    struct net_port *other = &link->ends[way == &link->way[NET_WAY_UP] ? NET_WAY_DOWN : NET_WAY_UP];

    (void)port;
    net_port_input_at(other, frame, hand_out(way, due_ns));
}

/* What a bridge hands to its end of the trunk goes into the pipe. */
static void trunk_deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct net_link_way *way = port->owner;

    put(&way->sink, port, frame, at_ns);
}

/* A trunk has no turns. */
static uint32_t trunk_take(struct net_port *port, uint32_t budget_bytes)
{
    (void)port, (void)budget_bytes;
    return 0;
}

static const struct net_port_ops trunk_ops = {.deliver = trunk_deliver, .take = trunk_take};

/* ---- */

void net_link_init(struct net_link *link, const struct net_pipe_config config[NET_WAYS])
{
    *link = (struct net_link){.time = NULL};
    for (int i = 0; i < NET_WAYS; i++) {
        link->way[i].link = link;
        link->way[i].sink.put = put;
        net_pipe_init(&link->way[i].pipe, &config[i], i == NET_WAY_UP ? out_up : out_down);
    }
}

void net_link_configure(struct net_link *link, enum net_way way,
                        const struct net_pipe_config *config)
{
    net_pipe_configure(&link->way[way].pipe, config);
    if (link->time != NULL)
        await(&link->way[way]);
}

static void begin(struct net_link *link, struct timer_clock *time)
{
    assert(link->time == NULL);
    link->time = time;
    for (int i = 0; i < NET_WAYS; i++)
        timer_init(&link->way[i].timer, time, on_due, &link->way[i]);
}

void net_link_insert(struct net_link *link, struct net_port *port, struct timer_clock *time)
{
    assert(port->up != NULL && port->down == NULL);
    begin(link, time);
    link->port = port;
    link->bridge = port->up;
    port->up = &link->way[NET_WAY_UP].sink;
    port->down = &link->way[NET_WAY_DOWN].sink;
}

int net_link_join(struct net_link *link, struct net_bridge *first, struct net_bridge *second,
                  struct timer_clock *time)
{
    struct net_bridge *bridges[NET_WAYS] = {first, second};
    const struct net_port_config config = {.time = time};
    int rc = 0;

    begin(link, time);
    link->is_trunk = true;
    for (int i = 0; rc == 0 && i < NET_WAYS; i++) {
        char name[NET_PORT_NAME_SIZE];

        link->way[i].pipe.out = out_trunk;
        (void)snprintf(name, sizeof name, "to-%s", bridges[1 - i]->name);
        net_port_init(&link->ends[i], &trunk_ops, name, 1);
        link->ends[i].owner = &link->way[i];
        rc = net_bridge_connect(bridges[i], &link->ends[i], &config);
    }
    if (rc < 0)
        net_link_take_out(link);
    return rc;
}

void net_link_take_out(struct net_link *link)
{
    if (link->time == NULL)
        return;
    for (int i = 0; i < NET_WAYS; i++) {
        timer_stop(&link->way[i].timer);
        net_pipe_clear(&link->way[i].pipe, NET_DROP_DISCONNECTED);
    }
    if (link->is_trunk) {
        net_bridge_disconnect(&link->ends[NET_WAY_UP]);
        net_bridge_disconnect(&link->ends[NET_WAY_DOWN]);
    } else {
        link->port->up = link->bridge;
        link->port->down = NULL;
        link->port = NULL;
    }
    link->time = NULL;
}

struct net_bridge *net_link_beyond(const struct net_port *port)
{
    if (port->ops != &trunk_ops)
        return NULL;

    const struct net_link_way *way = port->owner;
    const struct net_link *link = way->link;

    return net_port_bridge(&link->ends[port == &link->ends[0] ? 1 : 0]);
}
