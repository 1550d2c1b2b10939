/* SPDX-License-Identifier: MIT */
#include "service/back/vif/vif_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/container_of.h"
#include "ring/evtchn.h"
#include "service/back/vif/vif_rx.h"
#include "service/back/vif/vif_tx.h"
#include "service/net/turns.h"

/* Of one visit. A ring that is never empty rings no doorbell: the visit may be hours later. */
enum { TAKEN_MAX = 1 << 30 };

static struct vif_queue *of_pollable(struct pollable *p)
{
    return container_of(p, struct vif_queue, pollable);
}

void vif_queue_halt(struct vif_queue *q, const char *fault)
{
    assert(q->fault == NULL && fault != NULL);
    q->fault = fault;
    pollables_answered(&q->pollable); /* which tells the owner */
}

void vif_queue_notify(struct vif_queue *q, const struct vif_event *event)
{
    struct shared_info *si = q->config.segment->shared_info;
    q->stats.notifies++;
    if (evtchn_set_pending(si, event->port, event->vcpu)) {
        q->stats.wakes++;
        (void)evtchn_wake(si, event->vcpu); /* -EFAULT: its memory is gone, it is dying */
    }
}

/* The port's turn will come. While the port is on no network, what is sent goes nowhere. */
static void ask_for_turn(struct vif_queue *q)
{
    if (q->config.port->turns != NULL)
        net_turns_ready(q->config.port);
    else
        (void)vif_queue_take(q, XEN_NETIF_MAX_TX_SIZE);
}

static int consume(struct pollable *p, uint64_t now_ns)
{
    struct vif_queue *q = of_pollable(p);
    int served = vif_rx_serve(q, now_ns);
    if (q->fault == NULL) {
        int waiting = back_ring_look(&q->tx.half);
        if (waiting < 0)
            vif_queue_halt(q, "the tx ring's request index is invalid");
        else if (waiting > 0)
            ask_for_turn(q);
    }
    if (q->fault != NULL && !q->told) {
        q->told = true;
        return -EPROTO;
    }
    uint32_t taken = q->taken < TAKEN_MAX ? q->taken : TAKEN_MAX;
    q->taken = 0;
    return (int)taken + (served > 0 ? served : 0);
}

/* What is answered is shown by whoever answers. */
static void flush(struct pollable *p)
{
    assert(!of_pollable(p)->tx_unpushed && !of_pollable(p)->rx_unpushed);
}

/* What waits on the tx ring needs no look: its turn comes, and then the doorbell is asked for. */
static bool arm(struct pollable *p)
{
    struct vif_queue *q = of_pollable(p);
    if (q->fault != NULL)
        return !q->told;
    if (back_ring_final_check(&q->tx.half))
        ask_for_turn(q);
    return vif_rx_arm(q);
}

static void broken(struct pollable *p, int error)
{
    struct vif_queue *q = of_pollable(p);
    assert(q->fault != NULL && q->told && error == -EPROTO);
    q->config.broken(q->config.ctx, q->fault);
}

static const struct pollable_ops pollable_ops = {
    .consume = consume, .flush = flush, .arm = arm, .broken = broken};

static void on_poll(struct timer *timer, void *opaque)
{
    struct vif_queue *q = opaque;
    (void)timer;
    pollables_answered(&q->pollable);
}

/* A fresh front end starts at 0; one that re-attaches to a live ring starts where it stands. */
static int map_ring(struct vif_queue *q, grant_ref_t ref, uint32_t entries, struct back_ring *half)
{
    void *page;
    int rc = grant_map_get(&q->grants, ref, true, false, &page);
    if (rc < 0)
        return rc;
    struct sring *sring = page;
    back_ring_init(half, sring, entries, load_acquire_u32(&sring->rsp_prod));
    return 0;
}

int vif_queue_create(const struct vif_queue_config *config, struct vif_queue **out)
{
    *out = NULL;
    struct vif_queue *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return -ENOMEM;
    q->config = *config;
    q->pollable.ops = &pollable_ops;
    timer_init(&q->poll, config->idle_time, on_poll, q);
    int rc = grant_map_init(&q->grants, config->segment, DOM0_DOMID);
    q->grants.persistent_max = VIF_PERSISTENT_MAX;
    if (rc == 0)
        rc = map_ring(q, config->tx_ring_ref, NETIF_RING_ENTRIES, &q->tx.half);
    if (rc == 0)
        rc = map_ring(q, config->rx_ring_ref, NETIF_RING_ENTRIES, &q->rx.half);
    if (rc == 0) {
        q->waiting = calloc(VIF_RX_QUEUE_FRAMES, sizeof(*q->waiting));
        q->frames = net_frame_pool_create();
        rc = q->waiting == NULL || q->frames == NULL ? -ENOMEM : 0;
    }
    if (rc < 0) {
        vif_queue_destroy(q, NULL);
        return rc;
    }
    *out = q;
    return 0;
}

void vif_queue_destroy(struct vif_queue *q, struct vif_stats *total)
{
    if (q == NULL)
        return;
    assert(q->pollable.loop == NULL);
    timer_stop(&q->poll);
    vif_rx_drop_all(q, NET_DROP_DISCONNECTED, &q->stats.rx_left);
    if (total != NULL)
        vif_stats_add(total, &q->stats);
    grant_map_fini(&q->grants);
    net_frame_pool_close(q->frames);
    free(q->waiting);
    free(q);
}
