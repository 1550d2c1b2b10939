/* SPDX-License-Identifier: MIT */
#include "service/net/net.h"

#include <errno.h>
#include <string.h>

#include "base/container_of.h"
#include "service/net/link.h"

static struct net_port *find_port(void *ctx, const char *name)
{
    return net_find_port(ctx, name);
}

int net_init(struct net *net, uint64_t seed)
{
    *net = (struct net){.last_port_id = 0};
    prng_init(&net->secrets, seed, 0);

    int rc = net_rules_init(&net->rules, prng_next(&net->secrets));

    net->rules.find_port = find_port;
    net->rules.ctx = net;
    return rc;
}

void net_fini(struct net *net)
{
    struct list_node *node;

    while ((node = list_pop_front(&net->bridges)) != NULL)
        net_bridge_destroy(container_of(node, struct net_bridge, link));
    net->bridge_count = 0;
    net_rules_fini(&net->rules);
}

int net_add_bridge(struct net *net, const char *name, struct net_bridge **out)
{
    if (net_find_bridge(net, name) != NULL)
        return -EEXIST;
    if (net->bridge_count == NET_BRIDGES_MAX)
        return -ENOSPC;

    int rc = net_bridge_create(name, NET_BRIDGE_AGEING_NS, prng_next(&net->secrets), out);

    if (rc < 0)
        return rc;
    (*out)->rules = &net->rules;
    list_push_back(&net->bridges, &(*out)->link);
    net->bridge_count++;
    return 0;
}

struct net_bridge *net_find_bridge(const struct net *net, const char *name)
{
    struct net_bridge *bridge = net_next_bridge(net, NULL);

    while (bridge != NULL && strcmp(bridge->name, name) != 0)
        bridge = net_next_bridge(net, bridge);
    return bridge;
}

struct net_bridge *net_next_bridge(const struct net *net, const struct net_bridge *bridge)
{
    struct list_node *node =
        bridge == NULL ? list_first(&net->bridges) : list_next(&net->bridges, &bridge->link);

    return node != NULL ? container_of(node, struct net_bridge, link) : NULL;
}

struct net_port *net_find_port(const struct net *net, const char *name)
{
    for (const struct net_bridge *bridge = net_next_bridge(net, NULL); bridge != NULL;
         bridge = net_next_bridge(net, bridge)) {
        for (struct net_port *port = net_bridge_next_port(bridge, NULL); port != NULL;
             port = net_bridge_next_port(bridge, port)) {
            if (strcmp(port->name, name) == 0 && net_link_beyond(port) == NULL)
                return port;
        }
    }
    return NULL;
}

int net_connect(struct net *net, struct net_port *port, const char *bridge_name,
                const struct net_port_config *config)
{
    struct net_bridge *bridge = net_find_bridge(net, bridge_name);

    if (bridge == NULL)
        return -ENODEV;

    int rc = net_bridge_connect(bridge, port, config);

    if (rc < 0)
        return rc;
    if (port->id == 0)
        port->id = ++net->last_port_id;
    net_turns_add(&net->turns, port);
    return 0;
}

void net_disconnect(struct net_port *port)
{
    net_turns_remove(port);
    net_bridge_disconnect(port);
}
