/* SPDX-License-Identifier: MIT */
/*
 * What domu_link.c and netfront_link.c do with an interface through the lives of its domain, with
 * the store at hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domu/netfront/netfront_private.h"
#include "ring/gnttab.h"
#include "vif_world.h"

enum { FIRST_REF = GNTTAB_NR_RESERVED_ENTRIES };

static bool dom0_is_gone(const struct front *f)
{
    return !f->world->dom0_lives;
}

/* ---- memory ---- */

static uint32_t pages_of_queue(const struct netfront *nf)
{
    return nf->options.tx_slots + nf->options.rx_slots + 2;
}

/* In each queue the tx data, the rx data and the rings follow each other. */
static void place_queue(struct front *f, uint32_t index)
{
    struct netfront *nf = f->nf;
    struct netfront_queue *q = &nf->queue[index];
    const uint32_t at = index * pages_of_queue(nf), pfn = f->segment.free_pfn + at;
    const uint32_t tx_slots = nf->options.tx_slots, rx_slots = nf->options.rx_slots;
    q->tx_ref = FIRST_REF + at;
    q->rx_ref = q->tx_ref + tx_slots;
    q->tx_data = segment_page(&f->segment, pfn);
    q->rx_data = segment_page(&f->segment, pfn + tx_slots);
    q->tx_ring.half.sring = segment_page(&f->segment, pfn + tx_slots + rx_slots);
    q->rx_ring.half.sring = segment_page(&f->segment, pfn + tx_slots + rx_slots + 1);
    sring_init(q->tx_ring.half.sring, 0);
    sring_init(q->rx_ring.half.sring, 0);
    q->tx.vcpu = 1 + 2 * index;
    q->rx.vcpu = 2 + 2 * index;
    for (uint32_t i = 0; i < pages_of_queue(nf); i++)
        gnttab_grant_access(f->segment.gnttab, FIRST_REF + at + i, DOM0_DOMID, pfn + i,
                            i < tx_slots);
}

/* ---- what is told of it ---- */

static void offer_queue(struct front *f, uint32_t index)
{
    const struct netfront *nf = f->nf;
    const uint32_t rings = nf->queue[index].rx_ref + nf->options.rx_slots;
    char directory[24] = "";
    if (nf->front.queue_count > 1)
        snprintf(directory, sizeof(directory), "queue-%u/", index);
    nodes_write(f, directory, "tx-ring-ref", rings);
    nodes_write(f, directory, "rx-ring-ref", rings + 1);
    nodes_write(f, directory, "event-channel-tx", f->port[2 * index]);
    nodes_write(f, directory, "event-channel-rx", f->port[2 * index + 1]);
}

static void negotiate(struct front *f)
{
    struct netfront *nf = f->nf;
    uint64_t queues = nodes_read(f, "multi-queue-max-queues", 1);
    nf->front.queue_count = queues < nf->nr_queues ? (uint32_t)queues : nf->nr_queues;
    nf->scatter_gather = nodes_read(f, "feature-sg", 0) == 1;
    nf->gso_tcpv4 = nodes_read(f, "feature-gso-tcpv4", 0) == 1;
    nf->gso_tcpv6 = nodes_read(f, "feature-gso-tcpv6", 0) == 1;
    nf->ipv6_checksum = nodes_read(f, "feature-ipv6-csum-offload", 0) == 1;
    nf->stamps = nodes_read(f, "feature-splitdom-stamp", 0) == 1 && !nf->options.no_stamps;
}

static void offer(struct front *f)
{
    struct netfront *nf = f->nf;
    negotiate(f);
    const uint32_t offload = nf->options.no_offload ? 0 : 1;
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        place_queue(f, i);
    for (uint32_t i = 0; i < nf->front.queue_count; i++)
        offer_queue(f, i);
    nodes_write(f, "", "multi-queue-num-queues", nf->front.queue_count);
    nodes_write(f, "", "request-rx-copy", 1);
    nodes_write(f, "", "feature-rx-notify", 1);
    nodes_write(f, "", "feature-sg", 1);
    nodes_write(f, "", "feature-gso-tcpv4", offload);
    nodes_write(f, "", "feature-gso-tcpv6", offload);
    nodes_write(f, "", "feature-ipv6-csum-offload", offload);
    nodes_write(f, "", "feature-no-csum-offload", 1 - offload);
    nodes_write(f, "", "feature-splitdom-stamp", nf->stamps);
    nodes_write(f, "", "feature-persistent", nodes_read(f, "feature-persistent", 0) == 1);
    nodes_write(f, "", "state", XenbusStateInitialised);
    f->phase = FRONT_OFFERED;
}

