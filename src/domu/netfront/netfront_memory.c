/* SPDX-License-Identifier: MIT */
/*
 * What an interface has of its domain: pages for frames both ways and for rings, grants of them,
 * and a port on a vCPU of its own for each direction of each queue. All data lie together, then
 * come the rings, so that what Dom0 may only read is one run of references and what it writes
 * another.
 */
#include <stdio.h>
#include <string.h>

#include "domu/netfront/netfront_private.h"

static uint32_t nr_tx_pages(const struct netfront *nf)
{
    return nf->nr_queues * nf->options.tx_slots;
}

/* Of the rx data and all rings. */
static uint32_t nr_written_pages(const struct netfront *nf)
{
    return nf->nr_queues * (nf->options.rx_slots + 2);
}

uint32_t netfront_tx_ring_pfn(const struct netfront *nf, uint32_t queue)
{
    return nf->first_pfn + nr_tx_pages(nf) + nf->nr_queues * nf->options.rx_slots + 2 * queue;
}

uint32_t netfront_rx_ring_pfn(const struct netfront *nf, uint32_t queue)
{
    return netfront_tx_ring_pfn(nf, queue) + 1;
}

static int grant_pages(struct netfront *nf)
{
    struct grants *grants = &nf->domu->grants;
    const uint32_t nr_tx = nr_tx_pages(nf);
    int rc = grants_offer(grants, nf->first_pfn, nr_tx, true, &nf->tx_ref);
    if (rc < 0)
        return rc;
    rc = grants_offer(grants, nf->first_pfn + nr_tx, nr_written_pages(nf), false, &nf->rx_ref);
    if (rc < 0) /* Dom0 has not been told of the others: it has none mapped */
        (void)grants_end(grants, nf->tx_ref, nr_tx, true);
    return rc;
}

static int take_pages(struct netfront *nf, char *why, size_t why_bytes)
{
    struct pages *pages = &nf->domu->pages;
    const uint32_t nr_pages = nr_tx_pages(nf) + nr_written_pages(nf);
    grants_sweep(&nf->domu->grants, pages);
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
        ports_explain(rc, why, why_bytes);
        return rc;
    }
    side->vcpu = (uint32_t)rc;
    return 0;
}

int netfront_memory_take(struct netfront *nf, char *why, size_t why_bytes)
{
    int rc = take_pages(nf, why, why_bytes);
    for (uint32_t i = 0; i < nf->nr_queues && rc == 0; i++) {
        rc = take_port(nf, &nf->queue[i].tx, why, why_bytes);
        if (rc == 0)
            rc = take_port(nf, &nf->queue[i].rx, why, why_bytes);
    }
    return rc;
}

static void give_port(struct netfront *nf, struct netfront_side *side)
{
    if (side->vcpu != 0)
        ports_close(&nf->domu->ports, &nf->domu->life, side->vcpu, side);
    side->vcpu = 0;
}

/* What Dom0 still has mapped is of no use to anybody until it is not: see grants_sweep. */
void netfront_memory_give(struct netfront *nf)
{
    struct domu *domu = nf->domu;
    for (uint32_t i = 0; i < nf->nr_queues; i++) {
        give_port(nf, &nf->queue[i].tx);
        give_port(nf, &nf->queue[i].rx);
    }
    if (nf->nr_pages != 0) {
        bool dead = life_is_dead(&domu->life);
        (void)grants_end(&domu->grants, nf->tx_ref, nr_tx_pages(nf), dead);
        (void)grants_end(&domu->grants, nf->rx_ref, nr_written_pages(nf), dead);
        grants_give_pages(&domu->grants, &domu->pages, nf->first_pfn, nf->nr_pages);
    }
    nf->nr_pages = 0;
}
