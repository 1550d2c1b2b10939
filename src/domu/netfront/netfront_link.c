/* SPDX-License-Identifier: MIT */
/*
 * The interface as a device of its domain: how it is connected, and what the domain's link thread
 * does with it afterwards (vif_front_class): changes of the link, closing, Dom0's death, the next
 * life. Frames that the last Dom0 had not answered are lost, as on any wire.
 *
 * Memory, doorbell and vCPUs keep their place in all lives of the domain; see domu_link.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/container_of.h"
#include "domu/domu_device.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"
#include "xenstore/xenbus_state.h"

static struct netfront *netfront_of(struct xenbus_front *front)
{
    return container_of(front, struct netfront, front.xenbus);
}

/* What Dom0 has told is what counts from now on. Nobody uses the rings. */
static void take_features(struct netfront *nf)
{
    const struct vif_front *front = &nf->front;
    pthread_mutex_lock(&nf->state_lock);
    nf->scatter_gather = front->scatter_gather;
    nf->gso_tcpv4 = front->gso_tcpv4;
    nf->gso_tcpv6 = front->gso_tcpv6;
    nf->ipv6_checksum = front->ipv6_checksum;
    nf->stamps = front->stamps;
    nf->link = front->link;
    nf->domid = nf->domu->life.segment.domid;
    pthread_mutex_unlock(&nf->state_lock);
}

/* No side is in use. */
static void start_queue(struct netfront_queue *q, bool has_ring)
{
    pthread_mutex_lock(&q->tx.lock);
    q->tx.without_ring = !has_ring;
    netfront_restart_tx(q);
    pthread_mutex_unlock(&q->tx.lock);
    pthread_mutex_lock(&q->rx.lock);
    q->rx.without_ring = !has_ring;
    netfront_restart_rx(q);
    pthread_mutex_unlock(&q->rx.lock);
}

static void start_rings(struct netfront *nf)
{
    take_features(nf);
    store_relaxed_u32(&nf->queues_in_use, nf->front.queue_count);
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        start_queue(&nf->queue[i], i < nf->front.queue_count);
}

static void suspend_all(struct netfront *nf)
{
    for (uint32_t i = 0; i < nf->nr_queues; i++) {
        netfront_side_suspend(nf, &nf->queue[i].tx);
        netfront_side_suspend(nf, &nf->queue[i].rx);
    }
}

static void resume_all(struct netfront *nf)
{
    for (uint32_t i = 0; i < nf->nr_queues; i++) {
        netfront_side_resume(&nf->queue[i].tx);
        netfront_side_resume(&nf->queue[i].rx);
    }
}

/* Fails the interface unless we are closing it ourselves. */
static void vif_lost(struct xenbus_front *front, int error, const char *why)
{
    struct netfront *nf = netfront_of(front);
    if (load_full_u32(&nf->closing) != 0)
        return;
    netfront_fail(nf, error, why);
    resume_all(nf);
}

static void vif_changed(struct xenbus_front *front, int state)
{
    struct netfront *nf = netfront_of(front);
    if (state == XenbusStateConnected && vif_front_read_link(&nf->front) == 0) {
        pthread_mutex_lock(&nf->state_lock);
        nf->link = nf->front.link;
        pthread_mutex_unlock(&nf->state_lock);
        return;
    }
    int loss = domu_device_loss(front, state);
    if (loss < 0)
        vif_lost(front, loss,
                 loss == -ENOTCONN ? "Dom0 closed the interface (its log says why)"
                                   : "nodes of the interface (state, mac, carrier) make no sense "
                                     "or cannot be read: the interface is disabled");
}

static int vif_suspend(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    pthread_mutex_lock(&nf->state_lock);
    nf->link.carrier = false;
    pthread_mutex_unlock(&nf->state_lock);
    suspend_all(nf);
    int rc = netfront_failed(nf);
    if (rc < 0)
        resume_all(nf);
    return rc;
}

static int prepare(struct netfront *nf, uint32_t wanted_queues, char *why, size_t why_bytes)
{
    int rc = vif_front_prepare(&nf->front, wanted_queues, why, why_bytes);
    nf->front.no_offload = nf->options.no_offload;
    if (nf->options.no_stamps)
        nf->front.stamps = false;
    return rc;
}