/* ---- the rings ---- */

static void start_queue(struct netfront_queue *q, bool has_ring)
{
    q->tx.without_ring = q->rx.without_ring = !has_ring;
    netfront_restart_tx(q);
    netfront_restart_rx(q);
}

static void begin(struct front *f)
{
    struct netfront *nf = f->nf;
    nodes_write(f, "", "state", XenbusStateConnected);
    const struct vcpu_time_info *page = &f->segment.shared_info->vcpu_info[0].time;
    if (f->clock_runs)
        domain_clock_adopt(&f->clock, page, page->system_time);
    else
        domain_clock_start(&f->clock, page, page->system_time);
    f->clock_runs = true;
    nf->clock = &f->clock;
    nf->shared_info = f->segment.shared_info;
    nf->queues_in_use = nf->front.queue_count;
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        start_queue(&nf->queue[i], i < nf->front.queue_count);
    f->phase = FRONT_CONNECTED;
    f->begun++;
    f->world->connections++;
    for (uint32_t i = 0; i < nf->nr_queues; i++) {
        netfront_side_resume(&nf->queue[i].tx);
        netfront_side_resume(&nf->queue[i].rx);
    }
}

static void suspend(struct front *f)
{
    for (uint32_t i = 0; i < f->nf->nr_queues; i++) {
        netfront_side_suspend(f->nf, &f->nf->queue[i].tx);
        netfront_side_suspend(f->nf, &f->nf->queue[i].rx);
    }
}

/* ---- opening and closing ---- */

static uint32_t pick_slots(struct front *f)
{
    uint32_t slots = (uint32_t)NETFRONT_SLOTS_MIN << world_pick(f->world, 4);
    return slots < f->page_slots ? slots : f->page_slots;
}

static void nf_free(struct front *f)
{
    free(f->nf);
    f->nf = NULL;
}

/* As netfront_open's, with all sides out of use. */
static void nf_make(struct front *f)
{
    struct netfront *nf = calloc(1, sizeof(*nf));
    if (nf == NULL)
        abort();
    nf->options = (struct netfront_options){.tx_slots = pick_slots(f),
                                            .rx_slots = pick_slots(f),
                                            .no_stamps = world_pick(f->world, 4) == 0,
                                            .no_offload = world_pick(f->world, 3) == 0,
                                            .no_spin = true};
    uint64_t queues = nodes_read(f, "multi-queue-max-queues", 1);
    nf->nr_queues = queues < f->want_queues ? (uint32_t)queues : f->want_queues;
    nf->doorbell_fd = (int)(f - f->world->front);
    nf->link.carrier = true;
    pthread_mutex_init(&nf->state_lock, NULL);
    for (uint32_t i = 0; i < NETFRONT_QUEUES_MAX; i++) {
        struct netfront_queue *q = &nf->queue[i];
        q->nf = nf;
        q->ready_fd = -1;
        netfront_side_init(&q->tx);
        netfront_side_init(&q->rx);
        q->tx.linking = q->rx.linking = true;
    }
    f->nf = nf;
}

static bool back_waits(void *ctx)
{
    struct front *f = ctx;
    return dom0_is_gone(f) ||
           (f->phase == FRONT_WAITS && nodes_back_state(f) == XenbusStateInitWait);
}

static bool back_is_connected(void *ctx)
{
    struct front *f = ctx;
    return dom0_is_gone(f) || nodes_back_state(f) == XenbusStateConnected;
}

