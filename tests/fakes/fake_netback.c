/* SPDX-License-Identifier: MIT */
#include "fakes/fake_netback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/dom0/toolstack.h"
#include "splitdom/xen/xenbus.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

static struct xenbus_key key_of(struct fake_netback *vif)
{
    return (struct xenbus_key){"vif", fake_dom0_domid(vif->dom0), 0};
}

void fake_netback_node(struct fake_netback *vif, const char *node, const char *value)
{
    const struct xenbus_key key = key_of(vif);
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    if (xs_local_write(vif->store, path, value) < 0)
        abort();
}

const char *fake_netback_front_node(struct fake_netback *vif, const char *node, char value[64])
{
    const struct xenbus_key key = key_of(vif);
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &key, node);
    if (xs_local_read(vif->store, path, value, 64) < 0)
        value[0] = '\0';
    return value;
}

static uint32_t front_number(struct fake_netback *vif, const char *node)
{
    char value[64];
    return (uint32_t)strtoul(fake_netback_front_node(vif, node, value), NULL, 10);
}

static void front_nodes(const struct back_spec *spec, back_node_fn *put, void *ctx)
{
    const struct fake_netback *vif = spec->options;
    put(ctx, "handle", "0");
    put(ctx, "mac", vif->mac != NULL ? vif->mac : "00:16:3e:00:00:01");
    if (vif->mtu != NULL)
        put(ctx, "mtu", vif->mtu);
}

static void back_nodes(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx)
{
    const struct fake_netback *vif = spec->options;
    (void)domid;
    put(ctx, "state", "1");
    put(ctx, "feature-rx-copy", "1");
    put(ctx, "feature-split-event-channels", vif->no_split ? "0" : "1");
    put(ctx, "feature-sg", vif->no_sg ? "0" : "1");
    put(ctx, "feature-gso-tcpv4", vif->no_gso ? "0" : "1");
    put(ctx, "feature-gso-tcpv6", vif->no_gso ? "0" : "1");
    put(ctx, "feature-ipv6-csum-offload", vif->no_gso ? "0" : "1");
    if (vif->queues != NULL)
        put(ctx, "multi-queue-max-queues", vif->queues);
    if (vif->stamps)
        put(ctx, "feature-splitdom-stamp", "1");
    if (vif->persistent)
        put(ctx, "feature-persistent", "1");
    if (vif->carrier != NULL)
        put(ctx, "carrier", vif->carrier);
}

static const struct back_class class = {
    .name = "vif", .front_nodes = front_nodes, .back_nodes = back_nodes};

static uint32_t queue_number(struct fake_netback *vif, const char *node)
{
    char path[64];
    if (vif->queue_count == 1)
        return front_number(vif, node);
    snprintf(path, sizeof(path), "queue-%u/%s", vif->here, node);
    return front_number(vif, path);
}

static struct fake_netback_queue *here(struct fake_netback *vif)
{
    return &vif->queue[vif->here];
}

static void connect_queue(struct fake_netback *vif)
{
    struct fake_netback_queue *q = here(vif);
    back_ring_init(&q->tx.half, (void *)fake_dom0_page(vif->dom0, queue_number(vif, "tx-ring-ref")),
                   NETIF_RING_ENTRIES, 0);
    back_ring_init(&q->rx.half, (void *)fake_dom0_page(vif->dom0, queue_number(vif, "rx-ring-ref")),
                   NETIF_RING_ENTRIES, 0);
    q->tx_port = queue_number(vif, "event-channel-tx");
    q->rx_port = queue_number(vif, "event-channel-rx");
}

static void connect_rings(struct fake_netback *vif)
{
    vif->queue_count = front_number(vif, "multi-queue-num-queues");
    if (vif->queue_count == 0)
        vif->queue_count = 1;
    for (vif->here = 0; vif->here < vif->queue_count; vif->here++)
        connect_queue(vif);
    vif->here = 0;
    vif->connected = true;
    fake_netback_node(vif, "state", "4");
}

static void front_changed(void *ctx, const char *path)
{
    struct fake_netback *vif = ctx;
    (void)path;
    int state = (int)front_number(vif, "state");
    bool same = state == vif->front_state;
    vif->front_state = state;
    if (same)
        return;
    if (state == XenbusStateInitialised && vif->refuse) {
        fake_netback_node(vif, "state", "5");
    } else if (state == XenbusStateInitialised) {
        connect_rings(vif);
    } else if (state == XenbusStateClosing) {
        vif->connected = false;
        vif->seen_closing = true;
        fake_netback_node(vif, "state", "5");
    } else if (state == XenbusStateClosed) {
        fake_netback_node(vif, "state", "6");
    } else if (state == XenbusStateInitialising && vif->seen_closing) {
        fake_netback_node(vif, "state", "2");
    }
}

