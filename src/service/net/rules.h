/* SPDX-License-Identifier: MIT */
/*
 * net_rules: the virtual firewall: rules in their order, asked about each frame that a bridge is
 * about to hand from one port to another (as nft's hook forward of the family bridge). The first
 * accept or drop decides; without one the frame passes. Administered by Dom0 alone.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_RULES_H
#define SPLITDOM_SERVICE_NET_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/why.h"
#include "service/net/flows.h"
#include "service/net/rule.h"

enum { NET_RULES_MAX = 1024 };

struct net_rules {
    struct list rules; /* of net_rule.link */
    uint32_t count;
    uint32_t last_id;
    uint32_t stateful; /* rules that ask for a state: without one nothing is tracked */
    struct net_flows flows;
    /* Where a mirror's frames go: NULL: nowhere, the name is nobody's. */
    struct net_port *(*find_port)(void *ctx, const char *name);
    void *ctx;
};

/* One frame on its way; the caller sets all but state. */
struct net_passage {
    const char *bridge;
    struct net_port *in;
    struct net_flow_share *flows; /* of in */
    struct net_frame *frame;
    const struct net_packet *packet;
    uint64_t at_ns;
    uint8_t state; /* net_rules_begin's */
};

/* Errors: -ENOMEM. */
int net_rules_init(struct net_rules *rules, uint64_t secret);
/* All shares were dropped. A zeroed one is allowed. */
void net_rules_fini(struct net_rules *rules);

/* Adds a rule behind all others, or before the one with that id (0: none). Errors: -EINVAL with a
 * line in why; -ENOENT no rule has that id; -ENOSPC NET_RULES_MAX; -ENOMEM. *id is the new one's.
 */
int net_rules_add(struct net_rules *rules, const char *words, uint32_t before, uint32_t *id,
                  struct why *why);
/* -ENOENT. */
int net_rules_delete(struct net_rules *rules, uint32_t id);
/* After NULL the first one, NULL after the last one. */
const struct net_rule *net_rules_next(const struct net_rules *rules, const struct net_rule *rule);

/* Before the ports are asked about. */
void net_rules_begin(struct net_rules *rules, struct net_passage *passage);
/* May the frame go to this port? Mirrors, and notes a connection that begins. */
bool net_rules_pass(struct net_rules *rules, const struct net_passage *passage,
                    const struct net_port *out);

#endif
