/* SPDX-License-Identifier: MIT */
#include "service/back/vif/vif_tx.h"

#include <assert.h>
#include <string.h>

#include "service/back/vif/tx_chain.h"
#include "service/net/frame.h"

enum {
    STAMP_AHEAD_NS = 10000,      /* real: what two CPUs' unordered looks at a clock can differ by */
    STAMP_BEHIND_NS = 100000000, /* real: what Dom0 may be late by when it takes a frame */
    REFUSED_COST_BYTES = 64,
    ANSWERS_SHOWN_SLOTS = 64, /* the front end fills the ring again while we take the rest */
};

/* The page is readable for as long as the copy takes, or from now on. */
static int copy_piece(struct vif_queue *q, const struct tx_piece *piece, uint8_t *to)
{
    void *page;
    if (piece->size == 0)
        return 0;
    int rc = grant_map_get(&q->grants, piece->gref, false, q->config.features.persistent, &page);
    if (rc < 0)
        return rc;
    memcpy(to, (const uint8_t *)page + piece->offset, piece->size);
    grant_map_put(&q->grants, piece->gref);
    return 0;
}

static int copy_frame(struct vif_queue *q, const struct tx_chain *chain, struct net_frame *frame)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < chain->piece_count; i++) {
        int rc = copy_piece(q, &chain->piece[i], frame->data + at);
        if (rc < 0)
            return rc;
        at += chain->piece[i].size;
    }
    assert(at == frame->length_bytes);
    return 0;
}

/*
 * When the frame left. The domain may say anything: a time to come counts as now, beyond what two
 * looks at one clock can differ by; so does, as the earliest time possible, one that is longer past
 * than Dom0 is ever late, or before that of the frame before.
 */
static void stamp(struct vif_queue *q, const struct tx_chain *chain, struct net_frame *frame)
{
    uint64_t now_ns = q->tx_look_ns;
    frame->arrived_ns = now_ns;
    if (!chain->has_stamp)
        return;
    struct tdf_clock *clock = q->config.clock;
    uint64_t stamp_ns = splitdom_netif_stamp_get(&chain->stamp, q->tx_look_virtual_ns);
    uint64_t left_ns = tdf_clock_when_ns(clock, stamp_ns), said_ns = left_ns;
    if (left_ns > now_ns + STAMP_AHEAD_NS)
        left_ns = now_ns;
    if (left_ns + STAMP_BEHIND_NS < now_ns)
        left_ns = now_ns - STAMP_BEHIND_NS;
    if (left_ns < q->tx_stamp_ns)
        left_ns = q->tx_stamp_ns;
    q->tx_stamp_ns = left_ns;
    frame->arrived_ns = left_ns;
    if (left_ns != said_ns)
        stamp_ns = tdf_clock_at_ns(clock, left_ns);
    frame->stamp_ns = (int64_t)(stamp_ns & INT64_MAX);
}

/* Returns the status of the answer. */
static int16_t take_frame(struct vif_queue *q, const struct tx_chain *chain)
{
    struct net_frame *frame = net_frame_new_in(q->frames, chain->length_bytes);
    if (frame == NULL) {
        q->stats.tx_dropped++;
        net_port_drop(q->config.port, NET_DROP_NO_MEMORY);
        return NETIF_RSP_DROPPED;
    }
    if (copy_frame(q, chain, frame) < 0) {
        net_frame_put(frame);
        return NETIF_RSP_ERROR;
    }
    frame->checksum_blank = (chain->flags & NETTXF_csum_blank) != 0;
    frame->data_validated = frame->checksum_blank || (chain->flags & NETTXF_data_validated) != 0;
    frame->gso_type = chain->gso_type;
    frame->gso_size_bytes = chain->gso_size;
    stamp(q, chain, frame);
    q->stats.tx_frames++;
    q->stats.tx_bytes += chain->length_bytes;
    net_port_input(q->config.port, frame);
    net_frame_put(frame);
    return NETIF_RSP_OKAY;
}

/* Returns the bytes of what was taken; a frame that is refused costs as much as the smallest on a
 * wire. */
static uint32_t take_chain(struct vif_queue *q)
{
    struct tx_chain chain;
    enum tx_verdict verdict = tx_chain_take(&chain, &q->tx, q->config.features.stamps);
    uint32_t slots = chain.piece_count + chain.extra_count;
    q->stats.tx_slots += slots;
    q->taken += slots;
    if (verdict == TX_BROKEN) {
        net_port_drop(q->config.port, NET_DROP_MALFORMED);
        vif_queue_halt(q, chain.fault);
        return REFUSED_COST_BYTES;
    }
    int16_t status = verdict == TX_FRAME ? take_frame(q, &chain) : NETIF_RSP_ERROR;
    if (status == NETIF_RSP_ERROR) {
        q->stats.tx_errors++;
        net_port_drop(q->config.port, NET_DROP_MALFORMED);
    }
    tx_chain_answer(&chain, &q->tx, status);
    q->tx_unpushed = true;
    return status == NETIF_RSP_OKAY || chain.length_bytes > REFUSED_COST_BYTES ? chain.length_bytes
                                                                               : REFUSED_COST_BYTES;
}

static int look(struct vif_queue *q)
{
    if (q->fault != NULL)
        return 0;
    int waiting = back_ring_look(&q->tx.half);
    if (waiting < 0)
        vif_queue_halt(q, "the tx ring's request index is invalid");
    return waiting;
}

/* Before it says no it has asked for the doorbell. It looks twice and not until both looks agree:
 * an index may change for as long as we look (XSA-39). */
static bool any_waits(struct vif_queue *q)
{
    int waiting = look(q);
    if (waiting == 0 && q->fault == NULL && back_ring_final_check(&q->tx.half))
        waiting = look(q);
    return waiting > 0;
}

/* What was there at the look, and no more: a front end on another processor can't keep us here, and
 * an honest one can't have more there before it sees our answers. */
uint32_t vif_queue_take(struct vif_queue *q, uint32_t budget_bytes)
{
    const struct back_ring *half = &q->tx.half;
    const uint64_t *copied_bytes = &q->config.port->copied_bytes, copied_before = *copied_bytes;
    uint32_t bytes = 0;
    if (!any_waits(q))
        return 0;
    q->tx_look_ns = q->config.now_ns(q->config.now_ctx);
    if (q->config.features.stamps)
        q->tx_look_virtual_ns = tdf_clock_now_ns(q->config.clock);
    while (q->fault == NULL && half->req_cons != half->req_prod &&
           bytes + (*copied_bytes - copied_before) < budget_bytes) {
        bytes += take_chain(q);
        if (half->rsp_prod_pvt - half->rsp_prod >= ANSWERS_SHOWN_SLOTS)
            vif_tx_flush(q);
    }
    vif_tx_flush(q);
    return bytes;
}

void vif_tx_flush(struct vif_queue *q)
{
    if (!q->tx_unpushed)
        return;
    q->tx_unpushed = false;
    pollable_showed(&q->pollable);
    if (back_ring_push(&q->tx.half))
        vif_queue_notify(q, &q->config.tx_event);
}