/* Offers the rings, whose pages are granted, in the life of the front end. */
static int connect_rings(struct netfront *nf, char *why, size_t why_bytes)
{
    const struct segment *segment = &nf->front.xenbus.life->segment;
    const struct ports *ports = &nf->domu->ports;
    const grant_ref_t first_ref = nf->rx_ref + nf->nr_queues * nf->options.rx_slots;
    for (uint32_t i = 0; i < nf->front.queue_count; i++) {
        const struct netfront_queue *q = &nf->queue[i];
        struct vif_front_queue *offer = &nf->front.queue[i];
        offer->tx_ring_ref = first_ref + 2 * i;
        offer->rx_ring_ref = first_ref + 2 * i + 1;
        offer->tx_port = ports_port(ports, q->tx.vcpu, &q->tx);
        offer->rx_port = ports_port(ports, q->rx.vcpu, &q->rx);
        sring_init(segment_page(segment, netfront_tx_ring_pfn(nf, i)), 0);
        sring_init(segment_page(segment, netfront_rx_ring_pfn(nf, i)), 0);
    }
    return vif_front_connect(&nf->front, why, why_bytes);
}

/* Another Dom0 may have fewer queues for us. */
static int vif_link(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct netfront *nf = netfront_of(front);
    int rc = prepare(nf, nf->nr_queues, why, why_bytes);
    return rc < 0 ? rc : connect_rings(nf, why, why_bytes);
}

static void vif_resume(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    start_rings(nf);
    pthread_mutex_lock(&nf->state_lock);
    nf->reconnects++;
    pthread_mutex_unlock(&nf->state_lock);
    resume_all(nf);
}

static void vif_give_back(struct xenbus_front *front)
{
    netfront_memory_give(netfront_of(front));
}

static int vif_open(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct netfront *nf = netfront_of(front);
    int rc = prepare(nf, nf->options.queues, why, why_bytes);
    if (rc < 0)
        return rc;
    nf->nr_queues = nf->front.queue_count;
    rc = netfront_memory_take(nf, why, why_bytes);
    if (rc == 0)
        rc = connect_rings(nf, why, why_bytes);
    if (rc == 0)
        return 0;
    xenbus_front_close(front);
    netfront_memory_give(nf);
    return rc;
}

/* Where it is in all lives of the domain. */
static void place_queue(struct netfront *nf, uint32_t index)
{
    const struct segment *segment = &nf->domu->life.segment;
    const uint32_t tx_slots = nf->options.tx_slots, rx_slots = nf->options.rx_slots;
    struct netfront_queue *q = &nf->queue[index];
    q->tx_ring.half.sring = segment_page(segment, netfront_tx_ring_pfn(nf, index));
    q->rx_ring.half.sring = segment_page(segment, netfront_rx_ring_pfn(nf, index));
    q->tx_ref = nf->tx_ref + index * tx_slots;
    q->rx_ref = nf->rx_ref + index * rx_slots;
    q->tx_data = segment_page(segment, nf->first_pfn + index * tx_slots);
    q->rx_data = segment_page(segment, nf->first_pfn + nf->nr_queues * tx_slots + index * rx_slots);
}

static void vif_opened(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    const struct life *life = &nf->domu->life;
    nf->doorbell_fd = life->doorbell_fd;
    nf->shared_info = life->segment.shared_info;
    nf->clock = &nf->domu->clock;
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        place_queue(nf, i);
    start_rings(nf);
}

static const struct front_class vif_front_class = {
    .name = "vif",
    .device = "interface",
    .open = vif_open,
    .opened = vif_opened,
    .give_back = vif_give_back,
    .changed = vif_changed,
    .suspend = vif_suspend,
    .link = vif_link,
    .resume = vif_resume,
    .lost = vif_lost,
};

int netfront_link_start(struct netfront *nf, char *why, size_t why_bytes)
{
    return domu_device_open(nf->domu, &nf->front.xenbus, &vif_front_class, nf->options.devid, why,
                            why_bytes);
}

void netfront_link_stop(struct netfront *nf)
{
    if (nf->domu == NULL)
        return;
    store_full_u32(&nf->closing, 1);
    domu_device_close(nf->domu, &nf->front.xenbus);
}