static bool back_closes(void *ctx)
{
    struct front *f = ctx;
    return dom0_is_gone(f) || xenbus_state_is_closing(nodes_back_state(f));
}

static bool back_is_closed(void *ctx)
{
    struct front *f = ctx;
    return dom0_is_gone(f) || nodes_back_state(f) == XenbusStateClosed;
}

static bool has_something_to_do(void *ctx)
{
    const struct front *f = ctx;
    return dom0_is_gone(f) || f->wants_reopen;
}

static bool is_parked(void *ctx)
{
    struct front *f = ctx;
    return dom0_is_gone(f) || threads_are_parked(f);
}

static bool may_ask(void *ctx)
{
    const struct front *f = ctx;
    return f->world->dom0_lives && f->phase == FRONT_ABSENT;
}

/* Who waits in a call when the program wants to close comes out of it first. */
static void reopen(struct front *f)
{
    f->stop = true;
    netfront_interrupt(f->nf);
    (void)strand_await(is_parked, f, 0);
    f->wants_reopen = f->stop = false;
    if (dom0_is_gone(f))
        return;
    nodes_write(f, "", "state", XenbusStateClosing);
    f->phase = FRONT_CLOSING;
    f->stop = true;
    (void)strand_await(back_closes, f, 0);
    if (dom0_is_gone(f))
        return;
    nodes_write(f, "", "state", XenbusStateClosed);
    f->phase = FRONT_CLOSED;
    (void)strand_await(back_is_closed, f, 0);
    if (dom0_is_gone(f))
        return;
    nf_free(f);
    f->world->reopened++;
    nodes_write(f, "", "state", XenbusStateInitialising);
    f->phase = FRONT_WAITS;
}

/* Until Dom0 is gone. */
static void live(struct front *f)
{
    while (!dom0_is_gone(f)) {
        (void)strand_await(back_waits, f, 0);
        if (dom0_is_gone(f))
            return;
        if (f->nf == NULL)
            nf_make(f);
        offer(f);
        (void)strand_await(back_is_connected, f, 0);
        if (dom0_is_gone(f))
            return;
        begin(f);
        f->stop = false;
        (void)strand_await(has_something_to_do, f, 0);
        if (!dom0_is_gone(f))
            reopen(f);
    }
}

static void link_runs(void *arg)
{
    struct front *f = arg;
    for (;;) {
        (void)strand_await(may_ask, f, 0);
        f->phase = FRONT_ASKED;
        live(f);
        if (f->clock_runs && f->phase != FRONT_ASKED && f->phase != FRONT_ABSENT)
            domain_clock_orphan(&f->clock, f->segment.shared_info, LIFE_NR_CLOCKS);
        if (f->nf != NULL)
            suspend(f);
        f->stop = false;
        f->phase = FRONT_DEAD;
    }
}

void ours_begin(struct front *f)
{
    struct world *w = f->world;
    f->want_queues = 1 + world_pick(w, WORLD_QUEUES_MAX);
    f->page_slots = (uint32_t)NETFRONT_SLOTS_MIN << world_pick(w, 3);
    f->stop = f->wants_reopen = f->clock_runs = false;
    strand_start(&f->link, link_runs, f);
    threads_start(f);
}

void ours_end(struct front *f)
{
    strand_kill(&f->link);
    threads_kill(f);
    nf_free(f);
    if (f->phase != FRONT_ABSENT)
        f->phase = FRONT_DEAD;
}

void ours_check_rest(struct front *f)
{
    if (!senders_are_parked(f))
        world_fail(f->world, "domain %u: a sender sleeps over answers", f->domid);
    for (uint32_t i = 0; i < f->nf->front.queue_count; i++) {
        const struct netfront_queue *q = &f->nf->queue[i];
        if (q->rx_ring.half.rsp_cons != q->rx_ring.half.sring->rsp_prod || q->next.nr_slots != 0)
            world_fail(f->world,
                       "domain %u, queue %u: %u responses are not taken: a wake-up was lost",
                       f->domid, i, q->rx_ring.half.sring->rsp_prod - q->rx_ring.half.rsp_cons);
    }
}
