/* SPDX-License-Identifier: MIT */
#include "fakes/fake_vif.h"

#include <errno.h>
#include <stdlib.h>

#include "base/container_of.h"

enum { DOMID = 3, HZ = 1000000000 };

static uint64_t now_of(void *ctx)
{
    return fake_vif_now_ns(ctx);
}

static void broken(void *ctx, const char *why)
{
    struct fake_vif *v = ctx;
    v->broken = why;
}

static void deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct fake_vif *v = container_of(port, struct fake_vif, port);
    if (v->q != NULL)
        vif_queue_deliver(v->q, frame, at_ns);
    else
        net_port_drop_delivered(port, frame, NET_DROP_DISCONNECTED);
}

static uint32_t take(struct net_port *port, uint32_t budget_bytes)
{
    struct fake_vif *v = container_of(port, struct fake_vif, port);
    return v->q != NULL ? vif_queue_take(v->q, budget_bytes) : 0;
}

static const struct net_port_ops port_ops = {.deliver = deliver, .take = take};

int fake_vif_open(struct fake_vif *v, uint32_t index)
{
    *v = (struct fake_vif){.tdf = {1, 1}};
    int rc = fake_netfront_open(&v->front, DOMID, index);
    if (rc < 0)
        return rc;
    rc = tdf_source_manual(&v->time, HZ, 1000 * (uint64_t)HZ, 0);
    if (rc == 0)
        rc = tdf_clock_init(&v->clock, &v->time, NULL, 0, v->tdf);
    if (rc < 0)
        return rc;
    fake_network_open(&v->net);
    net_port_init(&v->port, &port_ops, "vif3.0", NET_PORT_WEIGHT_DEFAULT);
    fake_network_join(&v->net, &v->port);
    poll_peer_init(&v->peer, v->front.segment.hints);
    v->loop.no_spin = true;
    v->config = (struct vif_queue_config){
        .segment = &v->front.segment,
        .tx_ring_ref = FAKE_NETFRONT_TX_RING_REF,
        .rx_ring_ref = FAKE_NETFRONT_RX_RING_REF,
        .tx_event = {.port = FAKE_VIF_PORT, .vcpu = FAKE_VIF_VCPU},
        .rx_event = {.port = FAKE_VIF_PORT + 1, .vcpu = FAKE_VIF_VCPU},
        .features = {.sg = true,
                     .gso_tcpv4 = true,
                     .gso_tcpv6 = true,
                     .csum_ipv4 = true,
                     .csum_ipv6 = true},
        .port = &v->port,
        .clock = &v->clock,
        .tdf = &v->tdf,
        .now_ns = now_of,
        .now_ctx = v,
        .broken = broken,
        .ctx = v,
    };
    return 0;
}

int fake_vif_connect(struct fake_vif *v)
{
    int rc = vif_queue_create(&v->config, &v->q);
    if (rc == 0)
        pollables_add(&v->loop, &v->peer, &v->q->pollable);
    return rc;
}

void fake_vif_disconnect(struct fake_vif *v, struct vif_stats *total)
{
    if (v->q != NULL)
        pollables_remove(&v->q->pollable);
    vif_queue_destroy(v->q, total);
    v->q = NULL;
}

void fake_vif_close(struct fake_vif *v)
{
    fake_vif_disconnect(v, NULL);
    fake_network_leave(&v->port);
    fake_network_close(&v->net);
    fake_netfront_close(&v->front);
}

uint64_t fake_vif_now_ns(const struct fake_vif *v)
{
    return tdf_source_counter(&v->time);
}

void fake_vif_turn(struct fake_vif *v)
{
    bool busy = true;
    while (busy) {
        busy = pollables_turn(&v->loop, fake_vif_now_ns(v)) > 0;
        busy = net_turns_waits(&v->net.turns) || busy;
        fake_network_run(&v->net);
        if (!busy)
            busy =
                !pollables_settle(&v->loop, fake_vif_now_ns(v)) || net_turns_waits(&v->net.turns);
    }
}

void fake_vif_ring(struct fake_vif *v, bool notify)
{
    if (notify)
        pollables_wake(&v->loop, &v->peer);
    fake_vif_turn(v);
}

void fake_vif_deliver(struct fake_vif *v, uint32_t length_bytes, uint32_t seed)
{
    struct net_frame *frame = fake_network_frame(length_bytes, seed);
    if (frame == NULL)
        abort();
    net_port_output(&v->port, frame, fake_vif_now_ns(v));
    net_frame_put(frame);
}

uint64_t fake_vif_drops(const struct fake_vif *v)
{
    uint64_t drops = 0;
    for (int i = 0; i < NET_DROPS; i++)
        drops += v->port.drops[i];
    return drops;
}
