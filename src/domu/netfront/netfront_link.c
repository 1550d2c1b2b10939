/* SPDX-License-Identifier: MIT */
/*
 * The interface as a device of its domain: what it takes of the domain when it is opened, and what
 * the domain's link thread does with it afterwards (vif_front_class): changes of the link, closing,
 * Dom0's death, the next life. Frames that the last Dom0 had not answered are lost, as on any wire.
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

static uint32_t tx_ring_pfn(const struct netfront *nf)
{
    return nf->first_pfn + nf->options.tx_slots + nf->options.rx_slots;
}

static uint32_t rx_ring_pfn(const struct netfront *nf)
{
    return tx_ring_pfn(nf) + 1;
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

static void start_rings(struct netfront *nf)
{
    take_features(nf);
    pthread_mutex_lock(&nf->tx.lock);
    netfront_restart_tx(nf);
    pthread_mutex_unlock(&nf->tx.lock);
    pthread_mutex_lock(&nf->rx.lock);
    netfront_restart_rx(nf);
    pthread_mutex_unlock(&nf->rx.lock);
}

/* Fails the interface unless we are closing it ourselves. */
static void vif_lost(struct xenbus_front *front, int error, const char *why)
{
    struct netfront *nf = netfront_of(front);
    if (load_full_u32(&nf->closing) != 0)
        return;
    netfront_fail(nf, error, why);
    netfront_side_resume(&nf->tx);
    netfront_side_resume(&nf->rx);
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
    if (domu_device_is_lost(front, state))
        vif_lost(front, -ENOTCONN, "Dom0 closed the interface (its log says why)");
}

static int vif_suspend(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    pthread_mutex_lock(&nf->state_lock);
    nf->link.carrier = false;
    pthread_mutex_unlock(&nf->state_lock);
    netfront_side_suspend(nf, &nf->tx);
    netfront_side_suspend(nf, &nf->rx);
    int rc = netfront_failed(nf);
    if (rc < 0) {
        netfront_side_resume(&nf->tx);
        netfront_side_resume(&nf->rx);
    }
    return rc;
}

static int prepare(struct netfront *nf, char *why, size_t why_bytes)
{
    int rc = vif_front_prepare(&nf->front, why, why_bytes);
    nf->front.no_offload = nf->options.no_offload;
    if (nf->options.no_stamps)
        nf->front.stamps = false;
    return rc;
}

/* Offers the rings, whose pages are granted, in the life of the front end. */
static int connect_rings(struct netfront *nf, char *why, size_t why_bytes)
{
    const struct segment *segment = &nf->front.xenbus.life->segment;
    nf->front.tx_ring_ref = nf->rx_ref + nf->options.rx_slots;
    nf->front.rx_ring_ref = nf->front.tx_ring_ref + 1;
    nf->front.tx_port = ports_port(&nf->domu->ports, nf->tx.vcpu, &nf->tx);
    nf->front.rx_port = ports_port(&nf->domu->ports, nf->rx.vcpu, &nf->rx);
    sring_init(segment_page(segment, tx_ring_pfn(nf)), 0);
    sring_init(segment_page(segment, rx_ring_pfn(nf)), 0);
    return vif_front_connect(&nf->front, why, why_bytes);
}

static int vif_link(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct netfront *nf = netfront_of(front);
    int rc = prepare(nf, why, why_bytes);
    return rc < 0 ? rc : connect_rings(nf, why, why_bytes);
}

static void vif_resume(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    start_rings(nf);
    pthread_mutex_lock(&nf->tx.lock);
    nf->reconnects++;
    pthread_mutex_unlock(&nf->tx.lock);
    netfront_side_resume(&nf->tx);
    netfront_side_resume(&nf->rx);
}

