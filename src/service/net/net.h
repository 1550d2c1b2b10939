/* SPDX-License-Identifier: MIT */
/*
 * net: the network inside Dom0: the bridges by name, and whose turn it is to send.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_NET_H
#define SPLITDOM_SERVICE_NET_NET_H

#include <stdint.h>

#include "base/list.h"
#include "base/prng.h"
#include "service/net/bridge.h"
#include "service/net/turns.h"

enum { NET_BRIDGES_MAX = 64 };

#define NET_BRIDGE_DEFAULT "xenbr0" /* of a vif that names none, as xl's */

struct net {
    struct net_turns turns;
    struct list bridges; /* of net_bridge.link, in the order of their creation */
    uint32_t bridge_count;
    uint32_t last_port_id;
    struct prng secrets;
    struct net_rules rules; /* of all bridges */
};

/* A network without bridges and rules. Errors: -ENOMEM. */
int net_init(struct net *net, uint64_t seed);
/* No port is connected any more. A zeroed one is allowed. */
void net_fini(struct net *net);

/* A new bridge. Errors: -EINVAL the name; -EEXIST; -ENOSPC NET_BRIDGES_MAX; -ENOMEM. */
int net_add_bridge(struct net *net, const char *name, struct net_bridge **out);
/* NULL: there is none of that name. */
struct net_bridge *net_find_bridge(const struct net *net, const char *name);
/* After NULL the first one, NULL after the last one. */
struct net_bridge *net_next_bridge(const struct net *net, const struct net_bridge *bridge);

/* Puts a vif's port on the bridge of that name, gives the port an id if it has none, and turns.
 * Errors: -ENODEV there is no such bridge; those of net_bridge_connect. */
int net_connect(struct net *net, struct net_port *port, const char *bridge_name,
                const struct net_port_config *config);
/* The vif's port of that name on any bridge; NULL: there is none. The ends of a link between
 * bridges are not looked at: what a mirror gave to the next bridge would meet the same rules there,
 * and might come again and again. */
struct net_port *net_find_port(const struct net *net, const char *name);
/* Takes the port off. Allowed on a port that is on no bridge. Not from within take or deliver. */
void net_disconnect(struct net_port *port);

#endif
