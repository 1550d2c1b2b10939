/* SPDX-License-Identifier: MIT */
/*
 * net_flows: the connections that rules ask about: who has spoken first, and whether the other one
 * has answered. The states are those of Linux's connection tracking, without a look at windows.
 *
 *   new          of a connection whose other end has sent nothing so far
 *   established  of one whose both ends have spoken, either way
 *   related      an ICMP error about such a packet
 *   invalid      no IP, a later fragment, a TCP packet that can't be the first (neither SYN nor ACK
 *                alone), an ICMP answer to nothing
 *
 * Bounded: a port has at most NET_FLOWS_PORT_MAX connections that began with it; more push out its
 * own oldest ones, those without an answer first. So a flood of connections costs its own port
 * alone.
 *
 * Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_NET_FLOWS_H
#define SPLITDOM_SERVICE_NET_FLOWS_H

#include <stdint.h>

#include "base/list.h"
#include "service/net/packet.h"
#include "service/net/rule.h"

struct net_flow;
struct net_frame;

enum { NET_FLOWS_PORT_MAX = 8192, NET_FLOWS_BUCKETS = 16384 };

struct net_flows {
    struct net_flow **buckets;
    uint64_t secret;
    uint32_t count;
    uint64_t recycled;
};

/* The connections that began with one port. Zeroed: none. */
struct net_flow_share {
    struct list unanswered, answered; /* the one seen longest ago first */
    uint32_t count;
};

/* Errors: -ENOMEM. */
int net_flows_init(struct net_flows *flows, uint64_t secret);
/* All shares were dropped. A zeroed one is allowed. */
void net_flows_fini(struct net_flows *flows);

/* In which state is the packet? Takes notice of an answer and of an end; a new connection is not
 * noted. One of enum net_state. */
uint8_t net_flows_look(struct net_flows *flows, const struct net_frame *frame,
                       const struct net_packet *packet, uint64_t now_ns);
/* The packet, which is new, has passed: notes its connection. Where there is no memory, it stays
 * new. */
void net_flows_note(struct net_flows *flows, struct net_flow_share *share,
                    const struct net_packet *packet, uint64_t now_ns);
void net_flows_drop(struct net_flows *flows, struct net_flow_share *share);

#endif
