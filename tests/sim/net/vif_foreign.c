/* SPDX-License-Identifier: MIT */
/*
 * A front end of another make, moved by hand: what Linux's does, and more freely. It sleeps when it
 * has nothing to do, and wakes only by an event.
 */
#include <stdlib.h>
#include <string.h>

#include "vif_world.h"

enum { VCPUS = 2 }; /* of its events: 1 tx, 2 rx */

static void ring(struct front *f, bool notify)
{
    f->doorbell |= notify;
}

/* Where a hostile one has written, nothing is as it was. */
static void take_answers(struct front *f)
{
    struct netif_tx_response rsp;
    int rc;
    while ((rc = netif_tx_take_response(&f->other.tx, &rsp)) == 1) {
        if (f->kind == FRONT_HOSTILE || rsp.status == NETIF_RSP_NULL)
            continue;
        if (rsp.id >= NETIF_RING_ENTRIES || !f->busy[rsp.id])
            world_fail(f->world, "domain %u: request %u is answered twice", f->domid, rsp.id);
        else
            f->busy[rsp.id] = false;
        if (rsp.status != NETIF_RSP_OKAY)
            world_fail(f->world, "domain %u: status %d", f->domid, rsp.status);
    }
    if (rc < 0 && f->kind != FRONT_HOSTILE)
        world_fail(f->world, "domain %u: Dom0's tx index makes no sense", f->domid);
}

/* Its requests have their slots' numbers (fake_netfront.c); extra infos have none. */
static void note_busy(struct front *f, uint32_t from, uint32_t pieces, uint32_t extras)
{
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t slot = (from + i + (i > 0 ? extras : 0)) & (NETIF_RING_ENTRIES - 1);
        if (f->busy[slot] && f->kind != FRONT_HOSTILE)
            world_fail(f->world, "domain %u: slot %u is free, and its request not answered",
                       f->domid, slot);
        f->busy[slot] = true;
    }
}

static void send_one(struct front *f)
{
    static uint8_t bytes[FAKE_NETFRONT_FRAME_MAX];
    struct world *w = f->world;
    struct sent_frame made;
    bool notify;
    if (w->next_id == WORLD_IDS_MAX)
        return;
    uint32_t length = oracle_make(f, 0, true, bytes, &made), from = f->other.tx.half.req_prod_pvt;
    struct fake_tx how = {.flags = made.blank ? NETTXF_csum_blank | NETTXF_data_validated : 0,
                          .gso_type = made.gso_type,
                          .gso_size = made.gso_size,
                          .piece_bytes = length > 18 * 1000 ? 0 : 1000 + world_pick(w, 3000)};
    uint32_t slots = fake_netfront_send(&f->other, bytes, length, &how, &notify);
    if (slots == 0) {
        oracle_unsent(w, w->next_id - 1);
        return;
    }
    uint32_t extras = made.gso_type != 0;
    note_busy(f, from, slots - extras, extras);
    f->sent++;
    ring(f, notify);
}

static void post(struct front *f)
{
    bool notify;
    uint32_t most = f->no_ring ? 4 : NETIF_RING_ENTRIES; /* so that Dom0 is often out of them */
    uint32_t pages = f->world->draining ? NETIF_RING_ENTRIES : 1 + world_pick(f->world, most);
    (void)fake_netfront_post(&f->other, pages, &notify);
    if (!f->no_ring)
        ring(f, notify);
}

static void judge(struct front *f, const struct fake_rx *rx)
{
    const struct got_frame got = {.data = rx->data,
                                  .length = rx->length_bytes,
                                  .blank = (rx->flags & NETRXF_csum_blank) != 0,
                                  .takes_blank = !f->no_csum,
                                  .takes_gso =
                                      !f->no_gso && !f->no_csum, /* segments have blank checksums */
                                  .gso_type = rx->gso_type};
    if (rx->failed)
        world_fail(f->world, "domain %u: a page could not be written", f->domid);
    else
        oracle_judge(f, &got);
}

static void receive(struct front *f)
{
    static struct fake_rx got;
    int rc;
    while ((rc = fake_netfront_receive(&f->other, &got)) == 1)
        if (f->kind != FRONT_HOSTILE)
            judge(f, &got);
    if (rc < 0 && f->kind != FRONT_HOSTILE)
        world_fail(f->world, "domain %u: the rx ring's slots make no frame", f->domid);
}

static void run(struct front *f)
{
    for (uint32_t looks = 0; looks < 20; looks++) { /* a hostile one may never be done */
        take_answers(f);
        receive(f);
        if (f->posts)
            post(f);
        if (!front_ring_final_check(&f->other.tx.half) &&
            !front_ring_final_check(&f->other.rx.half)) {
            f->awake = false;
            return;
        }
    }
}

static void look_for_events(struct front *f)
{
    struct shared_info *si = f->segment.shared_info;
    for (uint32_t vcpu = 1; vcpu <= VCPUS; vcpu++) {
        f->awake |= si->vcpu_info[vcpu].evtchn_upcall_pending != 0;
        si->vcpu_info[vcpu].evtchn_upcall_pending = 0;
        si->vcpu_info[vcpu].evtchn_pending_sel = 0;
    }
    si->evtchn_pending[0] = 0;
}

