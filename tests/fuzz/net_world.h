/* SPDX-License-Identifier: MIT */
/* net_world: two bridges that are joined, interfaces and rules, and what must hold of them. */
#ifndef SPLITDOM_TESTS_FUZZ_NET_WORLD_H
#define SPLITDOM_TESTS_FUZZ_NET_WORLD_H

#include "base/container_of.h"
#include "fuzz/input.h"
#include "fuzz/net_packets.h"
#include "service/net/link.h"
#include "service/net/net.h"

enum { PORTS = 4, BRIDGES = 2 };

struct world;

struct end {
    struct net_port port;
    struct net_port_config config;
    struct world *world;
    struct packet_writer next; /* what it sends in its turn, */
    uint32_t waits;            /* and how often */
    bool is_full;
};

struct world {
    struct tdf_source source;
    struct tdf_clock clock;
    struct timers timers;
    struct timer_clock time;
    struct net net;
    struct net_bridge *bridge[BRIDGES];
    struct net_link trunk;
    struct end end[PORTS];
    uint64_t delivered;
    uint32_t sends_left;
};

static inline uint64_t hash_of(const struct net_frame *frame)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < frame->length_bytes; i++)
        hash = (hash ^ frame->data[i]) * UINT64_C(0x100000001b3);
    return hash & INT64_MAX;
}

static inline struct end *sender_of(struct world *w, const struct net_frame *frame)
{
    for (int i = 0; i < PORTS; i++) {
        if (w->end[i].port.id == frame->source)
            return &w->end[i];
    }
    abort();
}

static inline uint64_t drops_of(const struct net_port *port)
{
    uint64_t sum = 0;
    for (int i = 0; i < NET_DROPS; i++)
        sum += port->drops[i];
    return sum;
}

/* Whatever became of frames so far, and of their copies. */
static inline uint64_t fates(const struct world *w)
{
    uint64_t sum = w->delivered;
    for (int i = 0; i < PORTS; i++)
        sum += drops_of(&w->end[i].port);
    for (int i = 0; i < NET_WAYS; i++) {
        const struct net_pipe *pipe = &w->trunk.way[i].pipe;
        sum += drops_of(&w->trunk.ends[i]) + pipe->queue.frames + pipe->flight_frames;
    }
    return sum;
}

static inline uint32_t count_list(const struct list *list)
{
    uint32_t count = 0;
    for (struct list_node *node = list_first(list); node != NULL; node = list_next(list, node))
        count++;
    return count;
}

static inline void check_bridge(const struct net_bridge *bridge, uint32_t *flows)
{
    uint32_t addresses = 0, ports = 0;
    for (struct list_node *node = list_first(&bridge->members); node != NULL;
         node = list_next(&bridge->members, node), ports++) {
        const struct net_member *member = container_of(node, struct net_member, link);
        const struct net_fdb_share *share = &member->addresses;
        require(share->learned_count == count_list(&share->learned));
        require(share->learned_count <= NET_FDB_PORT_MAX);
        require(member->flows.count ==
                count_list(&member->flows.answered) + count_list(&member->flows.unanswered));
        require(member->flows.count <= NET_FLOWS_PORT_MAX);
        require(member->port->flood_spent <= NET_FLOOD_BURST_COPIES);
        addresses += share->learned_count + count_list(&share->fixed);
        *flows += member->flows.count;
    }
    require(bridge->fdb.count == addresses && bridge->port_count == ports);
}

static inline void check_bridges(const struct world *w)
{
    uint32_t flows = 0;
    for (int i = 0; i < BRIDGES; i++)
        check_bridge(w->bridge[i], &flows);
    require(w->net.rules.flows.count == flows);
}

static inline void check_rules(const struct world *w)
{
    uint32_t rules = 0, stateful = 0;
    for (const struct net_rule *rule = net_rules_next(&w->net.rules, NULL); rule != NULL;
         rule = net_rules_next(&w->net.rules, rule), rules++)
        stateful += rule->states != 0;
    require(w->net.rules.count == rules && w->net.rules.stateful == stateful);
}

#endif
