/* SPDX-License-Identifier: MIT */
/*
 * net_rule: one rule of the virtual firewall: what frames it is about, and what becomes of them, in
 * words as nft(8) has them where it can:
 *
 *     bridge=NAME in=VIF out=VIF smac=MAC dmac=MAC type=ip|ip6|arp|vlan|0x88b5
 *     from=NET to=NET proto=tcp|udp|icmp|icmp6|NUMBER sport=N[-M] dport=N[-M]
 *     state=new,established,related,invalid
 *     accept | drop | limit=N/second[:BURST] | mirror=VIF
 *
 * Everything that is named must hold. `limit` drops what comes faster, and lets the rest go on to
 * the next rule; `mirror` gives the VIF a copy, and goes on. IP behind up to two VLAN tags counts
 * as IP.
 */
#ifndef SPLITDOM_SERVICE_NET_RULE_H
#define SPLITDOM_SERVICE_NET_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/why.h"
#include "service/net/packet.h"
#include "service/net/port.h"

enum net_rule_action { NET_RULE_ACCEPT, NET_RULE_DROP, NET_RULE_LIMIT, NET_RULE_MIRROR };

/* Bits of a set. A packet is in one of these states (flows.h). */
enum net_state {
    NET_STATE_NEW = 1,
    NET_STATE_ESTABLISHED = 2,
    NET_STATE_RELATED = 4,
    NET_STATE_INVALID = 8, /* also what is no IP */
};

struct net_rule_net {
    uint8_t family; /* 4 or 6; 0: any */
    uint32_t prefix_bits;
    struct net_address address;
};

struct net_rule {
    uint32_t id;
    /* What it is about; empty, or has_... false: anything. */
    char bridge[NET_PORT_NAME_SIZE], in[NET_PORT_NAME_SIZE], out[NET_PORT_NAME_SIZE];
    bool has_smac, has_dmac, has_type, has_proto, has_sport, has_dport;
    uint64_t smac, dmac;
    uint16_t type;
    uint8_t proto;
    uint16_t sport[2], dport[2]; /* from, to */
    struct net_rule_net from, to;
    uint8_t states; /* 0: any */
    /* What becomes of it. */
    enum net_rule_action action;
    uint64_t limit_per_s, limit_burst;
    char mirror[NET_PORT_NAME_SIZE];
    /* Counters, and the limit's tokens. */
    struct net_count matched;
    uint64_t tokens_ns; /* of time: a frame takes 1 / limit_per_s */
    uint64_t filled_ns;
    struct list_node link;
};

/* Errors: -EINVAL with a line for people in why. */
int net_rule_parse(const char *words, struct net_rule *out, struct why *why);
/* The same words. Cut to size. */
void net_rule_format(const struct net_rule *rule, char *out, size_t size);

/* Is the rule about this frame? state: one of enum net_state. */
bool net_rule_matches(const struct net_rule *rule, const char *bridge, const struct net_port *in,
                      const struct net_port *out, const struct net_packet *packet, uint8_t state);
/* Of a limit: may one more pass at now_ns? */
bool net_rule_has_token(struct net_rule *rule, uint64_t now_ns);

#endif
