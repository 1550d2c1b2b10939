/* SPDX-License-Identifier: MIT */
#include "service/net/flows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "service/net/frame.h"

#define NS_PER_S UINT64_C(1000000000)

/* Whom a packet is between; all bytes are set, so that they compare and hash as they are. */
struct tuple {
    struct net_address source, target;
    uint16_t source_port, target_port; /* of ICMP both are the echo's id */
    uint8_t family, protocol;
    uint16_t zero;
};

struct net_flow {
    struct net_flow *next; /* in its bucket */
    struct tuple tuple;    /* of its first packet */
    struct net_flow_share *share;
    struct list_node of_share;
    uint64_t expires_ns;
    bool answered;
    bool first_fin, other_fin, closed;
};

int net_flows_init(struct net_flows *flows, uint64_t secret)
{
    *flows = (struct net_flows){.secret = secret | 1};
    flows->buckets = calloc(NET_FLOWS_BUCKETS, sizeof(*flows->buckets));
    return flows->buckets != NULL ? 0 : -ENOMEM;
}

void net_flows_fini(struct net_flows *flows)
{
    assert(flows->count == 0);
    free(flows->buckets);
    flows->buckets = NULL;
}

/* ---- tuples ---- */

static struct tuple tuple_of(const struct net_packet *packet)
{
    struct tuple t = {.source = packet->source,
                      .target = packet->target,
                      .family = packet->family,
                      .protocol = packet->protocol};

    if (packet->has_ports) {
        t.source_port = packet->source_port;
        t.target_port = packet->target_port;
    } else if (packet->has_icmp) {
        t.source_port = t.target_port = packet->icmp_id;
    }
    return t;
}

static struct tuple turned(const struct tuple *t)
{
    struct tuple other = *t;

    other.source = t->target;
    other.target = t->source;
    other.source_port = t->target_port;
    other.target_port = t->source_port;
    return other;
}

static struct net_flow **place_of(struct net_flows *flows, const struct tuple *t)
{
    uint64_t words[sizeof(*t) / 8], hash = flows->secret;

    _Static_assert(sizeof(*t) % 8 == 0, "a tuple is whole words");
    memcpy(words, t, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / 8; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash = (hash ^ hash >> 32) * flows->secret;
    }

    struct net_flow **place = &flows->buckets[(hash >> 40) % NET_FLOWS_BUCKETS];

    while (*place != NULL && memcmp(&(*place)->tuple, t, sizeof(*t)) != 0)
        place = &(*place)->next;
    return place;
}

static void forget(struct net_flows *flows, struct net_flow *flow)
{
    struct net_flow **place = place_of(flows, &flow->tuple);

    assert(*place == flow);
    *place = flow->next;
    list_remove(&flow->of_share);
    flow->share->count--;
    flows->count--;
    free(flow);
}

/* NULL: there is none, or it is too old. */
static struct net_flow *find(struct net_flows *flows, const struct tuple *t, uint64_t now_ns)
{
    struct net_flow *flow = *place_of(flows, t);

    if (flow != NULL && flow->expires_ns < now_ns) {
        forget(flows, flow);
        return NULL;
    }
    return flow;
}

/* ---- lives ---- */

static uint64_t patience_ns(const struct net_flow *flow)
{
    if (flow->tuple.protocol == NET_PROTOCOL_TCP)
        return (flow->closed ? 10 : flow->answered ? 3600 : 120) * NS_PER_S;
    return (flow->answered ? 120 : 30) * NS_PER_S;
}

static void seen(struct net_flow *flow, uint64_t now_ns)
{
    struct net_flow_share *share = flow->share;

    flow->expires_ns = now_ns + patience_ns(flow);
    list_remove(&flow->of_share);
    list_push_back(flow->answered ? &share->answered : &share->unanswered, &flow->of_share);
}

static void note_end(struct net_flow *flow, const struct net_packet *packet, bool first)
{
    if (packet->protocol != NET_PROTOCOL_TCP)
        return;
    if ((packet->tcp_flags & NET_TCP_FIN) != 0)
        *(first ? &flow->first_fin : &flow->other_fin) = true;
    if ((packet->tcp_flags & NET_TCP_RST) != 0 || (flow->first_fin && flow->other_fin))
        flow->closed = true;
}

/* A connection that is over, and begins again. */
static bool begins_again(const struct net_flow *flow, const struct net_packet *packet)
{
    return flow->closed && packet->protocol == NET_PROTOCOL_TCP &&
           (packet->tcp_flags & (NET_TCP_SYN | NET_TCP_ACK | NET_TCP_RST)) == NET_TCP_SYN;
}

/* ---- states ---- */

static bool is_icmp(const struct net_packet *packet)
{
    return packet->protocol == (packet->family == 4 ? NET_PROTOCOL_ICMP : NET_PROTOCOL_ICMPV6);
}

static bool is_echo_request(const struct net_packet *packet)
{
    return packet->icmp_type == (packet->family == 4 ? 8 : 128);
}

static bool is_icmp_error(const struct net_packet *packet)
{
    if (packet->family == 6)
        return packet->icmp_type < 128;
    return packet->icmp_type == 3 || packet->icmp_type == 4 || packet->icmp_type == 5 ||
           packet->icmp_type == 11 || packet->icmp_type == 12;
}