static void make(struct fake_dom0 *dom0, struct xs_server *store)
{
    struct fake_netback *vif = fake_dom0_devices(dom0);
    const struct back_spec spec = {&class, 0, vif};
    char path[XENBUS_PATH_MAX];
    vif->dom0 = dom0;
    vif->store = store;
    vif->front_state = 0;
    vif->connected = vif->seen_closing = false;
    if (toolstack_create_device(store, fake_dom0_domid(dom0), &spec) < 0)
        abort();
    fake_netback_node(vif, "state", "2");
    const struct xenbus_key key = key_of(vif);
    xenbus_front_path(path, &key, "state");
    if (xs_local_watch(store, path, front_changed, vif, &vif->watch) < 0)
        abort();
}

static void end(struct fake_dom0 *dom0)
{
    struct fake_netback *vif = fake_dom0_devices(dom0);
    xs_local_unwatch(vif->watch);
    vif->connected = false;
}

static void take(struct fake_netback *vif, union netif_tx_sring_entry *entry)
{
    if (back_ring_look(&here(vif)->tx.half) <= 0)
        abort(); /* our front end shows whole frames */
    netif_tx_take(&here(vif)->tx, entry);
    vif->last.nr_slots++;
}

static void take_extras(struct fake_netback *vif)
{
    struct fake_frame *frame = &vif->last;
    union netif_tx_sring_entry entry;
    do {
        take(vif, &entry);
        if (entry.extra.type == XEN_NETIF_EXTRA_TYPE_GSO) {
            frame->gso_type = entry.extra.u.gso.type;
            frame->gso_size_bytes = entry.extra.u.gso.size;
        } else if (entry.extra.type == SPLITDOM_NETIF_EXTRA_TYPE_STAMP) {
            frame->has_stamp = true;
            frame->stamp_ns = splitdom_netif_stamp_get(&entry.extra, UINT64_C(1) << 47);
        } else {
            abort();
        }
    } while ((entry.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0);
}

static void add_piece(struct fake_netback *vif, const struct netif_tx_request *req, uint32_t *at,
                      uint32_t bytes)
{
    struct fake_frame *frame = &vif->last;
    if (!fake_dom0_is_granted(vif->dom0, req->gref, true) || bytes + req->offset > XEN_PAGE_SIZE)
        abort();
    memcpy(frame->data + *at, fake_dom0_page(vif->dom0, req->gref) + req->offset, bytes);
    *at += bytes;
    frame->ids[frame->nr_ids++] = req->id;
}

/* One frame off the tx ring. The first piece is what the others leave. */
static void take_frame(struct fake_netback *vif)
{
    struct fake_frame *frame = &vif->last;
    union netif_tx_sring_entry entry;
    struct netif_tx_request req[32];
    uint32_t count = 0, at = 0, rest = 0;
    memset(frame, 0, offsetof(struct fake_frame, data));
    do {
        take(vif, &entry);
        req[count++] = entry.req;
        if (count > 1)
            rest += entry.req.size;
        else if ((entry.req.flags & NETTXF_extra_info) != 0)
            take_extras(vif);
    } while ((req[count - 1].flags & NETTXF_more_data) != 0);
    frame->length_bytes = req[0].size;
    frame->checksum_blank = (req[0].flags & NETTXF_csum_blank) != 0;
    frame->data_validated = (req[0].flags & NETTXF_data_validated) != 0;
    for (uint32_t i = 0; i < count; i++)
        add_piece(vif, &req[i], &at, i == 0 ? frame->length_bytes - rest : req[i].size);
    if (at != frame->length_bytes)
        abort();
}

void fake_netback_answer(struct fake_netback *vif, const struct fake_frame *frame, int16_t status)
{
    for (uint32_t i = 0; i < frame->nr_ids; i++) {
        netif_tx_put_response(&here(vif)->tx, (uint16_t)frame->ids[i],
                              i == 0 ? status : NETIF_RSP_OKAY);
        for (uint32_t extra = frame->nr_ids; i == 0 && extra < frame->nr_slots; extra++)
            netif_tx_put_response(&here(vif)->tx, 0xdead, NETIF_RSP_NULL);
    }
}

uint32_t fake_netback_posted(struct fake_netback *vif)
{
    int count = back_ring_look(&here(vif)->rx.half);
    return count > 0 ? (uint32_t)count : 0;
}

static uint32_t put_extra(struct fake_netback *vif, struct netif_extra_info *extra, bool more)
{
    struct netif_rx_request req;
    netif_rx_take_request(&here(vif)->rx, &req);
    extra->flags = more ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
    netif_rx_put_extra(&here(vif)->rx, extra);
    return 1;
}

static void put_extras(struct fake_netback *vif, const struct fake_frame *frame)
{
    struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
                                   .u.gso = {frame->gso_size_bytes, frame->gso_type, 0, 0}};
    struct netif_extra_info stamp = {.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP};
    splitdom_netif_stamp_put(&stamp, frame->stamp_ns);
    if (frame->gso_type != 0)
        put_extra(vif, &gso, frame->has_stamp);
    if (frame->has_stamp)
        put_extra(vif, &stamp, false);
}

