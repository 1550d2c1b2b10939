/* SPDX-License-Identifier: MIT */
#include "service/net/port.h"

#include <assert.h>
#include <stdio.h>

void net_port_init(struct net_port *port, const struct net_port_ops *ops, const char *name,
                   uint32_t weight)
{
    assert(weight > 0);
    *port = (struct net_port){.ops = ops, .weight = weight};
    (void)snprintf(port->name, sizeof port->name, "%s", name);
}

void net_port_input(struct net_port *port, struct net_frame *frame)
{
    frame->source = port->id;
    net_port_input_at(port, frame, frame->arrived_ns);
}

void net_port_input_at(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    if (frame->length_bytes < NET_FRAME_HEADER_BYTES) {
        net_port_drop(port, NET_DROP_MALFORMED);
        return;
    }
    if (port->up == NULL) {
        net_port_drop(port, NET_DROP_DISCONNECTED);
        return;
    }
    port->in.frames++;
    port->in.bytes += frame->length_bytes;
    port->up->put(port->up, port, frame, at_ns);
}

void net_port_output(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    if (port->down != NULL)
        port->down->put(port->down, port, frame, at_ns);
    else
        net_port_deliver(port, frame, at_ns);
}

void net_port_deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    port->out.frames++;
    port->out.bytes += frame->length_bytes;
    port->ops->deliver(port, frame, at_ns);
}

void net_port_drop(struct net_port *port, enum net_drop why)
{
    assert(why < NET_DROPS);
    port->drops[why]++;
}

void net_port_drop_delivered(struct net_port *port, const struct net_frame *frame,
                             enum net_drop why)
{
    assert(port->out.frames > 0 && port->out.bytes >= frame->length_bytes);
    port->out.frames--;
    port->out.bytes -= frame->length_bytes;
    net_port_drop(port, why);
}

const char *net_drop_name(enum net_drop why)
{
    static const char *const names[NET_DROPS] = {
        [NET_DROP_MALFORMED] = "malformed",   [NET_DROP_DISCONNECTED] = "disconnected",
        [NET_DROP_SPOOFED] = "spoofed",       [NET_DROP_LOCAL] = "local",
        [NET_DROP_FLOOD] = "flood",           [NET_DROP_RULE] = "rule",
        [NET_DROP_NO_ROOM] = "no-room",       [NET_DROP_STALLED] = "stalled",
        [NET_DROP_LINK_LOSS] = "link-loss",   [NET_DROP_LINK_QUEUE] = "link-queue",
        [NET_DROP_LINK_EARLY] = "link-early", [NET_DROP_NO_MEMORY] = "no-memory",
    };

    assert(why < NET_DROPS);
    return names[why];
}