/* Neighbours and groups of IPv6 find each other by packets that belong to nothing. Linux has them
 * untracked. */
static bool is_neighbour_talk(const struct net_packet *packet)
{
    return packet->family == 6 && packet->icmp_type >= 130 && packet->icmp_type <= 137;
}

/* Can such a packet be the first of a connection? */
static bool may_begin(const struct net_packet *packet)
{
    const uint8_t all = NET_TCP_SYN | NET_TCP_ACK | NET_TCP_FIN | NET_TCP_RST;

    if (is_icmp(packet))
        return packet->has_icmp && is_echo_request(packet);
    if (packet->protocol == NET_PROTOCOL_TCP)
        return packet->has_ports && ((packet->tcp_flags & all) == NET_TCP_SYN ||
                                     (packet->tcp_flags & all) == NET_TCP_ACK);
    return packet->protocol != NET_PROTOCOL_UDP || packet->has_ports;
}

/* The packet that an ICMP error is about lies in the error, from its network header on. */
static uint8_t look_inside(struct net_flows *flows, const struct net_frame *frame,
                           const struct net_packet *packet, uint64_t now_ns)
{
    uint32_t at = packet->transport_byte + 8;

    if (at >= frame->length_bytes)
        return NET_STATE_INVALID;

    uint32_t bytes = frame->length_bytes - at;
    struct net_frame *inner = net_frame_new(NET_FRAME_HEADER_BYTES + bytes);

    if (inner == NULL)
        return NET_STATE_INVALID;

    struct net_packet about;

    memset(inner->data, 0, 12);
    inner->data[12] = packet->family == 4 ? 0x08 : 0x86;
    inner->data[13] = packet->family == 4 ? 0x00 : 0xdd;
    memcpy(inner->data + NET_FRAME_HEADER_BYTES, frame->data + at, bytes);
    net_packet_read(inner, &about);
    net_frame_put(inner);
    if (about.family == 0 || about.is_later_fragment)
        return NET_STATE_INVALID;

    struct tuple t = tuple_of(&about), back = turned(&t);

    return find(flows, &t, now_ns) != NULL || find(flows, &back, now_ns) != NULL
               ? NET_STATE_RELATED
               : NET_STATE_INVALID;
}

uint8_t net_flows_look(struct net_flows *flows, const struct net_frame *frame,
                       const struct net_packet *packet, uint64_t now_ns)
{
    if (packet->family == 0 || packet->is_later_fragment || !packet->has_protocol)
        return NET_STATE_INVALID;
    if (is_icmp(packet) && !packet->has_icmp)
        return NET_STATE_INVALID;
    if (is_icmp(packet) && is_icmp_error(packet))
        return look_inside(flows, frame, packet, now_ns);
    if (is_icmp(packet) && is_neighbour_talk(packet))
        return NET_STATE_INVALID;

    struct tuple t = tuple_of(packet), back = turned(&t);
    struct net_flow *flow = find(flows, &t, now_ns);
    /* An echo has the same id both ways: only an answer may be one. */
    bool may_answer = !is_icmp(packet) || !is_echo_request(packet);
    bool first = flow != NULL && (!is_icmp(packet) || is_echo_request(packet));

    if (!first)
        flow = may_answer ? find(flows, &back, now_ns) : NULL;
    if (flow != NULL && begins_again(flow, packet)) {
        forget(flows, flow);
        flow = NULL;
    }
    if (flow == NULL)
        return may_begin(packet) ? NET_STATE_NEW : NET_STATE_INVALID;
    if (!first)
        flow->answered = true;
    note_end(flow, packet, first);
    seen(flow, now_ns);
    return flow->answered ? NET_STATE_ESTABLISHED : NET_STATE_NEW;
}

static void make_room(struct net_flows *flows, struct net_flow_share *share)
{
    struct list_node *oldest;

    if (share->count < NET_FLOWS_PORT_MAX)
        return;
    oldest = list_first(&share->unanswered);
    if (oldest == NULL)
        oldest = list_first(&share->answered);
    forget(flows, container_of(oldest, struct net_flow, of_share));
    flows->recycled++;
}

void net_flows_note(struct net_flows *flows, struct net_flow_share *share,
                    const struct net_packet *packet, uint64_t now_ns)
{
    struct tuple t = tuple_of(packet);

    if (find(flows, &t, now_ns) != NULL)
        return;
    make_room(flows, share);

    struct net_flow *flow = calloc(1, sizeof(*flow));

    if (flow == NULL)
        return;
    flow->tuple = t;
    flow->share = share;
    flow->expires_ns = now_ns + patience_ns(flow);
    *place_of(flows, &t) = flow;
    list_push_back(&share->unanswered, &flow->of_share);
    share->count++;
    flows->count++;
}

void net_flows_drop(struct net_flows *flows, struct net_flow_share *share)
{
    struct list_node *node;

    while ((node = list_first(&share->unanswered)) != NULL ||
           (node = list_first(&share->answered)) != NULL)
        forget(flows, container_of(node, struct net_flow, of_share));
}
