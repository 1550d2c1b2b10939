/* SPDX-License-Identifier: MIT */
#include "service/net/bridge.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "service/net/frame.h"
#include "service/net/mac.h"
#include "service/net/packet.h"
#include "service/net/pressure.h"

#define NS_PER_S UINT64_C(1000000000)

bool net_bridge_name_is_valid(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length >= NET_BRIDGE_NAME_SIZE || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '/' || *c == ':' || *c == ',' || !isgraph((unsigned char)*c))
            return false;
    }
    return true;
}

/* ---- the way of a frame ---- */

static void pass_on(struct net_count *count, struct net_port *to, struct net_frame *frame,
                    uint64_t at_ns)
{
    count->frames++;
    count->bytes += frame->length_bytes;
    net_port_output(to, frame, at_ns);
}

/* Asks the rules, unless there are none. */
static bool may_pass(struct net_bridge *bridge, const struct net_passage *passage,
                     struct net_port *out)
{
    if (bridge->rules == NULL || bridge->rules->count == 0 ||
        net_rules_pass(bridge->rules, passage, out))
        return true;
    net_port_drop(passage->in, NET_DROP_RULE);
    return false;
}

/* May the port have so many copies made of its frame, now? */
static bool take_flood_tokens(struct net_port *from, uint32_t copies, uint64_t at_ns)
{
    uint64_t passed_ns = at_ns > from->flood_at_ns ? at_ns - from->flood_at_ns : 0;
    const uint64_t per_token_ns = NS_PER_S / NET_FLOOD_COPIES_PER_S;
    const uint64_t tokens = passed_ns / per_token_ns;

    if (tokens >= from->flood_spent) {
        from->flood_spent = 0;
        from->flood_at_ns = at_ns > from->flood_at_ns ? at_ns : from->flood_at_ns;
    } else {
        from->flood_spent -= tokens;
        from->flood_at_ns += tokens * per_token_ns;
    }
    if (from->flood_spent + copies > NET_FLOOD_BURST_COPIES)
        return false;
    from->flood_spent += copies;
    return true;
}

static void flood(struct net_bridge *bridge, struct net_member *from,
                  const struct net_passage *passage)
{
    struct net_frame *frame = passage->frame;
    uint64_t at_ns = passage->at_ns;

    uint32_t copies = bridge->port_count - 1;

    if (!take_flood_tokens(from->port, copies, at_ns)) {
        net_port_drop(from->port, NET_DROP_FLOOD);
        return;
    }
    for (struct list_node *node = list_first(&bridge->members); node != NULL;
         node = list_next(&bridge->members, node)) {
        struct net_member *to = container_of(node, struct net_member, link);

        if (to != from && may_pass(bridge, passage, to->port))
            pass_on(&bridge->stats.flooded, to->port, frame, at_ns);
    }
    if (copies > 1)
        from->port->copied_bytes += (uint64_t)frame->length_bytes * (copies - 1);
}

/* Does the frame say the truth about where it is from? Its source address is learned then. */
static bool accept_source(struct net_bridge *bridge, struct net_member *from,
                          const struct net_packet *packet, uint64_t at_ns)
{
    const struct net_guard *guard = &from->config.guard;

    if (packet->from == 0 || net_mac_is_group(packet->from)) {
        net_port_drop(from->port, NET_DROP_MALFORMED);
        return false;
    }
    if (!net_guard_passes(guard, packet) ||
        (!net_fdb_learn(&bridge->fdb, from->port, &from->addresses, packet->from, at_ns) &&
         packet->from != from->config.mac)) {
        net_port_drop(from->port, NET_DROP_SPOOFED);
        return false;
    }
    return true;
}