bool fake_netback_deliver(struct fake_netback *vif, const struct fake_frame *frame)
{
    const uint32_t piece = vif->piece_bytes != 0 ? vif->piece_bytes : XEN_PAGE_SIZE;
    const uint32_t pieces = (frame->length_bytes + piece - 1) / piece;
    const bool extra = frame->gso_type != 0 || frame->has_stamp;
    if (fake_netback_posted(vif) < pieces + 2)
        return false;
    for (uint32_t i = 0, at = 0; i < pieces; i++, at += piece) {
        const uint32_t left = frame->length_bytes - at, bytes = left < piece ? left : piece;
        struct netif_rx_request req;
        netif_rx_take_request(&here(vif)->rx, &req);
        if (!fake_dom0_is_granted(vif->dom0, req.gref, false))
            abort();
        const uint16_t offset = (uint16_t)(XEN_PAGE_SIZE - bytes);
        memcpy(fake_dom0_page(vif->dom0, req.gref) + offset, frame->data + at, bytes);
        int flags = i + 1 < pieces ? NETRXF_more_data : 0;
        if (i == 0)
            flags |= (frame->checksum_blank ? NETRXF_csum_blank : 0) |
                     (frame->data_validated ? NETRXF_data_validated : 0) |
                     (extra ? NETRXF_extra_info : 0);
        netif_rx_put_response(&here(vif)->rx,
                              &(struct netif_rx_response){.id = req.id,
                                                          .offset = offset,
                                                          .flags = (uint16_t)flags,
                                                          .status = (int16_t)bytes});
        if (i == 0 && extra)
            put_extras(vif, frame);
    }
    return true;
}

void fake_netback_flush(struct fake_netback *vif)
{
    if (back_ring_push(&here(vif)->rx.half))
        fake_dom0_notify(vif->dom0, here(vif)->rx_port);
    if (back_ring_push(&here(vif)->tx.half)) /* last: who has drained finds what was sent back */
        fake_dom0_notify(vif->dom0, here(vif)->tx_port);
}

/* What a queue has sent. */
static void serve_queue(struct fake_netback *vif)
{
    while (back_ring_look(&here(vif)->tx.half) > 0) {
        take_frame(vif);
        if (vif->frame != NULL) {
            vif->frame(vif, &vif->last);
            continue;
        }
        fake_netback_answer(vif, &vif->last, NETIF_RSP_OKAY);
        (void)fake_netback_deliver(vif, &vif->last);
    }
}

/* Shows what there is, and asks for more. Returns whether there is more. */
static bool arm_queue(struct fake_netback *vif)
{
    fake_netback_flush(vif);
    (void)back_ring_final_check(&here(vif)->rx.half);
    return back_ring_final_check(&here(vif)->tx.half);
}

static void serve(struct fake_dom0 *dom0)
{
    struct fake_netback *vif = fake_dom0_devices(dom0);
    bool more = vif->connected;
    while (more) {
        for (vif->here = 0; vif->here < vif->queue_count; vif->here++)
            serve_queue(vif);
        vif->here = 0;
        if (vif->idle != NULL)
            vif->idle(vif);
        more = false;
        for (vif->here = 0; vif->here < vif->queue_count; vif->here++)
            more = arm_queue(vif) || more;
        vif->here = 0;
    }
}

void fake_netback_script(struct fake_netback *vif, struct fake_dom0_script *script)
{
    script->devices = vif;
    script->make_devices = make;
    script->serve_devices = serve;
    script->end_devices = end;
}