/* What is sent Dom0 may only read; the rest it writes. */
static int grant_pages(struct netfront *nf)
{
    struct grants *grants = &nf->domu->grants;
    const uint32_t nr_tx = nf->options.tx_slots;
    int rc = grants_offer(grants, nf->first_pfn, nr_tx, true, &nf->tx_ref);
    if (rc < 0)
        return rc;
    rc = grants_offer(grants, nf->first_pfn + nr_tx, nf->options.rx_slots + 2, false, &nf->rx_ref);
    if (rc < 0) /* Dom0 has not been told of the others: it has none mapped */
        (void)grants_end(grants, nf->tx_ref, nr_tx, true);
    return rc;
}

static int take_pages(struct netfront *nf, char *why, size_t why_bytes)
{
    struct pages *pages = &nf->domu->pages;
    const uint32_t nr_pages = nf->options.tx_slots + nf->options.rx_slots + 2;
    int rc = pages_take(pages, nr_pages, &nf->first_pfn);
    if (rc == 0) {
        rc = grant_pages(nf);
        if (rc < 0)
            pages_give(pages, nf->first_pfn, nr_pages);
    }
    if (rc == 0)
        nf->nr_pages = nr_pages;
    else
        snprintf(why, why_bytes,
                 "the domain has no %u pages for the interface (domu_options.pages): %s", nr_pages,
                 strerror(-rc));
    return rc;
}

static int take_port(struct netfront *nf, struct netfront_side *side, char *why, size_t why_bytes)
{
    int rc = ports_open(&nf->domu->ports, &nf->domu->life, side);
    if (rc < 0) {
        snprintf(why, why_bytes, "cannot get an event channel: %s", strerror(-rc));
        return rc;
    }
    side->vcpu = (uint32_t)rc;
    return 0;
}

/* What Dom0 still has mapped is of no use to anybody as long as the domain lives. */
static void vif_give_back(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    struct domu *domu = nf->domu;
    if (nf->tx.vcpu != 0)
        ports_close(&domu->ports, &domu->life, nf->tx.vcpu, &nf->tx);
    if (nf->rx.vcpu != 0)
        ports_close(&domu->ports, &domu->life, nf->rx.vcpu, &nf->rx);
    if (nf->nr_pages != 0) {
        bool dead = life_is_dead(&domu->life);
        int tx_rc = grants_end(&domu->grants, nf->tx_ref, nf->options.tx_slots, dead);
        int rx_rc = grants_end(&domu->grants, nf->rx_ref, nf->options.rx_slots + 2, dead);
        if (tx_rc == 0 && rx_rc == 0)
            pages_give(&domu->pages, nf->first_pfn, nf->nr_pages);
    }
    nf->tx.vcpu = nf->rx.vcpu = nf->nr_pages = 0;
}

static int vif_open(struct xenbus_front *front, char *why, size_t why_bytes)
{
    struct netfront *nf = netfront_of(front);
    int rc = prepare(nf, why, why_bytes);
    if (rc < 0)
        return rc;
    rc = take_pages(nf, why, why_bytes);
    if (rc == 0)
        rc = take_port(nf, &nf->tx, why, why_bytes);
    if (rc == 0)
        rc = take_port(nf, &nf->rx, why, why_bytes);
    if (rc == 0)
        rc = connect_rings(nf, why, why_bytes);
    if (rc == 0)
        return 0;
    xenbus_front_close(front);
    vif_give_back(front);
    return rc;
}

static void vif_opened(struct xenbus_front *front)
{
    struct netfront *nf = netfront_of(front);
    const struct life *life = &nf->domu->life;
    const struct segment *segment = &life->segment;
    nf->tx_ring.half.sring = segment_page(segment, tx_ring_pfn(nf));
    nf->rx_ring.half.sring = segment_page(segment, rx_ring_pfn(nf));
    nf->tx_data = segment_page(segment, nf->first_pfn);
    nf->rx_data = segment_page(segment, nf->first_pfn + nf->options.tx_slots);
    nf->doorbell_fd = life->doorbell_fd;
    nf->shared_info = segment->shared_info;
    nf->clock = &nf->domu->clock;
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