static void offer(struct front *f)
{
    struct world *w = f->world;
    bool one_queue_node = world_pick(w, 2) == 0;
    f->one_event = world_pick(w, 2) == 0;
    f->no_sg = world_pick(w, 8) == 0;
    f->no_gso = f->no_sg || world_pick(w, 3) == 0;
    f->no_csum = world_pick(w, 3) == 0;
    f->no_ring = world_pick(w, 4) == 0;
    memset(f->busy, 0, sizeof(f->busy));
    fake_netfront_restart(&f->other, world_pick(w, 2) == 0 ? 0 : UINT32_MAX - world_pick(w, 300));
    nodes_write(f, "", "tx-ring-ref", FAKE_NETFRONT_TX_RING_REF);
    nodes_write(f, "", "rx-ring-ref", FAKE_NETFRONT_RX_RING_REF);
    if (f->one_event) {
        nodes_write(f, "", "event-channel", f->port[0]);
    } else {
        nodes_write(f, "", "event-channel-tx", f->port[0]);
        nodes_write(f, "", "event-channel-rx", f->port[1]);
    }
    nodes_write(f, "", "request-rx-copy", 1);
    nodes_write(f, "", "feature-rx-notify", !f->no_ring);
    nodes_write(f, "", "feature-sg", !f->no_sg);
    nodes_write(f, "", "feature-gso-tcpv4", !f->no_gso);
    nodes_write(f, "", "feature-gso-tcpv6", !f->no_gso);
    nodes_write(f, "", "feature-no-csum-offload", f->no_csum);
    nodes_write(f, "", "feature-ipv6-csum-offload", !f->no_csum);
    nodes_write(f, "", "feature-persistent", world_pick(w, 2)); /* offered or not */
    if (one_queue_node)
        nodes_write(f, "", "multi-queue-num-queues", 1);
    nodes_write(f, "", "state", XenbusStateInitialised);
    f->phase = FRONT_OFFERED;
}

static void work(struct front *f, bool sends)
{
    struct world *w = f->world;
    if (f->kind == FRONT_HOSTILE && world_pick(w, 4) == 0)
        hostile_lies(f);
    look_for_events(f);
    if (f->awake && world_pick(w, 2) == 0)
        run(f);
    if (!sends)
        return;
    if (world_pick(w, 3) == 0)
        send_one(f);
    if (world_pick(w, 10) == 0)
        post(f);
    if (world_pick(w, 40) == 0)
        f->posts = world_pick(w, 3) != 0;
    if (world_pick(w, 300) == 0) {
        const bool anew = world_pick(w, 3) == 0;
        nodes_write(f, "", "state", anew ? XenbusStateInitialising : XenbusStateClosing);
        f->phase = anew ? FRONT_ANEW : FRONT_CLOSING;
    }
}

bool foreign_has_reason(const struct front *f)
{
    const struct shared_info *si = f->segment.shared_info;
    if (f->phase == FRONT_ABSENT)
        return f->world->dom0_lives;
    if (f->phase != FRONT_CONNECTED)
        return f->phase != FRONT_DEAD && f->phase != FRONT_ASKED && f->kind != FRONT_HOSTILE;
    return f->awake || si->vcpu_info[1].evtchn_upcall_pending != 0 ||
           si->vcpu_info[2].evtchn_upcall_pending != 0;
}

static void begin(struct front *f)
{
    nodes_write(f, "", "state", XenbusStateConnected);
    f->phase = FRONT_CONNECTED;
    f->awake = f->posts = true;
    f->world->connections++;
}

static void close_on(struct front *f)
{
    enum xenbus_state back = nodes_back_state(f);
    if (f->phase == FRONT_CLOSING && xenbus_state_is_closing(back)) {
        nodes_write(f, "", "state", XenbusStateClosed);
        f->phase = FRONT_CLOSED;
    } else if (f->phase == FRONT_CLOSED && back == XenbusStateClosed) {
        if (f->kind != FRONT_HOSTILE)
            receive(f); /* nothing is written to the rings any more */
        nodes_write(f, "", "state", XenbusStateInitialising);
        f->phase = FRONT_WAITS;
    }
}

/* The back end has let go of the rings. */
static void begin_anew(struct front *f)
{
    if (f->kind != FRONT_HOSTILE)
        receive(f);
    offer(f);
}

void foreign_step(struct front *f, bool sends)
{
    enum xenbus_state back = nodes_back_state(f);
    switch (f->phase) {
    case FRONT_ABSENT:
        if (f->world->dom0_lives)
            f->phase = FRONT_ASKED;
        break;
    case FRONT_WAITS:
        if (back == XenbusStateInitWait)
            offer(f);
        break;
    case FRONT_OFFERED:
        if (back == XenbusStateConnected)
            begin(f);
        break;
    case FRONT_CONNECTED:
        work(f, sends);
        break;
    case FRONT_CLOSING:
    case FRONT_CLOSED:
        close_on(f);
        break;
    case FRONT_ANEW:
        if (back == XenbusStateInitWait)
            begin_anew(f);
        break;
    default: /* Dom0's turn */
        break;
    }
}
