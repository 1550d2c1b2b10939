/* SPDX-License-Identifier: MIT */
/*
 * net_bridge: a learning bridge: joins ports, and hands each frame on to where its target was seen.
 *
 * As Linux's bridge without spanning tree: frames to group addresses and to unknown ones go to all
 * other ports (flooding); those for the next bridge alone (01:80:c2:00:00:0x) go nowhere; nothing
 * goes back to the port that it came from. Circles of bridges are refused where links are made
 * (dom0/vifs/vif_links.h).
 *
 * Bounded: ports (NET_BRIDGE_PORTS_MAX), addresses of a port (fdb.h), copies made of a port's
 * flooded frames (NET_FLOOD_COPIES_PER_S, with a burst). A port's turns pay for the copies.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_BRIDGE_H
#define SPLITDOM_SERVICE_NET_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/net/fdb.h"
#include "service/net/guard.h"
#include "service/net/port.h"
#include "service/net/rules.h"

struct timer_clock;

enum {
    NET_BRIDGE_NAME_SIZE = 16,   /* as a network device's, with the NUL */
    NET_BRIDGE_PORTS_MAX = 1024, /* as Linux's BR_MAX_PORTS */
    NET_FLOOD_COPIES_PER_S = 1000000,
    NET_FLOOD_BURST_COPIES = 50000,
};

#define NET_BRIDGE_AGEING_NS UINT64_C(300000000000) /* as Linux's */

/* Counters of what happened in a bridge; drops are the ports'. */
struct net_bridge_stats {
    struct net_count forwarded; /* to one port */
    struct net_count flooded;   /* copies of the others */
};

struct net_bridge {
    char name[NET_BRIDGE_NAME_SIZE];
    struct net_fdb fdb;
    struct net_bridge_stats stats;
    uint32_t port_count;
    struct list_node link;   /* its owner's */
    struct net_rules *rules; /* its owner's, set before there are ports; NULL: there are none */
    /* Private. */
    struct net_sink sink;
    struct list members; /* of net_member.link, in the order of their connection */
};

/* How a port takes part. */
struct net_port_config {
    struct net_guard guard;
    uint64_t mac; /* the owner's own address, which is fixed at this port; 0: none (a trunk) */
    struct timer_clock *time; /* the owner's clock, for links in its time; outlives the connection.
                                 NULL: it has none */
};

/* A port of a bridge. */
struct net_member {
    struct net_port *port;
    struct net_bridge *bridge;
    struct net_port_config config;
    struct list_node link;
    struct net_fdb_share addresses;
    struct net_flow_share flows;
};

/* Is that a name that a bridge can have? As a network device's: up to 15 bytes, no '/', ':' or
 * blank, not "." or "..". */
bool net_bridge_name_is_valid(const char *name);

/* Errors: -EINVAL the name is not valid; -ENOMEM. secret: any number that domains don't know. */
int net_bridge_create(const char *name, uint64_t ageing_ns, uint64_t secret,
                      struct net_bridge **out);
/* Has no ports. NULL allowed. */
void net_bridge_destroy(struct net_bridge *bridge);

/* The port's frames enter the bridge from now on, and its frames leave to the port. An address that
 * another port has fixed already stays the other's until that leaves; the port has it in its guard
 * all the same.
 * Errors: -EBUSY it is on a bridge; -ENOSPC the bridge is full; -ENOMEM. */
int net_bridge_connect(struct net_bridge *bridge, struct net_port *port,
                       const struct net_port_config *config);
/* Allowed on a port that is on none. Not from within take or deliver. */
void net_bridge_disconnect(struct net_port *port);

/* NULL: the port is on none. */
struct net_bridge *net_port_bridge(const struct net_port *port);
/* The ports: after NULL the first one, NULL after the last one. */
struct net_port *net_bridge_next_port(const struct net_bridge *bridge, const struct net_port *port);

#endif