static void bridge_put(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                       uint64_t at_ns)
{
    struct net_bridge *bridge = container_of(sink, struct net_bridge, sink);
    struct net_member *from = port->member;
    struct net_packet packet;

    net_packet_read(frame, &packet);
    if (!accept_source(bridge, from, &packet, at_ns))
        return;
    if (net_mac_is_link_local(packet.to)) {
        net_port_drop(port, NET_DROP_LOCAL);
        return;
    }

    struct net_passage passage = {.bridge = bridge->name,
                                  .in = port,
                                  .flows = &from->flows,
                                  .frame = frame,
                                  .packet = &packet,
                                  .at_ns = at_ns};

    if (bridge->rules != NULL && bridge->rules->count > 0)
        net_rules_begin(bridge->rules, &passage);

    struct net_port *to =
        net_mac_is_group(packet.to) ? NULL : net_fdb_find(&bridge->fdb, packet.to, at_ns);

    if (to == NULL && bridge->port_count > 1)
        flood(bridge, from, &passage);
    else if (to == NULL || to == port)
        net_port_drop(port, NET_DROP_LOCAL);
    else if (may_pass(bridge, &passage, to)) {
        pass_on(&bridge->stats.forwarded, to, frame, at_ns);
        net_pressure_sent(port, to, at_ns);
    }
}

/* ---- ports ---- */

int net_bridge_create(const char *name, uint64_t ageing_ns, uint64_t secret,
                      struct net_bridge **out)
{
    if (!net_bridge_name_is_valid(name))
        return -EINVAL;

    struct net_bridge *bridge = calloc(1, sizeof(*bridge));

    if (bridge == NULL)
        return -ENOMEM;

    int rc = net_fdb_init(&bridge->fdb, ageing_ns, secret);

    if (rc < 0) {
        free(bridge);
        return rc;
    }
    (void)snprintf(bridge->name, sizeof bridge->name, "%s", name);
    bridge->sink.put = bridge_put;
    *out = bridge;
    return 0;
}

void net_bridge_destroy(struct net_bridge *bridge)
{
    if (bridge == NULL)
        return;
    assert(list_is_empty(&bridge->members));
    net_fdb_fini(&bridge->fdb);
    free(bridge);
}

int net_bridge_connect(struct net_bridge *bridge, struct net_port *port,
                       const struct net_port_config *config)
{
    if (port->member != NULL)
        return -EBUSY;
    if (bridge->port_count == NET_BRIDGE_PORTS_MAX)
        return -ENOSPC;

    struct net_member *member = calloc(1, sizeof(*member));

    if (member == NULL)
        return -ENOMEM;
    *member = (struct net_member){.port = port, .bridge = bridge, .config = *config};

    int rc =
        config->mac != 0 ? net_fdb_fix(&bridge->fdb, port, &member->addresses, config->mac) : 0;

    if (rc < 0 && rc != -EEXIST) {
        free(member);
        return rc;
    }
    list_push_back(&bridge->members, &member->link);
    bridge->port_count++;
    port->member = member;
    port->up = &bridge->sink;
    return 0;
}

/* The address of a port that has left is the next one's with the same, or who may say anything
 * would draw its frames away. Without memory for that it is learned as any other. */
static void inherit(struct net_bridge *bridge, uint64_t mac)
{
    for (struct list_node *node = list_first(&bridge->members); node != NULL;
         node = list_next(&bridge->members, node)) {
        struct net_member *next = container_of(node, struct net_member, link);

        if (next->config.mac == mac) {
            (void)net_fdb_fix(&bridge->fdb, next->port, &next->addresses, mac);
            return;
        }
    }
}

void net_bridge_disconnect(struct net_port *port)
{
    struct net_member *member = port->member;

    if (member == NULL)
        return;

    struct net_bridge *bridge = member->bridge;

    port->up = NULL;
    port->member = NULL;
    net_fdb_drop(&bridge->fdb, &member->addresses);
    if (bridge->rules != NULL)
        net_flows_drop(&bridge->rules->flows, &member->flows);
    list_remove(&member->link);
    bridge->port_count--;
    if (member->config.mac != 0)
        inherit(bridge, member->config.mac);
    free(member);
}

struct net_bridge *net_port_bridge(const struct net_port *port)
{
    return port->member != NULL ? port->member->bridge : NULL;
}

struct net_port *net_bridge_next_port(const struct net_bridge *bridge, const struct net_port *port)
{
    struct list_node *node = port == NULL ? list_first(&bridge->members)
                                          : list_next(&bridge->members, &port->member->link);

    return node != NULL ? container_of(node, struct net_member, link)->port : NULL;
}
